//! Users who were told that they may open while the counter could not record it.
//!
//! A call that fails makes a plugin answer "contended, you may open", and no seat says so. Until the
//! lease ends that such a user would have had, the packet's seats are answered as lenient: here at once,
//! since the packet is remembered, and on every other host as soon as a mark in Redis can be written.
//!
//! A claim whose confirmation was refused leaves a counter that is behind the ledger. It is forgotten as
//! soon as that is possible, so that the next grab builds it from the ledger, lenient for one lease.
//!
//! **What bounds it.** So many packets; what does not fit makes this host lenient about all packets, and
//! leaves counters that are behind to their end or to `hongbao reconcile --repair`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hongbao_domain::PacketKey;
use hongbao_store::Lease;

/// So many packets are remembered: some megabytes.
const MOST: usize = 65_536;
/// The least that a promise holds for, where no lease was seen: the length of a lease by default.
const USUAL_LEASE_MS: u64 = 60_000;
/// A mark that ends so much earlier is as good.
const CLOSE_MS: u64 = 1000;

pub(super) struct Promises {
    packets: Mutex<HashMap<PacketKey, Promise>>,
    /// Whether there are any: what every call looks at.
    is_any: AtomicBool,
    /// Until then all packets are lenient, by the callers' time.
    all_until_ms: AtomicU64,
    longest_lease_ms: AtomicU64,
    /// The latest time that a caller told.
    latest_ms: AtomicU64,
    /// When room was made last.
    cleared_ms: AtomicU64,
}

/// What is owed to a packet's users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Promise {
    lenient_until_ms: u64,
    /// Until when Redis says so too.
    marked_until_ms: u64,
    /// Whether the counter is behind the ledger.
    is_behind: bool,
}

/// Something to be done in Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// To forget the counter.
    Forget,
    /// To mark it as lenient.
    Mark(Lease),
}

impl Promises {
    pub(super) fn new() -> Self {
        Self {
            packets: Mutex::default(),
            is_any: AtomicBool::new(false),
            all_until_ms: AtomicU64::new(0),
            longest_lease_ms: AtomicU64::new(USUAL_LEASE_MS),
            latest_ms: AtomicU64::new(0),
            cleared_ms: AtomicU64::new(0),
        }
    }

    fn packets(&self) -> MutexGuard<'_, HashMap<PacketKey, Promise>> {
        // A panic leaves whole promises.
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever was told to open this packet without a seat may do so for the length of the lease.
    pub(super) fn let_through(&self, key: &PacketKey, lease: Lease) {
        self.saw(lease);
        let is_kept = self.change(key, |promise| {
            promise.lenient_until_ms = promise.lenient_until_ms.max(lease.until_ms);
        });
        if !is_kept {
            self.all_until_ms.fetch_max(lease.until_ms, Ordering::Relaxed);
        }
    }

    /// The counter does not know a claim, or the end of its packet.
    pub(super) fn is_behind(&self, key: &PacketKey, now_ms: u64) {
        self.latest_ms.fetch_max(now_ms, Ordering::Relaxed);
        self.change(key, |promise| promise.is_behind = true);
    }

    /// False where there is no room.
    fn change(&self, key: &PacketKey, change: impl FnOnce(&mut Promise)) -> bool {
        let mut packets = self.packets();
        if packets.len() >= MOST && !packets.contains_key(key) {
            // Going over all of them is not for every call.
            let now_ms = self.latest_ms.load(Ordering::Relaxed);
            if self.cleared_ms.swap(now_ms, Ordering::Relaxed) / 1000 != now_ms / 1000 {
                drop_ended(&mut packets, now_ms);
            }
            if packets.len() >= MOST {
                return false;
            }
        }
        change(packets.entry(key.clone()).or_default());
        self.is_any.store(true, Ordering::Release);
        true
    }

    /// A lease, of which the length and the time are remembered.
    pub(super) fn saw(&self, lease: Lease) {
        let length_ms = lease.until_ms.saturating_sub(lease.now_ms);
        if length_ms > self.longest_lease_ms.load(Ordering::Relaxed) {
            self.longest_lease_ms.fetch_max(length_ms, Ordering::Relaxed);
        }
        self.latest_ms.fetch_max(lease.now_ms, Ordering::Relaxed);
    }

    /// Redis is well after it was not. Another host, or this one before a restart, may have promised
    /// what nobody here knows.
    pub(super) fn let_all_through(&self, now_ms: u64) {
        let until_ms = now_ms.saturating_add(self.longest_lease_ms.load(Ordering::Relaxed));
        self.all_until_ms.fetch_max(until_ms, Ordering::Relaxed);
    }

    /// Whether users without a seat are to be let through.
    pub(super) fn is_lenient(&self, key: &PacketKey, now_ms: u64) -> bool {
        if now_ms < self.all_until_ms.load(Ordering::Relaxed) {
            return true;
        }
        self.is_any.load(Ordering::Acquire)
            && self.packets().get(key).is_some_and(|promise| now_ms < promise.lenient_until_ms)
    }

    /// Whether the counter is behind the ledger and to be forgotten.
    pub(super) fn has_to_forget(&self, key: &PacketKey) -> bool {
        self.is_any.load(Ordering::Acquire)
            && self.packets().get(key).is_some_and(|promise| promise.is_behind)
    }

    /// At most so many things to be done in Redis. Promises that have ended are dropped.
    pub(super) fn due(&self, most: usize) -> Vec<(PacketKey, Deed)> {
        if !self.is_any.load(Ordering::Acquire) {
            return Vec::new();
        }
        let now_ms = self.latest_ms.load(Ordering::Relaxed);
        let mut packets = self.packets();
        drop_ended(&mut packets, now_ms);
        self.is_any.store(!packets.is_empty(), Ordering::Release);
        let due = packets.iter().filter_map(|(key, promise)| Some((key.clone(), promise.deed(now_ms)?)));
        due.take(most).collect()
    }

    /// It is done.
    pub(super) fn done(&self, key: &PacketKey, deed: Deed) {
        let mut packets = self.packets();
        let Some(promise) = packets.get_mut(key) else { return };
        match deed {
            // What is built again is lenient, and other hosts see it so.
            Deed::Forget => {
                promise.is_behind = false;
                promise.marked_until_ms = promise.lenient_until_ms;
            }
            Deed::Mark(lease) => promise.marked_until_ms = lease.until_ms,
        }
    }
}

fn drop_ended(packets: &mut HashMap<PacketKey, Promise>, now_ms: u64) {
    packets.retain(|_, promise| promise.is_behind || now_ms < promise.lenient_until_ms);
}

impl Promise {
    fn deed(&self, now_ms: u64) -> Option<Deed> {
        let until_ms = self.lenient_until_ms;
        match self.is_behind {
            true => Some(Deed::Forget),
            false if until_ms <= self.marked_until_ms.saturating_add(CLOSE_MS) => None,
            false => Some(Deed::Mark(Lease { now_ms, until_ms })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_domain::{PacketId, TenantId};

    const NOW: u64 = 1_750_000_000_000;

    fn packet(number: u128) -> PacketKey {
        PacketKey { tenant: TenantId::default(), packet: PacketId::new(NOW, number) }
    }

    fn lease(after_ms: u64, length_ms: u64) -> Lease {
        Lease { now_ms: NOW + after_ms, until_ms: NOW + after_ms + length_ms }
    }

    #[test]
    fn a_promise_holds_for_its_lease_and_for_its_packet() {
        let promises = Promises::new();
        promises.let_through(&packet(1), lease(0, 5000));
        assert!(promises.is_lenient(&packet(1), NOW + 4999));
        assert!(!promises.is_lenient(&packet(1), NOW + 5000));
        assert!(!promises.is_lenient(&packet(2), NOW));
        promises.let_through(&packet(1), lease(100, 1000));
        assert!(promises.is_lenient(&packet(1), NOW + 4999), "a shorter one takes nothing back");
    }

    #[test]
    fn after_a_trouble_everybody_is_let_through_for_the_longest_lease_that_was_seen() {
        let promises = Promises::new();
        promises.let_all_through(NOW);
        assert!(promises.is_lenient(&packet(1), NOW + USUAL_LEASE_MS - 1));
        assert!(!promises.is_lenient(&packet(1), NOW + USUAL_LEASE_MS));
        promises.saw(lease(0, 600_000));
        promises.let_all_through(NOW);
        assert!(promises.is_lenient(&packet(1), NOW + 599_999));
    }

    #[test]
    fn what_is_owed_is_done_once_and_ends_with_its_lease() {
        let promises = Promises::new();
        promises.let_through(&packet(1), lease(0, 5000));
        let mark = Deed::Mark(Lease { now_ms: NOW, until_ms: NOW + 5000 });
        assert_eq!(promises.due(9), [(packet(1), mark)]);
        promises.done(&packet(1), mark);
        assert_eq!(promises.due(9), []);
        promises.let_through(&packet(1), lease(500, 5000));
        assert_eq!(promises.due(9), [], "half a second more is not worth a mark");
        promises.let_through(&packet(1), lease(2000, 5000));
        assert_eq!(promises.due(9).len(), 1);
        promises.is_behind(&packet(1), NOW + 2000);
        assert_eq!(promises.due(9), [(packet(1), Deed::Forget)]);
        promises.done(&packet(1), Deed::Forget);
        assert_eq!(promises.due(9), [], "what is built again is lenient");
        promises.is_behind(&packet(2), NOW + 100_000);
        promises.done(&packet(2), Deed::Forget);
        assert_eq!(promises.due(9), []);
        assert_eq!(promises.packets().len(), 0, "what has ended is dropped");
    }

    #[test]
    fn what_does_not_fit_makes_the_host_lenient_about_all() {
        let promises = Promises::new();
        for number in 0..=MOST as u128 {
            promises.let_through(&packet(number), lease(0, 5000));
        }
        assert_eq!(promises.packets().len(), MOST);
        assert!(promises.is_lenient(&packet(1 << 70), NOW + 4999));
        // Room is made by what has ended.
        promises.let_through(&packet(1 << 71), lease(9000, 5000));
        assert_eq!(promises.packets().len(), 1);
    }
}
