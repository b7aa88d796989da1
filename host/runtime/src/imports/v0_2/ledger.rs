//! `ledger`: the host adds the tenant, the time, and whose order it is.

use wasmtime::Result;

use super::bindings::hongbao::plugin::ledger::{self, Host};
use super::bindings::hongbao::plugin::types::Failure as WitFailure;
use super::convert::{amount, wit_failure, wit_status};
use crate::imports::call::{About, Call};
use crate::imports::failure::Failure;
use crate::imports::orders::{Decided, For};
use crate::imports::stores::Stores;
use crate::imports::{Breach, InstanceState, TenantContext};
use hongbao_domain::{
    Audience, ClaimLine, Details, Grant, Limit, Order, Packet, Priority, SendError, Sent, Share, Strategy,
    UserId,
};
use hongbao_store::{Attempt, Claimed, Loaded, Receipt, Recorded, Refusal, StoreError};

/// Why nothing was recorded. The plugin is told that it was not, and may be when other packets have ended.
const TOO_MANY_OPEN: &str = "the tenant has as many open packets as it may";

impl Host for InstanceState {
    async fn record(&mut self, order: ledger::Order) -> Result<ledger::Recorded> {
        self.enter(Grant::Ledger)?;
        if self.call.has_sent() {
            return Err(Breach::Beyond("a second packet").into());
        }
        let order = self.call.about().order(decided(order)?)?;
        let (stores, meter, call) = self.parts();
        let (recorded, is_full) = meter.wait(record(stores, call, order)).await;
        if is_full {
            self.reach(Limit::OpenPackets);
        }
        self.call.sent(sent(&recorded));
        Ok(match recorded {
            Ok(Recorded::Recorded(receipt)) => ledger::Recorded::Recorded(self.receipt(&receipt)),
            Ok(Recorded::Replayed(receipt)) => ledger::Recorded::Replayed(self.receipt(&receipt)),
            Ok(Recorded::KeyReused) => ledger::Recorded::KeyReused,
            Ok(Recorded::InsufficientFunds(held)) => ledger::Recorded::InsufficientFunds(held.get()),
            Err(Refused::Rule(why)) => ledger::Recorded::Refused(why),
            Err(Refused::Store(error)) => ledger::Recorded::Failed(wit_failure(Failure::of_ledger(&error))),
        })
    }

    async fn load(&mut self, packets: Vec<u32>) -> Result<ledger::States> {
        self.enter(Grant::Ledger)?;
        let (stores, meter, call) = self.parts();
        call.check_packets(packets.iter().copied())?;
        let kept = packets.iter().map(|place| Ok(call.packet_mut(*place)?.packet.take()));
        let kept = kept.collect::<Result<Vec<_>, Breach>>()?;
        let loaded = {
            let unknown = packets.iter().zip(&kept).filter(|(_, kept)| kept.is_none());
            let lookups =
                unknown.map(|(place, _)| call.lookup(*place)).collect::<Result<Vec<_>, Breach>>()?;
            let loaded = match lookups.as_slice() {
                [] => Vec::new(),
                asked => meter.wait(stores.load(asked)).await,
            };
            let mut loaded = loaded.into_iter();
            let load = |kept: Option<Packet>| match kept {
                // The claims of its users are known already.
                Some(packet) => Ok(Loaded { packet, claims: Vec::new() }),
                None => loaded.next().unwrap_or(Err(Failure::NotFound)),
            };
            kept.into_iter().map(load).collect::<Vec<_>>()
        };
        let mut states = ledger::States { packets: Vec::with_capacity(packets.len()), users: Vec::new() };
        for (place, loaded) in packets.iter().zip(loaded) {
            if let Ok(loaded) = &loaded {
                call.saw_loaded(*place, loaded);
            }
            let packet = loaded.map(|loaded| loaded.packet);
            standings(call, *place, packet.as_ref().ok(), &mut states.users)?;
            states.packets.push(packet.map(|packet| state(&packet)).map_err(wit_failure));
        }
        Ok(states)
    }

    async fn claim(
        &mut self,
        attempts: Vec<ledger::ClaimAttempt>,
        shares: Vec<ledger::Share>,
    ) -> Result<Vec<ledger::Claimed>> {
        self.enter(Grant::Ledger)?;
        let (stores, meter, call) = self.parts();
        let wanted = wanted(call, &attempts, &shares, stores.context)?;
        let claimed = meter.wait(stores.claim(wanted)).await;
        let (mut rest, mut answers) = (shares.as_slice(), Vec::with_capacity(attempts.len()));
        for (attempt, claimed) in attempts.iter().zip(claimed) {
            let (own, others) = rest.split_at(attempt.shares as usize);
            rest = others;
            answers.push(match claimed {
                Ok(Claimed::Committed(first)) => {
                    for (sequence, share) in (first..).zip(own) {
                        call.claimed(share.user, amount(share.amount)?, sequence);
                    }
                    ledger::Claimed::Committed(first)
                }
                Ok(Claimed::Stale(loaded)) => {
                    call.saw_loaded(attempt.packet, &loaded);
                    keep(call, attempt.packet, own, loaded.packet)?;
                    ledger::Claimed::Stale
                }
                Ok(Claimed::Closed) => ledger::Claimed::Closed,
                Ok(Claimed::Refused(refusal)) => wit_refusal(refusal),
                Err(error) => ledger::Claimed::Failed(wit_failure(Failure::of_ledger(&error))),
            });
        }
        Ok(answers)
    }

    async fn details(
        &mut self,
        packet: u32,
        with_claims: bool,
    ) -> Result<Result<ledger::PacketDetails, WitFailure>> {
        self.enter(Grant::Ledger)?;
        let (stores, meter, call) = self.parts();
        let key = &call.packet(packet)?.key;
        let read = async {
            let packet = stores.load_one(key).await?.packet;
            // A claim may commit between the two reads; the answer stays with what the first one saw.
            let claims = match with_claims {
                true => stores.ledger(stores.context.lists.claims(key, 0, packet.claimed_shares)).await,
                false => Ok(Vec::new()),
            };
            let claims = claims.map_err(|error| Failure::of_ledger(&error))?;
            Ok(Details::of(packet, claims, stores.context.clock.now_ms()))
        };
        Ok(meter.wait(read).await.map(wit_details).map_err(wit_failure))
    }

    async fn recent(&mut self, limit: u32) -> Result<Result<Vec<u32>, WitFailure>> {
        const MOST: u32 = 100;
        self.enter(Grant::Ledger)?;
        let (stores, meter, call) = self.parts();
        let About::Message(message) = call.about() else {
            return Err(Breach::Beyond("a room that the call is not about").into());
        };
        let room = hongbao_domain::Name::new(message.room.as_str()).map_err(Breach::Name)?;
        let (lists, tenant) = (&stores.context.lists, &stores.context.tenant);
        let recent = meter.wait(stores.ledger(lists.recent(tenant, &room, None, limit.min(MOST)))).await;
        let found = recent
            .map(|recent| recent.into_iter().map(|id| call.found(stores.context.key(id))).collect())
            .map_err(|error| wit_failure(Failure::of_ledger(&error)));
        Ok(found)
    }
}

impl InstanceState {
    fn receipt(&mut self, receipt: &Receipt) -> ledger::Receipt {
        let packet = self.call.found(self.context.key(receipt.id));
        ledger::Receipt { packet, expires_at_ms: receipt.expires_at_ms, commitment: None }
    }
}

/// Why an order was not recorded.
enum Refused {
    /// It breaks this rule.
    Rule(String),
    /// The ledger did not do it.
    Store(StoreError),
}

/// Records an order, unless the same was recorded before; and whether that is because the tenant has as many open
/// packets as it may.
async fn record(
    stores: Stores<'_>,
    call: &Call,
    order: Order,
) -> (std::result::Result<Recorded, Refused>, bool) {
    let context = stores.context;
    let rule = context.policy.check(&order).err();
    let rule = rule.or_else(|| context.strategies.as_ref()?.check(&order.strategy).err());
    if let Some(why) = rule {
        return (before(stores, call, &order, Refused::Rule(why)).await, false);
    }
    // Also of a packet that somebody typed, of which the host knows only here.
    let place = match stores.ledger(context.take_room()).await {
        Ok(Some(place)) => place,
        Ok(None) => {
            let full = Refused::Store(StoreError::overloaded(TOO_MANY_OPEN));
            let before = before(stores, call, &order, full).await;
            let is_full = before.is_err();
            return (before, is_full);
        }
        Err(error) => return (Err(Refused::Store(error)), false),
    };
    let (id, now_ms, asked) = (context.new_packet_id(), context.clock.now_ms(), order.clone());
    let recorded = stores.ledger(context.packets.record(&context.tenant, id, order, now_ms)).await;
    // Without an answer it may have been recorded.
    if !matches!(recorded, Ok(Recorded::Recorded(_)) | Err(_)) {
        place.give_back();
    }
    let recorded = match recorded {
        Ok(Recorded::Recorded(receipt)) => {
            stores.start_counter(&context.key(receipt.id), &asked, receipt.expires_at_ms).await;
            Ok(Recorded::Recorded(receipt))
        }
        Ok(Recorded::KeyReused) => match before(stores, call, &asked, Refused::Rule(String::new())).await {
            Err(Refused::Rule(_)) => Ok(Recorded::KeyReused),
            before => before,
        },
        recorded => recorded.map_err(Refused::Store),
    };
    (recorded, false)
}

/// The packet that was recorded under the order's key, if it is what is asked for now: a policy may have
/// changed since then, and with it the defaults of which the plugin made the order.
async fn before(
    stores: Stores<'_>,
    call: &Call,
    order: &Order,
    otherwise: Refused,
) -> std::result::Result<Recorded, Refused> {
    let (lists, tenant) = (&stores.context.lists, &stores.context.tenant);
    let recorded = stores.ledger(lists.recorded(tenant, &order.sender, &order.key)).await;
    match recorded.map_err(Refused::Store)? {
        Some((id, packet)) if call.about().asked_before(order, &packet.order) => {
            Ok(Recorded::Replayed(Receipt { id, expires_at_ms: packet.expires_at_ms }))
        }
        _ => Err(otherwise),
    }
}

/// What users are told of it.
fn sent(recorded: &std::result::Result<Recorded, Refused>) -> std::result::Result<Sent, SendError> {
    match recorded {
        Ok(Recorded::Recorded(receipt)) => Ok(Sent::Sent(receipt.id)),
        Ok(Recorded::Replayed(receipt)) => Ok(Sent::Replayed(receipt.id)),
        Ok(Recorded::KeyReused) => Err(SendError::KeyReused),
        Ok(Recorded::InsufficientFunds(held)) => Err(SendError::InsufficientFunds(*held)),
        Err(Refused::Rule(why)) => Err(SendError::InvalidArgument(why.clone())),
        Err(Refused::Store(error)) => Err(match error {
            StoreError::Refused(why) => SendError::Refused(why.clone()),
            StoreError::Corrupt(what) => SendError::Damaged(what.clone()),
            StoreError::Overloaded(_) => SendError::Busy,
            StoreError::Unavailable(_) => SendError::Unavailable,
        }),
    }
}

fn decided(order: ledger::Order) -> Result<Decided, Breach> {
    Ok(Decided {
        strategy: Strategy::new(order.strategy).map_err(|_| Breach::Beyond("a strategy that is none"))?,
        total: amount(order.total)?,
        shares: order.shares,
        max_share: amount(order.max_share)?,
        audience: match order.audience {
            ledger::Audience::Everyone => For::Everyone,
            ledger::Audience::EveryoneButSender => For::EveryoneButSender,
            ledger::Audience::Only(places) => For::Only(places),
        },
        greeting: order.greeting,
        expires_in_ms: order.expires_in_ms,
    })
}

/// What is claimed of each packet, if the shares are of users of it.
fn wanted(
    call: &Call,
    attempts: &[ledger::ClaimAttempt],
    shares: &[ledger::Share],
    context: &TenantContext,
) -> Result<Vec<Attempt>, Breach> {
    const COUNT: Breach = Breach::Beyond("more or fewer shares than it says");
    call.check_packets(attempts.iter().map(|attempt| attempt.packet))?;
    let (mut rest, mut wanted) = (shares, Vec::with_capacity(attempts.len()));
    for attempt in attempts {
        let (own, others) = rest.split_at_checked(attempt.shares as usize).ok_or(COUNT)?;
        let packet = call.packet(attempt.packet)?;
        call.check_users(packet, own.iter().map(|share| share.user))?;
        let share = |share: &ledger::Share| {
            let amount = amount(share.amount)?;
            let is_large = amount >= context.policy.large_from;
            let priority = if is_large { Priority::Large } else { Priority::Normal };
            let user = call.user(share.user).cloned().ok_or(COUNT)?;
            Ok(Share { user, amount, priority })
        };
        let shares = own.iter().map(share).collect::<Result<_, Breach>>()?;
        wanted.push(Attempt { key: packet.key.clone(), version: attempt.version, shares });
        rest = others;
    }
    if rest.is_empty() { Ok(wanted) } else { Err(COUNT) }
}

/// Keeps what a lost race showed of a packet, if it tells of all its users: whoever had no claim before and was not
/// in the attempt may have one by now, made by another host.
fn keep(call: &mut Call, place: u32, attempted: &[ledger::Share], packet: Packet) -> Result<(), Breach> {
    let users = call.packet(place)?.users.clone();
    let mut attempted = attempted.iter().map(|share| share.user as usize).peekable();
    let is_known = users.clone().all(|user| attempted.next_if_eq(&user).is_some() || call.has_claimed(user));
    if is_known {
        call.packet_mut(place)?.packet = Some(packet);
    }
    Ok(())
}

fn standings(
    call: &Call,
    place: u32,
    packet: Option<&Packet>,
    standings: &mut Vec<ledger::Standing>,
) -> Result<(), Breach> {
    let in_call = call.packet(place)?;
    let standing = |(user, name): (usize, &UserId)| match (packet, call.claim_of(user)) {
        (Some(_), Some((amount, sequence))) => {
            ledger::Standing::Claimed(ledger::OwnShare { amount: amount.get(), sequence })
        }
        (Some(packet), None) if !packet.order.audience.admits(name) => ledger::Standing::NotEligible,
        _ => ledger::Standing::Free,
    };
    standings.extend(in_call.users.clone().zip(call.users_of(in_call)).map(standing));
    Ok(())
}

fn state(packet: &Packet) -> ledger::State {
    ledger::State {
        version: packet.version,
        status: wit_status(packet.status),
        strategy: packet.order.strategy.as_str().to_owned(),
        total: packet.order.total.get(),
        shares: packet.order.shares,
        max_share: packet.order.max_share.get(),
        claimed_amount: packet.claimed_amount.get(),
        claimed_shares: packet.claimed_shares,
        expires_at_ms: packet.expires_at_ms,
    }
}

fn wit_refusal(refusal: Refusal) -> ledger::Claimed {
    ledger::Claimed::Refused(match refusal {
        Refusal::NotFound => return ledger::Claimed::Failed(WitFailure::NotFound),
        Refusal::WrongCount => ledger::Refusal::WrongCount,
        Refusal::ZeroAmount => ledger::Refusal::ZeroAmount,
        Refusal::TooMuch => ledger::Refusal::TooMuch,
        Refusal::Remainder => ledger::Refusal::Remainder,
        Refusal::NotEligible => ledger::Refusal::NotEligible,
        Refusal::Twice => ledger::Refusal::Twice,
    })
}

fn wit_details(details: Details) -> ledger::PacketDetails {
    let Packet { order, status, claimed_amount, claimed_shares, refunded, .. } = details.packet;
    let line = |line: ClaimLine| ledger::ClaimLine {
        user: line.user.into_string(),
        amount: line.amount.get(),
        sequence: line.sequence,
        claimed_at_ms: line.claimed_at_ms,
        best_luck: line.best_luck,
    };
    let to = match &order.audience {
        Audience::Everyone | Audience::EveryoneBut(_) => Vec::new(),
        Audience::Only(users) => users.iter().map(|user| user.as_str().to_owned()).collect(),
    };
    ledger::PacketDetails {
        status: wit_status(status),
        sender: order.sender.into_string(),
        strategy: order.strategy.as_str().to_owned(),
        greeting: order.greeting,
        total: order.total.get(),
        shares: order.shares,
        to,
        claimed_amount: claimed_amount.get(),
        claimed_shares,
        refunded: refunded.get(),
        sent_at_ms: details.packet.sent_at_ms,
        expires_at_ms: details.packet.expires_at_ms,
        claims: details.claims.into_iter().map(line).collect(),
    }
}
