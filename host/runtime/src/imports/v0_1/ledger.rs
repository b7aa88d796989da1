//! `ledger`: the host adds the tenant, the time and the id of a new packet.

use wasmtime::Result;

use super::bindings::hongbao::plugin::ledger::{self, Host};
use super::bindings::hongbao::plugin::types::{self, Error, PacketId};
use super::convert::{
    amount, audience, packet_id, strategy, user, wit_audience, wit_claim, wit_error, wit_packet_id,
    wit_status, wit_strategy,
};
use crate::imports::{Breach, InstanceState};
use hongbao_domain::{Amount, Grant, Limit, Name, Order, Packet, Priority, Share};
use hongbao_store::{Claimed, Closed, Loaded, Receipt, Recorded, Refusal, StoreError};

/// Why nothing was recorded. The plugin is told that it was not, and may be when other packets have ended.
const TOO_MANY_OPEN: &str = "the tenant has as many open packets as it may";

impl Host for InstanceState {
    async fn record(&mut self, order: ledger::Order) -> Result<Result<ledger::Recorded, Error>> {
        self.enter(Grant::Ledger)?;
        let order = self.mandate().accept(self::order(order)?)?;
        if self.witness.has_recorded() {
            return Err(Breach::Beyond("a second packet").into());
        }
        if let Err(why) = self.around.policy.check(&order) {
            let before = self.recorded_before(&order).await;
            return Ok(match before {
                Ok(Some(receipt)) => Ok(wit_recorded(Recorded::Replayed(receipt))),
                Ok(None) => Err(Error::Other(why)),
                Err(error) => Err(self.refused(&error)),
            });
        }
        // Also of a packet that somebody typed, of which the host knows only here.
        let place = match self.asking.ledger(self.around.take_room()).await {
            Ok(Some(place)) => place,
            Ok(None) => {
                return Ok(match self.recorded_before(&order).await {
                    Ok(Some(receipt)) => Ok(wit_recorded(Recorded::Replayed(receipt))),
                    Ok(None) => {
                        self.reach(Limit::OpenPackets);
                        Err(self.refused(&StoreError::overloaded(TOO_MANY_OPEN)))
                    }
                    Err(error) => Err(self.refused(&error)),
                });
            }
            Err(error) => return Ok(Err(self.refused(&error))),
        };
        let asked = order.clone();
        let (id, now_ms) = (self.around.new_packet_id(), self.around.clock.now_ms());
        let recorded =
            self.asking.ledger(self.around.ledger.record(&self.around.tenant, id, order, now_ms)).await;
        let recorded = match recorded {
            Ok(Recorded::KeyReused) => {
                let before = self.recorded_before(&asked).await;
                before.map(|before| before.map_or(Recorded::KeyReused, Recorded::Replayed))
            }
            recorded => recorded,
        };
        // Without an answer it may have been recorded.
        if !matches!(recorded, Ok(Recorded::Recorded(_)) | Err(_)) {
            place.give_back();
        }
        match &recorded {
            Ok(Recorded::Recorded(receipt) | Recorded::Replayed(receipt)) => {
                self.witness.recorded(receipt.id);
            }
            Ok(Recorded::InsufficientFunds(held)) => self.witness.held(*held),
            _ => {}
        }
        Ok(recorded.map(wit_recorded).map_err(|error| self.refused(&error)))
    }

    async fn load(
        &mut self,
        packet: PacketId,
        names: Vec<String>,
    ) -> Result<Result<Option<ledger::Loaded>, Error>> {
        let key = self.enter_packet(Grant::Ledger, packet_id(packet))?;
        let users = self.own(names)?;
        let loaded = self.asking.ledger(self.around.ledger.load(&key, &users)).await;
        if let Ok(Some(loaded)) = &loaded {
            self.saw_loaded(loaded);
        }
        Ok(loaded.map(|loaded| loaded.map(wit_loaded)).map_err(|error| self.refused(&error)))
    }

    async fn claim(
        &mut self,
        packet: PacketId,
        expected_version: u64,
        shares: Vec<ledger::Share>,
    ) -> Result<Result<ledger::Claimed, Error>> {
        let key = self.enter_packet(Grant::Ledger, packet_id(packet))?;
        self.check_count(shares.len())?;
        let mut near = 0;
        let large_from = self.around.policy.large_from;
        let (mut own, mut places) = (Vec::with_capacity(shares.len()), Vec::with_capacity(shares.len()));
        for share in shares {
            let share = self::share(share, large_from)?;
            let place = self.place_of(share.user.as_str(), near)?;
            near = place + 1;
            places.push((place, share.amount));
            own.push(share);
        }
        let now_ms = self.around.clock.now_ms();
        let claimed = self.asking.ledger(self.around.ledger.claim(&key, expected_version, own, now_ms)).await;
        match &claimed {
            Ok(Claimed::Committed(first)) => {
                let claims = (*first..).zip(places);
                claims.for_each(|(sequence, (place, amount))| {
                    self.witness.share(place, amount, Some(sequence))
                });
            }
            Ok(Claimed::Stale(loaded)) => self.saw_loaded(loaded),
            _ => {}
        }
        Ok(claimed.map(wit_claimed).map_err(|error| self.refused(&error)))
    }

    async fn close(
        &mut self,
        packet: PacketId,
        expected_version: u64,
    ) -> Result<Result<ledger::Closed, Error>> {
        let key = self.enter_packet(Grant::Ledger, packet_id(packet))?;
        let closed = self
            .asking
            .ledger(self.around.ledger.close(&key, expected_version, self.around.clock.now_ms()))
            .await;
        if let Ok(Closed::Refunded(amount) | Closed::Already(amount)) = &closed {
            self.witness.refunded(*amount);
        }
        Ok(closed.map(wit_closed).map_err(|error| self.refused(&error)))
    }

    async fn claims(
        &mut self,
        packet: PacketId,
        cursor: u32,
        limit: u32,
    ) -> Result<Result<Vec<types::Claim>, Error>> {
        let key = self.enter_packet(Grant::Ledger, packet_id(packet))?;
        let claims = self.asking.ledger(self.around.ledger.claims(&key, cursor, limit)).await;
        if let Ok(claims) = &claims {
            self.saw_claims(packet_id(packet), claims);
        }
        let claims = claims.map(|claims| claims.into_iter().map(wit_claim).collect());
        Ok(claims.map_err(|error| self.refused(&error)))
    }

    async fn recent(&mut self, room: String, limit: u32) -> Result<Result<Vec<PacketId>, Error>> {
        const MOST: u32 = 100;
        self.enter(Grant::Ledger)?;
        self.mandate().check_room(&room)?;
        let room = Name::new(room).map_err(Breach::Name)?;
        let (ledger, tenant) = (&self.around.ledger, &self.around.tenant);
        let recent = self.asking.ledger(ledger.recent(tenant, &room, None, limit.min(MOST))).await;
        if let Ok(recent) = &recent {
            self.witness.recent(recent);
        }
        let recent = recent.map(|recent| recent.into_iter().map(wit_packet_id).collect());
        Ok(recent.map_err(|error| self.refused(&error)))
    }
}

impl InstanceState {
    /// The packet that was recorded under the order's key, if it is what is asked for now: a policy may have
    /// changed since then, and with it the defaults of which the plugin made the order.
    async fn recorded_before(&mut self, order: &Order) -> Result<Option<Receipt>, StoreError> {
        let (ledger, tenant) = (&self.around.ledger, &self.around.tenant);
        let recorded = ledger.recorded(tenant, &order.sender, &order.key);
        let Some((id, packet)) = self.asking.ledger(recorded).await? else { return Ok(None) };
        if !self.mandate().asked_before(order, &packet.order) {
            return Ok(None);
        }
        self.witness.recorded(id);
        Ok(Some(Receipt { id, expires_at_ms: packet.expires_at_ms }))
    }

    /// What the plugin is told of a ledger's error. The call's witness keeps it: it is no fault of the plugin's.
    fn refused(&mut self, error: &StoreError) -> Error {
        self.witness.failed(error);
        wit_error(error)
    }
}

fn order(order: ledger::Order) -> Result<Order, Breach> {
    Ok(Order {
        key: Name::new(order.key).map_err(Breach::Name)?,
        room: Name::new(order.room).map_err(Breach::Name)?,
        sender: user(order.sender)?,
        strategy: strategy(order.strategy),
        total: amount(order.total)?,
        shares: order.shares,
        audience: audience(order.audience)?,
        greeting: order.greeting,
        expires_in_ms: order.expires_in_ms,
    })
}

/// A claim goes before others only if it is large by the tenant's policy, since the queue of
/// settlement is everybody's.
fn share(share: ledger::Share, large_from: Amount) -> Result<Share, Breach> {
    let (user, amount) = (user(share.user)?, amount(share.amount)?);
    let priority = match share.priority {
        ledger::Priority::Large if amount >= large_from => Priority::Large,
        ledger::Priority::Large | ledger::Priority::Normal => Priority::Normal,
    };
    Ok(Share { user, amount, priority })
}

fn wit_receipt(receipt: Receipt) -> ledger::Receipt {
    ledger::Receipt { id: wit_packet_id(receipt.id), expires_at_ms: receipt.expires_at_ms }
}

fn wit_recorded(recorded: Recorded) -> ledger::Recorded {
    match recorded {
        Recorded::Recorded(receipt) => ledger::Recorded::Recorded(wit_receipt(receipt)),
        Recorded::Replayed(receipt) => ledger::Recorded::Replayed(wit_receipt(receipt)),
        Recorded::KeyReused => ledger::Recorded::KeyReused,
        Recorded::InsufficientFunds(held) => ledger::Recorded::InsufficientFunds(held.get()),
    }
}

fn wit_loaded(loaded: Loaded) -> ledger::Loaded {
    ledger::Loaded {
        packet: wit_packet(loaded.packet),
        claims: loaded.claims.into_iter().map(wit_claim).collect(),
    }
}

fn wit_packet(packet: Packet) -> ledger::Packet {
    let Packet { order, .. } = packet;
    ledger::Packet {
        version: packet.version,
        status: wit_status(packet.status),
        room: order.room.into_string(),
        sender: order.sender.into_string(),
        strategy: wit_strategy(order.strategy),
        total: order.total.get(),
        shares: order.shares,
        audience: wit_audience(&order.audience),
        greeting: order.greeting,
        claimed_amount: packet.claimed_amount.get(),
        claimed_shares: packet.claimed_shares,
        refunded: packet.refunded.get(),
        sent_at_ms: packet.sent_at_ms,
        expires_at_ms: packet.expires_at_ms,
    }
}

fn wit_claimed(claimed: Claimed) -> ledger::Claimed {
    match claimed {
        Claimed::Committed(first) => ledger::Claimed::Committed(first),
        Claimed::Stale(loaded) => ledger::Claimed::Stale(wit_loaded(loaded)),
        Claimed::Closed => ledger::Claimed::Closed,
        Claimed::Refused(refusal) => ledger::Claimed::Refused(wit_refusal(refusal)),
    }
}

fn wit_refusal(refusal: Refusal) -> ledger::Refusal {
    match refusal {
        Refusal::NotFound => ledger::Refusal::NotFound,
        Refusal::WrongCount => ledger::Refusal::WrongCount,
        Refusal::ZeroAmount => ledger::Refusal::ZeroAmount,
        Refusal::TooMuch => ledger::Refusal::TooMuch,
        Refusal::Remainder => ledger::Refusal::Remainder,
        Refusal::NotEligible => ledger::Refusal::NotEligible,
        Refusal::Twice => ledger::Refusal::Twice,
    }
}

fn wit_closed(closed: Closed) -> ledger::Closed {
    match closed {
        Closed::Refunded(amount) => ledger::Closed::Refunded(amount.get()),
        Closed::Already(amount) => ledger::Closed::Already(amount.get()),
        Closed::NotDue => ledger::Closed::NotDue,
        Closed::Stale => ledger::Closed::Stale,
        Closed::NotFound => ledger::Closed::NotFound,
    }
}
