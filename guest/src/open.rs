//! Open: the amount is drawn here, and the ledger makes it true.
//!
//! Round trips: `seats`, `load`, `claim`, `confirm`. When the ledger has moved on since `load`
//! it says how it stands now, and the amounts are drawn again from that.
//!
//! "Exhausted" is for ever, so it is said only of a packet that is finished for sure, to somebody
//! who has no claim on it for sure: the same user may be opening through another host.

use crate::allocation::{Remaining, Rule};
use crate::bindings::exports::hongbao::plugin::packets::{Opened, OpenedShare};
use crate::bindings::hongbao::plugin::counter::OpenedSeat;
use crate::bindings::hongbao::plugin::ledger::{Claimed, Loaded, Packet, Priority, Share};
use crate::bindings::hongbao::plugin::log::Level;
use crate::bindings::hongbao::plugin::policy::Limits;
use crate::bindings::hongbao::plugin::types::{Claim, Error, PacketId, Status, Strategy, UserId};
use crate::cache::{Rebuilt, is_eligible, rebuild};
use crate::draws::Draws;
use crate::host::{Counter, Ledger};
use crate::{Host, MAX_TRIES};

/// Claims a share for each user who may have one. Answers in the order of `users`.
pub fn open(host: &impl Host, packet: PacketId, users: &[UserId]) -> Vec<Opened> {
    if users.is_empty() {
        return Vec::new();
    }
    let seated = match seated(host, packet, users) {
        Ok(seated) => seated,
        Err(answer) => return vec![answer; users.len()],
    };
    let mut loaded = match host.ledger().load(packet, users) {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return vec![Opened::NotFound; users.len()],
        Err(error) => return vec![undecided(&error); users.len()],
    };
    let limits = host.limits();
    let mut draws = Draws::new(host, draws_expected(&loaded.packet, users.len()));
    for _ in 0..MAX_TRIES {
        let plan = Plan::make(&loaded, users, &seated, host.now_ms(), &limits, &mut draws);
        if plan.shares.is_empty() {
            return plan.answers;
        }
        match host.ledger().claim(packet, loaded.packet.version, &plan.shares) {
            Ok(Claimed::Committed(first)) => return plan.committed(host, packet, first),
            Ok(Claimed::Stale(now)) => match catch_up(host, packet, users, &plan, loaded.claims, now) {
                Ok(now) => loaded = now,
                Err(answer) => return plan.undone(&answer),
            },
            Ok(Claimed::Closed) => loaded.packet.status = Status::Expired,
            Ok(Claimed::Refused(why)) => {
                host.log(Level::Error, &format!("the ledger refused a claim: {why:?}"));
                return plan.undone(&Opened::Unavailable);
            }
            Err(error) => return plan.undone(&undecided(&error)),
        }
    }
    Plan::make(&loaded, users, &seated, host.now_ms(), &limits, &mut draws).undone(&Opened::Busy)
}

/// The answer of somebody for whom the ledger has not decided.
fn undecided(error: &Error) -> Opened {
    match error {
        Error::Busy => Opened::Busy,
        _ => Opened::Unavailable,
    }
}

/// Which users the cache lets through; or the answer for all of them. A cache that is away lets
/// everybody through. One that is overloaded does not: the ledger must not get its load just then.
fn seated(host: &impl Host, packet: PacketId, users: &[UserId]) -> Result<Vec<bool>, Opened> {
    let everyone = vec![true; users.len()];
    match host.counter().seats(packet, users) {
        Ok(Some(seating)) if seating.lenient => Ok(everyone),
        Ok(Some(seating)) => {
            let mut seated = vec![false; users.len()];
            for holder in seating.holders {
                if let Some(seat) = seated.get_mut(holder.index as usize) {
                    *seat = true;
                }
            }
            Ok(seated)
        }
        // A counter that was just built again knows no seats that were taken before.
        Ok(None) => match rebuild(host, packet) {
            Rebuilt::Ready | Rebuilt::CounterAway => Ok(everyone),
            Rebuilt::NotFound => Err(Opened::NotFound),
            Rebuilt::Busy => Err(Opened::Busy),
            Rebuilt::LedgerAway => Err(Opened::Unavailable),
        },
        Err(Error::Busy) => Err(Opened::Busy),
        Err(_) => Ok(everyone),
    }
}

/// Random numbers that a batch will need, not counting the rare rejected ones.
fn draws_expected(packet: &Packet, users: usize) -> u32 {
    let left = packet.shares.saturating_sub(packet.claimed_shares);
    let opens = left.min(u32::try_from(users).unwrap_or(u32::MAX));
    match packet.strategy {
        Strategy::Equal => 0,
        Strategy::LineCut => opens.saturating_mul(left),
        Strategy::DoubleAverage | Strategy::WechatObserved => opens,
    }
}

/// How the ledger stands after a refusal, for all users; or the answer where it does not say.
///
/// A refusal tells only of the users who were in it. Whoever had no claim before and was not in it
/// may have one by now, made by another host.
fn catch_up(
    host: &impl Host,
    packet: PacketId,
    users: &[UserId],
    plan: &Plan,
    claims: Vec<Claim>,
    now: Loaded,
) -> Result<Loaded, Opened> {
    let is_told_of = |user: &UserId| {
        claims.iter().any(|claim| &claim.user == user) || plan.shares.iter().any(|share| &share.user == user)
    };
    if users.iter().all(is_told_of) {
        return Ok(merge(claims, now));
    }
    match host.ledger().load(packet, users) {
        Ok(Some(loaded)) => Ok(loaded),
        Ok(None) => Err(Opened::Unavailable),
        Err(error) => Err(undecided(&error)),
    }
}

/// Claims that were known stay known.
fn merge(mut claims: Vec<Claim>, now: Loaded) -> Loaded {
    let news = now.claims.into_iter();
    let unknown: Vec<Claim> = news.filter(|new| claims.iter().all(|old| old.user != new.user)).collect();
    claims.extend(unknown);
    Loaded { packet: now.packet, claims }
}

/// What to ask the ledger, and the answers that are true if it agrees.
struct Plan {
    answers: Vec<Opened>,
    shares: Vec<Share>,
    /// For each share, the index of its user.
    indices: Vec<usize>,
    /// Whose answers are true only if the ledger agrees: those who take a share, and those for whom
    /// none is left then.
    waiting: Vec<usize>,
    /// Later taps of a user who has a share in this plan: (index, index in `shares`).
    twins: Vec<(usize, usize)>,
}

impl Plan {
    fn make<H: Host>(
        loaded: &Loaded,
        users: &[UserId],
        seated: &[bool],
        now_ms: u64,
        limits: &Limits,
        draws: &mut Draws<H>,
    ) -> Self {
        let Loaded { packet, claims } = loaded;
        let rule = Rule {
            strategy: packet.strategy,
            total: packet.total,
            shares: packet.shares,
            max_share: limits.max_share,
        };
        let mut left = Remaining {
            amount: packet.total.saturating_sub(packet.claimed_amount),
            shares: packet.shares.saturating_sub(packet.claimed_shares),
        };
        let mut plan = Self {
            answers: Vec::new(),
            shares: Vec::new(),
            indices: Vec::new(),
            waiting: Vec::new(),
            twins: Vec::new(),
        };
        for (index, (user, seated)) in users.iter().zip(seated).enumerate() {
            if let Some(answer) = settled(packet, claims, user, *seated, now_ms) {
                plan.answers.push(answer);
                continue;
            }
            // Whoever reaches this place takes a share; its answer is known once it is committed.
            plan.answers.push(Opened::Exhausted);
            plan.waiting.push(index);
            if let Some(twin) = plan.shares.iter().position(|share| &share.user == user) {
                plan.twins.push((index, twin));
            } else if left.shares > 0 {
                let amount = rule.draw(left, draws);
                left = Remaining { amount: left.amount - amount, shares: left.shares - 1 };
                let priority = if amount >= limits.large_from { Priority::Large } else { Priority::Normal };
                plan.shares.push(Share { user: user.clone(), amount, priority });
                plan.indices.push(index);
            }
        }
        plan
    }

    /// The answers now that the ledger has the claims.
    fn committed(mut self, host: &impl Host, packet: PacketId, first: u32) -> Vec<Opened> {
        let numbered = |index: usize, share: &Share| OpenedShare {
            amount: share.amount,
            sequence: first.saturating_add(index as u32),
        };
        for (place, share) in self.shares.iter().enumerate() {
            if let Some(answer) = self.indices.get(place).and_then(|index| self.answers.get_mut(*index)) {
                *answer = Opened::Opened(numbered(place, share));
            }
        }
        for (index, place) in &self.twins {
            if let (Some(answer), Some(share)) = (self.answers.get_mut(*index), self.shares.get(*place)) {
                *answer = Opened::AlreadyOpened(numbered(*place, share));
            }
        }
        let seats =
            self.shares.into_iter().map(|share| OpenedSeat { user: share.user, amount: share.amount });
        // Lost, a confirmation costs one needless admission; the claim stands in the ledger.
        let _ = host.counter().confirm(packet, &seats.collect::<Vec<_>>());
        self.answers
    }

    /// The answers when nothing is known to be committed.
    fn undone(mut self, answer: &Opened) -> Vec<Opened> {
        for index in &self.waiting {
            if let Some(slot) = self.answers.get_mut(*index) {
                *slot = *answer;
            }
        }
        self.answers
    }
}

/// The answer of a user who cannot take a share now, and None for one who can.
fn settled(packet: &Packet, claims: &[Claim], user: &str, seated: bool, now_ms: u64) -> Option<Opened> {
    if let Some(claim) = claims.iter().find(|claim| claim.user == user) {
        let Claim { amount, sequence, .. } = *claim;
        return Some(Opened::AlreadyOpened(OpenedShare { amount, sequence }));
    }
    let finished = packet.status == Status::Finished;
    if !finished && (packet.status == Status::Expired || now_ms >= packet.expires_at_ms) {
        return Some(Opened::Expired);
    }
    if !seated || !is_eligible(&packet.audience, user) {
        return Some(Opened::NotGrabbed);
    }
    finished.then_some(Opened::Exhausted)
}
