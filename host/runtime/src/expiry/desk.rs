//! The refund queue: a place for each tenant, scheduled round-robin.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use hongbao_domain::{PacketId, PacketKey, TenantId};
use hongbao_store::Due;

/// Refunds of one tenant, and of all of them, that are under way at one time.
const MOST_OF_ONE: usize = 4;
const MOST: usize = 256;
/// Packets of one tenant on the desk. More are found by a later look.
const MOST_WAITING: usize = 1000;
/// Packets of one tenant whose failures are remembered. Others are tried at each look that finds them.
const MOST_FAILED: usize = 10_000;

/// After a failure a packet is left alone for so long; twice as long after the next, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The host's clock, and the machine's. A pause is over when it is by one of them: the host's may leap or
/// stand still.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) ms: u64,
    pub(super) at: Instant,
}

/// The desk.
#[derive(Default)]
pub(super) struct Desk {
    places: HashMap<TenantId, Place>,
    /// Tenants with packets that wait, the next first.
    order: VecDeque<TenantId>,
    under_way: usize,
}

#[derive(Default)]
struct Place {
    waiting: VecDeque<Due>,
    /// Those that wait, and those that are under way.
    here: HashSet<PacketId>,
    under_way: usize,
    failed: HashMap<PacketId, Failed>,
}

#[derive(Clone, Copy)]
struct Failed {
    pause: Duration,
    since: Now,
    /// When a look last found it due.
    seen: Instant,
}

impl Failed {
    fn is_over(&self, now: Now) -> bool {
        let ms = u64::try_from(self.pause.as_millis()).unwrap_or(u64::MAX);
        now.at.saturating_duration_since(self.since.at) >= self.pause
            || now.ms >= self.since.ms.saturating_add(ms)
    }

    /// Nobody has tried it for long: it was refunded by somebody else.
    fn is_old(&self, now: Now) -> bool {
        now.at.saturating_duration_since(self.since.at) >= 10 * LONGEST_PAUSE
    }
}

impl Desk {
    /// Puts a packet into its tenant's place, unless it is there, failed a moment ago, or there is no room.
    pub(super) fn put(&mut self, due: Due, now: Now) {
        let place = self.places.entry(due.key.tenant.clone()).or_default();
        let packet = due.key.packet;
        let rests = place.failed.get_mut(&packet).is_some_and(|failed| {
            failed.seen = now.at;
            !failed.is_over(now)
        });
        if rests || place.here.len() >= MOST_WAITING || !place.here.insert(packet) {
            return;
        }
        if place.waiting.is_empty() {
            self.order.push_back(due.key.tenant.clone());
        }
        place.waiting.push_back(due);
    }

    /// What is to be refunded now: tenants take turns, and none has more than its part under way.
    pub(super) fn next(&mut self) -> Option<Due> {
        if self.under_way >= MOST {
            return None;
        }
        for _ in 0..self.order.len() {
            let tenant = self.order.pop_front()?;
            let Some(place) = self.places.get_mut(&tenant) else { continue };
            if place.under_way >= MOST_OF_ONE {
                self.order.push_back(tenant);
                continue;
            }
            let Some(due) = place.waiting.pop_front() else { continue };
            place.under_way += 1;
            self.under_way += 1;
            if !place.waiting.is_empty() {
                self.order.push_back(tenant);
            }
            return Some(due);
        }
        None
    }

    /// A refund that was given out has ended: what was not refunded rests for a while.
    pub(super) fn done(&mut self, key: &PacketKey, is_refunded: bool, now: Now) {
        let Some(place) = self.places.get_mut(&key.tenant) else { return };
        if !place.here.remove(&key.packet) {
            return;
        }
        place.under_way -= 1;
        self.under_way -= 1;
        let before = place.failed.remove(&key.packet);
        if !is_refunded && place.failed.len() < MOST_FAILED {
            let pause = before.map_or(FIRST_PAUSE, |failed| (failed.pause * 2).min(LONGEST_PAUSE));
            place.failed.insert(key.packet, Failed { pause, since: now, seen: now.at });
        }
    }

    /// Packets whose refund failed, and is tried again.
    pub(super) fn failing(&self) -> usize {
        self.places.values().map(|place| place.failed.len()).sum()
    }

    /// Forgets what is over. A look at all that is due, at this time, has seen what is not.
    pub(super) fn forget(&mut self, now: Now, was_all: bool) {
        self.places.retain(|_, place| {
            place.failed.retain(|_, failed| !failed.is_old(now) && (failed.seen >= now.at || !was_all));
            !place.here.is_empty() || !place.failed.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(tenant: &str, number: u8) -> Due {
        let packet = PacketId::from_bytes([number; 16]);
        Due { expires_at_ms: 7, key: PacketKey { tenant: TenantId::new(tenant).unwrap(), packet } }
    }

    fn now() -> Now {
        Now { ms: 1_000_000, at: Instant::now() }
    }

    fn later(now: Now, seconds: u64) -> Now {
        Now { ms: now.ms, at: now.at + Duration::from_secs(seconds) }
    }

    fn given(desk: &mut Desk) -> Vec<(String, u8)> {
        std::iter::from_fn(|| desk.next())
            .map(|due| (due.key.tenant.as_str().to_owned(), due.key.packet.to_bytes()[0]))
            .collect()
    }

    #[test]
    fn a_tenant_with_many_packets_leaves_room_for_others() {
        let (mut desk, now) = (Desk::default(), now());
        (0..100).for_each(|number| desk.put(due("slow", number), now));
        desk.put(due("quick", 1), now);
        let first = given(&mut desk);
        assert_eq!(first.len(), MOST_OF_ONE + 1);
        assert_eq!(first[1], ("quick".into(), 1));
        desk.put(due("quick", 2), now);
        assert_eq!(given(&mut desk), [("quick".into(), 2)]);
        desk.done(&due("slow", 0).key, true, now);
        assert_eq!(given(&mut desk), [("slow".into(), 4)]);
    }

    #[test]
    fn a_packet_is_there_once() {
        let (mut desk, now) = (Desk::default(), now());
        desk.put(due("a", 1), now);
        desk.put(due("a", 1), now);
        assert_eq!(given(&mut desk).len(), 1);
        desk.put(due("a", 1), now);
        assert!(given(&mut desk).is_empty(), "it is under way");
    }

    #[test]
    fn what_fails_rests_longer_each_time_and_not_beyond_a_minute() {
        let (mut desk, mut now) = (Desk::default(), now());
        let key = due("a", 1).key;
        for pause in [1, 2, 4, 8, 16, 32, 60, 60] {
            desk.put(due("a", 1), now);
            assert_eq!(given(&mut desk).len(), 1);
            desk.done(&key, false, now);
            assert_eq!(desk.failing(), 1);
            desk.put(due("a", 1), later(now, pause - 1));
            assert!(given(&mut desk).is_empty(), "{pause}");
            now = later(now, pause);
        }
        let leapt = Now { ms: now.ms + 60_000, ..now };
        desk.put(due("a", 1), leapt);
        desk.next().unwrap();
        desk.done(&key, true, leapt);
        assert_eq!(desk.failing(), 0);
        desk.forget(leapt, true);
        assert!(desk.places.is_empty());
    }

    #[test]
    fn what_somebody_else_refunded_is_forgotten_by_the_next_look_at_all() {
        let (mut desk, now) = (Desk::default(), now());
        for number in [1, 2] {
            desk.put(due("a", number), now);
            desk.next().unwrap();
            desk.done(&due("a", number).key, false, now);
        }
        let look = later(now, 1);
        desk.put(due("a", 2), look);
        desk.forget(look, false);
        assert_eq!(desk.failing(), 2, "it may have been past what was looked at");
        desk.forget(look, true);
        assert_eq!(desk.failing(), 1);
    }

    #[test]
    fn what_is_remembered_has_bounds() {
        let (mut desk, now) = (Desk::default(), now());
        for number in 0..5_000_u128 {
            let key =
                PacketKey { packet: PacketId::from_bytes(number.to_be_bytes()), tenant: TenantId::default() };
            desk.put(Due { key, expires_at_ms: 7 }, now);
        }
        assert_eq!(desk.places[&TenantId::default()].waiting.len(), MOST_WAITING);
        assert_eq!(desk.order.len(), 1);
    }
}
