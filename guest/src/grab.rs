//! Grab: a compare-and-swap loop on the counters. Nothing here asks the ledger.
//!
//! Round trips: `load` and `swap`; one more `swap` for each race that is lost.
//!
//! A cache that is away lets callers through, since the ledger can decide alone. A cache that is
//! overloaded does not: what it cannot carry must not fall on the ledger, so callers are told `busy`.

use crate::bindings::exports::hongbao::plugin::packets::{Grabbed, Task};
use crate::bindings::hongbao::plugin::counter::{Attempt, Group, Seat, Swapped, View};
use crate::bindings::hongbao::plugin::types::{Failure, PacketIndex, UserIndex};
use crate::host::Counter;
use crate::tasks::Tasks;
use crate::{Host, MAX_TRIES};

/// Takes a seat for each user who may have one. Answers in the order of the tasks and their users.
pub fn grab(host: &impl Host, tasks: &[Task]) -> Vec<Grabbed> {
    let tasks = Tasks::of(tasks);
    let mut answers = vec![Grabbed::Contended; tasks.users()];
    let mut packets = tasks.packets();
    for _ in 0..MAX_TRIES {
        packets = seat(host, &tasks, &packets, &mut answers);
        if packets.is_empty() {
            return answers;
        }
    }
    give_up(host, &tasks, &packets, &mut answers);
    answers
}

/// Answers the users of these packets, and seats those who are admitted. Gives the packets at which somebody
/// else was faster.
fn seat(
    host: &impl Host,
    tasks: &Tasks,
    packets: &[PacketIndex],
    answers: &mut [Grabbed],
) -> Vec<PacketIndex> {
    let (attempts, users) = decide(host, tasks, packets, answers);
    if attempts.is_empty() {
        return Vec::new();
    }
    let swapped = host.counter().swap(&attempts, &users);
    let mut stale = Vec::new();
    for (attempt, swapped) in attempts.iter().zip(&swapped) {
        match swapped {
            Ok(Swapped::Won) => {}
            Ok(Swapped::Stale) => stale.push(attempt.packet),
            Err(failure) => unseat(tasks, attempt.packet, answers, unseen(failure)),
        }
    }
    stale
}

/// Answers the users of these packets as their counters stand; gives for whom seats have to be taken.
fn decide(
    host: &impl Host,
    tasks: &Tasks,
    packets: &[PacketIndex],
    answers: &mut [Grabbed],
) -> (Vec<Attempt>, Vec<UserIndex>) {
    let (views, now_ms) = (host.counter().load(packets), host.now_ms());
    let mut seats = views.seats.iter();
    let (mut attempts, mut admitted) = (Vec::with_capacity(packets.len()), Vec::with_capacity(answers.len()));
    for (packet, view) in packets.iter().zip(&views.packets) {
        let (users, before) = (tasks.users_of(*packet), admitted.len());
        let first = users.start;
        let answers = answers.get_mut(users).unwrap_or_default();
        for (place, (answer, seat)) in (first..).zip(answers.iter_mut().zip(seats.by_ref())) {
            *answer = match view {
                Ok(view) => one(view, *seat, admitted.len() - before, now_ms),
                Err(failure) => unseen(failure),
            };
            if *answer == Grabbed::Admitted {
                admitted.push(place as UserIndex);
            }
        }
        if let (Ok(view), users @ 1..) = (view, admitted.len() - before) {
            attempts.push(Attempt { packet: *packet, version: view.version, users: users as u32 });
        }
    }
    (attempts, admitted)
}

/// The answer of a user with this seat, where so many were admitted before.
fn one(view: &View, seat: Seat, admitted: usize, now_ms: u64) -> Grabbed {
    match seat {
        Seat::NotEligible => Grabbed::NotEligible,
        Seat::Opened => Grabbed::AlreadyOpened,
        _ if view.finished => Grabbed::Exhausted,
        _ if now_ms >= view.expires_at_ms => Grabbed::Expired,
        Seat::Leased => Grabbed::AlreadyGrabbed,
        Seat::None if admitted < view.slots as usize => Grabbed::Admitted,
        Seat::None => Grabbed::Exhausted,
    }
}

/// What becomes of users whom the cache could seat and did not: they may go on to open, and the ledger
/// decides, unless there is too much to do already.
fn unseen(failure: &Failure) -> Grabbed {
    match failure {
        Failure::NotFound => Grabbed::NotFound,
        Failure::Busy => Grabbed::Busy,
        Failure::Unavailable => Grabbed::Unavailable,
        Failure::CacheAway | Failure::Other(_) => Grabbed::Contended,
    }
}

/// Those who would have been admitted get this answer.
fn unseat(tasks: &Tasks, packet: PacketIndex, answers: &mut [Grabbed], instead: Grabbed) {
    for answer in answers.get_mut(tasks.users_of(packet)).unwrap_or_default() {
        if *answer == Grabbed::Admitted {
            *answer = instead;
        }
    }
}

/// After too many lost races: seats without slots, and the ledger will decide.
fn give_up(host: &impl Host, tasks: &Tasks, packets: &[PacketIndex], answers: &mut [Grabbed]) {
    let (attempts, users) = decide(host, tasks, packets, answers);
    let group = |attempt: &Attempt| Group { packet: attempt.packet, users: attempt.users };
    let groups: Vec<_> = attempts.iter().map(group).collect();
    if groups.is_empty() {
        return;
    }
    // If the cache is away by now, `open` finds it so too, and is lenient.
    for (group, admitted) in groups.iter().zip(host.counter().admit(&groups, &users)) {
        let instead = admitted.map_or_else(|failure| unseen(&failure), |()| Grabbed::Contended);
        unseat(tasks, group.packet, answers, instead);
    }
}
