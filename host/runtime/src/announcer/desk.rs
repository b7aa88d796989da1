//! The announcer's queue: which packets wait to be posted, and when each is due.
//!
//! It is bounded. When it is full, the least loss is dropped: first packets that rest and have nothing
//! new, then the oldest progress, then the oldest packet of which nobody knows yet how it stands, and
//! one that is over at the very last.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use hongbao_domain::PacketKey;
use hongbao_store::change_feed::{Change, ChangeKind};

/// How long packets wait.
#[derive(Clone, Copy)]
pub(super) struct Pauses {
    /// Between two events of a packet.
    pub rest: Duration,
    /// Before a change that may have happened is looked at.
    pub doubt: Duration,
    /// Before the second attempt, where a store is away. It doubles up to the last.
    pub first: Duration,
    /// The longest.
    pub last: Duration,
}

/// What is to be told of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Errand {
    /// Whether the room does not know the packet yet.
    pub is_new: bool,
}

/// What would be lost with it, from little to much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It rests, and there is nothing new.
    Nothing,
    /// It goes on.
    Progress,
    /// It may be over.
    Unknown,
    /// It is over, and nothing will ever be said of it again.
    Over,
}

struct Waiting {
    errand: Option<Errand>,
    worth: Worth,
    /// When it is next looked at. None while it is told of.
    due: Option<Instant>,
    /// The pause before this attempt, if there was one before.
    pause: Option<Duration>,
    /// Something may have happened that shows by then.
    doubt: Option<Instant>,
    /// Its place among those that came before and after.
    arrival: u64,
}

pub(super) struct Desk {
    packets: HashMap<PacketKey, Waiting>,
    /// Those that are not told of at the moment, by when they are looked at.
    by_time: BTreeSet<(Instant, PacketKey)>,
    /// The same ones, the least loss first.
    by_worth: BTreeSet<(Worth, u64, PacketKey)>,
    most: usize,
    pauses: Pauses,
    arrivals: u64,
    dropped: u64,
    /// Nobody rests any more.
    is_hurried: bool,
}

impl Desk {
    /// An empty one, for so many packets at most.
    pub(super) fn new(most: usize, pauses: Pauses) -> Self {
        Self {
            packets: HashMap::new(),
            by_time: BTreeSet::new(),
            by_worth: BTreeSet::new(),
            most,
            pauses,
            arrivals: 0,
            dropped: 0,
            is_hurried: false,
        }
    }

    /// How many packets' news were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// When to look again.
    pub(super) fn wakes(&self) -> Option<Instant> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Whether there is nothing to tell, and nothing is being told.
    pub(super) fn is_idle(&self) -> bool {
        self.packets.values().all(|waiting| waiting.due.is_some() && waiting.errand.is_none())
    }

    /// Takes in that a packet changed.
    pub(super) fn hear(&mut self, change: Change, now: Instant) {
        let Change { key, kind, is_certain } = change;
        let is_new = kind == ChangeKind::Recorded;
        let worth = match kind {
            ChangeKind::Recorded => Worth::Progress,
            ChangeKind::Claimed => Worth::Unknown,
            ChangeKind::Closed => Worth::Over,
        };
        let later = now + self.pauses.doubt;
        if let Some(mut waiting) = self.take(&key) {
            if is_certain {
                let was_new = waiting.errand.is_some_and(|errand| errand.is_new);
                waiting.errand = Some(Errand { is_new: is_new || was_new });
                waiting.worth = waiting.worth.max(worth);
            } else if let (Some(due), None) = (waiting.due, waiting.errand) {
                waiting.errand = Some(Errand { is_new });
                waiting.worth = worth;
                waiting.due = Some(due.max(later));
            } else {
                waiting.doubt = Some(later);
            }
            return self.put(key, waiting);
        }
        let due = if is_certain || self.is_hurried { now } else { later };
        let arrival = self.arrivals;
        self.arrivals += 1;
        let errand = Some(Errand { is_new });
        let waiting = Waiting { errand, worth, due: Some(due), pause: None, doubt: None, arrival };
        if self.make_room(worth) {
            self.put(key, waiting);
        } else {
            self.dropped += 1;
        }
    }

    /// A packet that is to be told of now. Until that has ended, it is not given out again.
    pub(super) fn next(&mut self, now: Instant) -> Option<(PacketKey, Errand)> {
        loop {
            let (due, key) = self.by_time.first()?;
            if *due > now {
                return None;
            }
            let key = key.clone();
            let Some(mut waiting) = self.take(&key) else { continue };
            // One that rested long enough is forgotten.
            let Some(errand) = waiting.errand.take() else { continue };
            waiting.due = None;
            self.put(key.clone(), waiting);
            return Some((key, errand));
        }
    }

    /// It was told of; `is_more` where there is more to tell after a rest.
    pub(super) fn told(&mut self, key: &PacketKey, is_more: bool, now: Instant) {
        let Some(mut waiting) = self.take(key) else { return };
        waiting.pause = None;
        let mut due = if self.is_hurried { now } else { now + self.pauses.rest };
        if waiting.errand.is_none() {
            waiting.worth = Worth::Nothing;
            if is_more {
                waiting.errand = Some(Errand { is_new: false });
                waiting.worth = Worth::Unknown;
            } else if let Some(until) = waiting.doubt.take() {
                waiting.errand = Some(Errand { is_new: false });
                waiting.worth = Worth::Unknown;
                due = if self.is_hurried { now } else { due.max(until) };
            }
        }
        waiting.due = Some(due);
        self.put(key.clone(), waiting);
    }

    /// It could not be told of now. `is_over` where that is known by now.
    pub(super) fn put_off(&mut self, key: &PacketKey, errand: Errand, is_over: Option<bool>, now: Instant) {
        let Some(mut waiting) = self.take(key) else { return };
        let is_new = errand.is_new || waiting.errand.is_some_and(|errand| errand.is_new);
        let is_changed = waiting.errand.is_some();
        waiting.errand = Some(Errand { is_new });
        waiting.worth = match is_over {
            Some(true) => Worth::Over,
            // What changed meanwhile may be the end.
            Some(false) if !is_changed => Worth::Progress,
            _ => waiting.worth.max(Worth::Progress),
        };
        let Pauses { first, last, .. } = self.pauses;
        let pause = waiting.pause.map_or(first, |pause| last.min(pause * 2));
        waiting.pause = Some(pause);
        waiting.due = Some(now + pause);
        self.put(key.clone(), waiting);
    }

    /// From now on nobody rests: whatever is to be told, is told as soon as possible.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.is_hurried = true;
        let resting: Vec<PacketKey> = self.by_time.iter().map(|(_, key)| key.clone()).collect();
        for key in resting {
            let Some(mut waiting) = self.take(&key) else { continue };
            if waiting.errand.is_some() {
                waiting.due = Some(now);
                self.put(key, waiting);
            }
        }
    }

    /// Drops whatever is the least loss, if it is full; false where that is what would come in.
    fn make_room(&mut self, worth: Worth) -> bool {
        if self.packets.len() < self.most {
            return true;
        }
        let Some((least, _, key)) = self.by_worth.first().filter(|(least, ..)| *least <= worth) else {
            return false;
        };
        self.dropped += u64::from(*least != Worth::Nothing);
        let key = key.clone();
        self.take(&key).is_some()
    }

    fn take(&mut self, key: &PacketKey) -> Option<Waiting> {
        let (key, waiting) = self.packets.remove_entry(key)?;
        if let Some(due) = waiting.due {
            self.by_worth.remove(&(waiting.worth, waiting.arrival, key.clone()));
            self.by_time.remove(&(due, key));
        }
        Some(waiting)
    }

    fn put(&mut self, key: PacketKey, waiting: Waiting) {
        if let Some(due) = waiting.due {
            self.by_time.insert((due, key.clone()));
            self.by_worth.insert((waiting.worth, waiting.arrival, key.clone()));
        }
        self.packets.insert(key, waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_domain::{PacketId, TenantId};

    const MS: Duration = Duration::from_millis(1);
    const PAUSES: Pauses = Pauses {
        rest: Duration::from_millis(100),
        doubt: Duration::from_millis(1000),
        first: Duration::from_millis(100),
        last: Duration::from_millis(500),
    };

    fn key(number: u128) -> PacketKey {
        PacketKey { tenant: TenantId::default(), packet: PacketId::new(1, number) }
    }

    fn change(number: u128, kind: ChangeKind) -> Change {
        Change { key: key(number), kind, is_certain: true }
    }

    fn claimed(number: u128) -> Change {
        change(number, ChangeKind::Claimed)
    }

    const OLD: Errand = Errand { is_new: false };

    fn given(desk: &mut Desk, now: Instant) -> Option<PacketKey> {
        desk.next(now).map(|(key, _)| key)
    }

    #[test]
    fn the_first_change_is_told_at_once_and_the_next_ones_together_after_a_rest() {
        let (mut desk, start) = (Desk::new(9, PAUSES), Instant::now());
        desk.hear(claimed(1), start);
        assert_eq!(desk.next(start), Some((key(1), OLD)));
        desk.hear(claimed(1), start);
        desk.hear(change(1, ChangeKind::Recorded), start);
        assert_eq!(desk.next(start), None, "while it is told of, it is not given out again");
        desk.told(&key(1), false, start + 5 * MS);
        desk.hear(claimed(1), start + 50 * MS);
        assert_eq!(desk.next(start + 104 * MS), None);
        assert_eq!(desk.wakes(), Some(start + 105 * MS));
        assert_eq!(desk.next(start + 105 * MS), Some((key(1), Errand { is_new: true })));
        desk.told(&key(1), true, start + 105 * MS);
        assert_eq!(desk.next(start + 205 * MS), Some((key(1), OLD)), "there was more");
        desk.told(&key(1), false, start + 205 * MS);
        assert!(desk.is_idle());
        assert_eq!(desk.next(start + 305 * MS), None);
        assert!(desk.packets.is_empty() && desk.by_time.is_empty() && desk.by_worth.is_empty());
    }

    #[test]
    fn what_cannot_be_told_is_tried_again_with_growing_pauses() {
        let (mut desk, mut now) = (Desk::new(9, PAUSES), Instant::now());
        desk.hear(change(1, ChangeKind::Recorded), now);
        for pause in [100, 200, 400, 500, 500] {
            assert_eq!(desk.next(now), Some((key(1), Errand { is_new: true })));
            desk.put_off(&key(1), Errand { is_new: true }, None, now);
            // What happens meanwhile makes it no sooner.
            desk.hear(claimed(1), now);
            assert_eq!(desk.next(now + (pause - 1) * MS), None);
            now += pause * MS;
        }
        assert!(desk.next(now).is_some());
        desk.told(&key(1), false, now);
        desk.hear(claimed(1), now);
        assert!(desk.next(now + 100 * MS).is_some());
        desk.put_off(&key(1), OLD, None, now);
        assert!(desk.next(now + 100 * MS).is_some(), "after a success pauses are short again");
    }

    #[test]
    fn what_may_have_happened_is_looked_at_later() {
        let (mut desk, start) = (Desk::new(9, PAUSES), Instant::now());
        let doubted = Change { is_certain: false, ..claimed(1) };
        desk.hear(doubted.clone(), start);
        assert_eq!(desk.next(start + 999 * MS), None);
        assert_eq!(given(&mut desk, start + 1000 * MS), Some(key(1)));
        desk.hear(doubted, start + 1000 * MS);
        desk.told(&key(1), false, start + 1001 * MS);
        assert_eq!(desk.next(start + 1999 * MS), None);
        assert_eq!(given(&mut desk, start + 2000 * MS), Some(key(1)));
        desk.told(&key(1), false, start + 2000 * MS);
        // While it rests.
        desk.hear(Change { is_certain: false, ..claimed(1) }, start + 2050 * MS);
        assert_eq!(desk.next(start + 3049 * MS), None);
        assert_eq!(given(&mut desk, start + 3050 * MS), Some(key(1)));
    }

    #[test]
    fn the_least_loss_is_dropped_first() {
        let (mut desk, now) = (Desk::new(5, PAUSES), Instant::now());
        // 1 rests, 2 and 3 go on, 4 may be over, 5 is over.
        desk.hear(claimed(1), now);
        desk.next(now);
        desk.told(&key(1), false, now);
        for number in [2, 3] {
            desk.hear(change(number, ChangeKind::Recorded), now);
        }
        desk.hear(claimed(4), now);
        desk.hear(change(5, ChangeKind::Closed), now);
        let mut dropped = Vec::new();
        for number in 6..11 {
            desk.hear(change(number, ChangeKind::Closed), now);
            assert_eq!(desk.packets.len(), 5);
            let is_gone = |number: &u128| !desk.packets.contains_key(&key(*number));
            dropped.push((1..number).filter(is_gone).collect::<Vec<_>>());
        }
        let expected = [vec![1], vec![1, 2], vec![1, 2, 3], vec![1, 2, 3, 4], vec![1, 2, 3, 4, 5]];
        assert_eq!(dropped, expected);
        assert_eq!(desk.dropped(), 4, "what rested is no loss");
        desk.hear(claimed(20), now);
        assert!(!desk.packets.contains_key(&key(20)), "all others are worth more");
        assert_eq!(desk.dropped(), 5);
    }

    #[test]
    fn what_is_known_to_go_on_is_worth_less_than_what_may_be_over() {
        let (mut desk, now) = (Desk::new(2, PAUSES), Instant::now());
        desk.hear(claimed(1), now);
        desk.hear(claimed(2), now + MS);
        assert_eq!(given(&mut desk, now + MS), Some(key(1)));
        assert_eq!(given(&mut desk, now + MS), Some(key(2)));
        desk.put_off(&key(1), OLD, Some(true), now);
        desk.put_off(&key(2), OLD, Some(false), now);
        desk.hear(claimed(3), now);
        assert!(desk.packets.contains_key(&key(1)) && !desk.packets.contains_key(&key(2)));
    }

    #[test]
    fn in_a_hurry_nobody_rests() {
        let (mut desk, now) = (Desk::new(9, PAUSES), Instant::now());
        for number in [1, 2, 3] {
            desk.hear(claimed(number), now);
            desk.next(now);
        }
        desk.told(&key(1), false, now);
        desk.told(&key(2), false, now);
        desk.hear(claimed(2), now);
        desk.hurry(now);
        assert_eq!(given(&mut desk, now), Some(key(2)));
        desk.told(&key(2), true, now);
        desk.told(&key(3), false, now);
        assert!(!desk.is_idle());
        while given(&mut desk, now).is_some() {
            desk.told(&key(2), false, now);
        }
        assert!(desk.is_idle());
    }
}
