//! Grab: a compare-and-swap loop on the counter. Nothing here asks the ledger, unless the
//! counter is missing and has to be built again.
//!
//! Round trips: `load` and `swap`; one more `swap` for each race that is lost.
//!
//! A cache that is away lets callers through, since the ledger can decide alone. A cache that is
//! overloaded does not: what it cannot carry must not fall on the ledger, so callers are told `busy`.

use crate::bindings::exports::hongbao::plugin::packets::Grabbed;
use crate::bindings::hongbao::plugin::counter::{Seat, Swapped, View};
use crate::bindings::hongbao::plugin::types::{Error, PacketId, UserId};
use crate::cache::{Rebuilt, is_eligible, rebuild};
use crate::host::Counter;
use crate::{Host, MAX_TRIES};

/// Takes a seat for each user who may have one. Answers in the order of `users`.
pub fn grab(host: &impl Host, packet: PacketId, users: &[UserId]) -> Vec<Grabbed> {
    let everyone = |answer: Grabbed| vec![answer; users.len()];
    if users.is_empty() {
        return Vec::new();
    }
    let mut known: Option<View> = None;
    for attempt in 0..MAX_TRIES {
        let loaded = match known.take() {
            Some(view) => Some(view),
            None => match host.counter().load(packet, users) {
                Ok(loaded) => loaded,
                Err(error) => return everyone(without_cache(&error)),
            },
        };
        let Some(view) = loaded else {
            match rebuild(host, packet) {
                Rebuilt::Ready => continue,
                Rebuilt::NotFound => return everyone(Grabbed::NotFound),
                Rebuilt::Busy => return everyone(Grabbed::Busy),
                Rebuilt::LedgerAway => return everyone(Grabbed::Unavailable),
                Rebuilt::CounterAway => return everyone(Grabbed::Contended),
            }
        };
        // Two taps of one user in one batch are rare, and the counter refuses them: they are
        // looked for only after a refusal, and where slots have run out, since then the second tap is
        // not among those that the counter sees.
        let decision = decide(&view, users, host.now_ms(), attempt > 0);
        match take(host, packet, view.version, users, &decision) {
            Ok(Swapped::Won(_)) => return decision.answers,
            // What the refusal says is of use only if it is about the same users.
            Ok(Swapped::Stale(view)) if decision.seats == users.len() => known = Some(view),
            Ok(Swapped::Stale(_) | Swapped::Missing) => {}
            Err(error) => return unseated(decision.answers, &without_cache(&error)),
        }
    }
    give_up(host, packet, users)
}

/// An answer for each user, true if the swap for the admitted ones is won.
struct Decision {
    answers: Vec<Grabbed>,
    /// How many are admitted.
    seats: usize,
}

fn decide(view: &View, users: &[UserId], now_ms: u64, look_for_twins: bool) -> Decision {
    let mut holders = view.holders.iter().peekable();
    let mut seats = 0;
    // Where nobody was admitted there is no twin of theirs.
    let is_out = |seats: usize| seats > 0 && seats >= view.slots as usize;
    let mut answers: Vec<Grabbed> = Vec::with_capacity(users.len());
    for (index, user) in users.iter().enumerate() {
        let seat = holders.next_if(|holder| holder.index as usize == index);
        let answer = match seat.map(|holder| &holder.seat) {
            _ if !is_eligible(&view.card.audience, user) => Grabbed::NotEligible,
            Some(Seat::Opened(amount)) => Grabbed::AlreadyOpened(*amount),
            _ if view.finished => Grabbed::Exhausted,
            _ if now_ms >= view.card.expires_at_ms => Grabbed::Expired,
            Some(Seat::Leased) => Grabbed::AlreadyGrabbed,
            None if (look_for_twins || is_out(seats)) && is_admitted(users, &answers, user) => {
                Grabbed::AlreadyGrabbed
            }
            None if seats < view.slots as usize => {
                seats += 1;
                Grabbed::Admitted
            }
            None => Grabbed::Exhausted,
        };
        answers.push(answer);
    }
    Decision { answers, seats }
}

fn is_admitted(users: &[UserId], answers: &[Grabbed], user: &UserId) -> bool {
    users.iter().zip(answers).any(|(other, answer)| matches!(answer, Grabbed::Admitted) && other == user)
}

fn take(
    host: &impl Host,
    packet: PacketId,
    version: u64,
    users: &[UserId],
    decision: &Decision,
) -> Result<Swapped, crate::bindings::hongbao::plugin::types::Error> {
    if decision.seats == 0 {
        return Ok(Swapped::Won(0));
    }
    if decision.seats == users.len() {
        return host.counter().swap(packet, version, users);
    }
    host.counter().swap(packet, version, &admitted(users, &decision.answers))
}

fn admitted(users: &[UserId], answers: &[Grabbed]) -> Vec<UserId> {
    let pairs = users.iter().zip(answers);
    pairs.filter(|(_, answer)| matches!(answer, Grabbed::Admitted)).map(|(user, _)| user.clone()).collect()
}

/// What becomes of users whom the cache could seat and did not: they may go on to open, and the ledger
/// decides, unless there is too much to do already.
fn without_cache(error: &Error) -> Grabbed {
    match error {
        Error::Busy => Grabbed::Busy,
        _ => Grabbed::Contended,
    }
}

/// The answers where those who would have been admitted get this one.
fn unseated(mut answers: Vec<Grabbed>, instead: &Grabbed) -> Vec<Grabbed> {
    for answer in &mut answers {
        if matches!(answer, Grabbed::Admitted) {
            *answer = *instead;
        }
    }
    answers
}

/// After too many lost races: seats without slots, and the ledger will decide.
fn give_up(host: &impl Host, packet: PacketId, users: &[UserId]) -> Vec<Grabbed> {
    let view = match host.counter().load(packet, users) {
        Ok(Some(view)) => view,
        Ok(None) => return vec![Grabbed::Contended; users.len()],
        Err(error) => return vec![without_cache(&error); users.len()],
    };
    let answers = decide(&view, users, host.now_ms(), true).answers;
    // If the cache is away by now, `open` finds it so too, and is lenient.
    let seated = host.counter().admit(packet, &admitted(users, &answers));
    let instead = seated.map_or_else(|error| without_cache(&error), |()| Grabbed::Contended);
    unseated(answers, &instead)
}
