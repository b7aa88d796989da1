//! The quota of open packets of a tenant, which needs no count for each send.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hongbao_domain::TenantId;
use hongbao_store::{PacketLists, StoreError};

/// After so long the ledger is asked again, since packets end and other hosts send.
const FRESH_MS: u64 = 60_000;
/// The same where there was no room: a packet that ends makes some.
const FULL_FOR_MS: u64 = 5_000;
/// The part of the room that is sent by this host alone before the ledger is asked again: other hosts
/// fill the same room meanwhile.
const PART: u64 = 8;
/// Longest count. A ledger that does not answer is no reason to refuse a packet for want of room: whether it
/// can be recorded is for the ledger to say, and the count is tried again a moment later.
const COUNT_TIME: Duration = Duration::from_secs(2);
const COUNT_AGAIN_MS: u64 = 1_000;
/// Packets of one question to the ledger.
const AT_ONCE: u32 = 4096;

/// The open packets of one tenant, as far as this host knows. It is counted now and then, and between two
/// counts what this host sends is added, also what it is just sending. So none of several hosts sends more than the
/// quota, and together they may pass it by what they send before they count again.
#[derive(Default)]
pub(crate) struct OpenPackets {
    known: Mutex<Known>,
    /// One count at a time.
    counting: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Default)]
struct Known {
    /// By the last count, which ends where there is no room.
    counted: u64,
    /// When that was; None before the first.
    at_ms: Option<u64>,
    /// Sent by this host since then.
    sent: u64,
    /// That this host is sending now, which a count may find or not.
    in_flight: u64,
    /// A count came to nothing: until then there is room.
    unknown_until_ms: u64,
}

impl Known {
    /// Whether there is room for one more; None where the ledger has to be asked.
    fn has_room(self, most: u64, now_ms: u64) -> Option<bool> {
        if now_ms < self.unknown_until_ms {
            return Some(true);
        }
        let age_ms = now_ms.saturating_sub(self.at_ms?);
        let room = most.saturating_sub(self.counted);
        if room == 0 {
            return (age_ms < FULL_FOR_MS).then_some(false);
        }
        (age_ms < FRESH_MS && self.sent + self.in_flight <= room / PART).then_some(true)
    }
}

impl Known {
    /// The same, and takes the room for so many where it is there.
    fn take(&mut self, most: u64, now_ms: u64, taken: u64) -> Option<bool> {
        let has_room = self.has_room(most, now_ms);
        self.in_flight += if has_room == Some(true) { taken } else { 0 };
        has_room
    }
}

impl OpenPackets {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a tenant that may have so many open packets may send one more. An error is an overload alone,
    /// of which nothing more is asked.
    pub(crate) async fn has_room(
        &self,
        tenant: &TenantId,
        ledger: &dyn PacketLists,
        most: u32,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        self.ask(tenant, ledger, u64::from(most), now_ms, 0).await
    }

    /// The same, and takes the room for one, if there is any.
    pub(crate) async fn take(
        self: &Arc<Self>,
        tenant: &TenantId,
        ledger: &dyn PacketLists,
        most: u32,
        now_ms: u64,
    ) -> Result<Option<Place>, StoreError> {
        let has_room = self.ask(tenant, ledger, u64::from(most), now_ms, 1).await?;
        Ok(has_room.then(|| Place { of: Arc::clone(self), is_sent: true }))
    }

    /// Whether there is room, and where there is, takes it for so many.
    async fn ask(
        &self,
        tenant: &TenantId,
        ledger: &dyn PacketLists,
        most: u64,
        now_ms: u64,
        taken: u64,
    ) -> Result<bool, StoreError> {
        if let Some(has_room) = self.known().take(most, now_ms, taken) {
            return Ok(has_room);
        }
        let _one_at_a_time = self.counting.lock().await;
        // Somebody else may have counted meanwhile.
        if let Some(has_room) = self.known().take(most, now_ms, taken) {
            return Ok(has_room);
        }
        let sent_before = self.known().sent;
        let counted = tokio::time::timeout(COUNT_TIME, count(tenant, ledger, most)).await;
        let mut known = self.known();
        let counted = match counted {
            Ok(Ok(counted)) => counted,
            Ok(Err(error @ StoreError::Overloaded(_))) => return Err(error),
            Ok(Err(_)) | Err(_) => {
                known.unknown_until_ms = now_ms.saturating_add(COUNT_AGAIN_MS);
                known.in_flight += taken;
                return Ok(true);
            }
        };
        let (sent, in_flight) = (known.sent.saturating_sub(sent_before), known.in_flight);
        *known = Known { counted, at_ms: Some(now_ms), sent, in_flight, unknown_until_ms: 0 };
        let has_room = counted + sent + in_flight < most;
        known.in_flight += if has_room { taken } else { 0 };
        Ok(has_room)
    }
}

/// Room for a packet that is being sent. Where nobody says what came of it, since the ledger did not answer or the
/// call was stopped, it counts as sent until the next count.
pub(crate) struct Place {
    of: Arc<OpenPackets>,
    is_sent: bool,
}

impl Place {
    /// It was not sent.
    pub(crate) fn give_back(mut self) {
        self.is_sent = false;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut known = self.of.known();
        known.in_flight = known.in_flight.saturating_sub(1);
        known.sent += u64::from(self.is_sent);
    }
}

/// How many packets are open, at most so many.
async fn count(tenant: &TenantId, ledger: &dyn PacketLists, most: u64) -> Result<u64, StoreError> {
    let (mut counted, mut cursor) = (0, None);
    loop {
        let found = ledger.open_packets(tenant, cursor, AT_ONCE).await?;
        counted += found.len() as u64;
        cursor = found.last().copied();
        if counted >= most || found.len() < AT_ONCE as usize {
            return Ok(counted.min(most));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_store::memory::MemoryLedger;

    #[test]
    fn the_ledger_is_asked_where_what_is_known_does_not_say() {
        let known =
            |counted, sent| Known { counted, at_ms: Some(1_000), sent, in_flight: 0, unknown_until_ms: 0 };
        let cases = [
            (Known::default(), 1_000, None),
            (known(0, 0), 1_000, Some(true)),
            (known(20, 10), 1_000 + FRESH_MS - 1, Some(true)),
            (known(20, 10), 1_000 + FRESH_MS, None),
            (known(20, 11), 1_000, None),
            (Known { in_flight: 1, ..known(20, 9) }, 1_000, Some(true)),
            (Known { in_flight: 2, ..known(20, 9) }, 1_000, None),
            (known(99, 0), 1_000, Some(true)),
            (known(99, 1), 1_000, None),
            (known(100, 0), 1_000 + FULL_FOR_MS - 1, Some(false)),
            (known(100, 0), 1_000 + FULL_FOR_MS, None),
            // Who lowers a quota below what is open.
            (known(120, 0), 1_000, Some(false)),
            // A count that came to nothing.
            (Known { unknown_until_ms: 1_001, ..known(100, 0) }, 1_000, Some(true)),
            (Known { unknown_until_ms: 1_001, ..known(100, 0) }, 1_001, Some(false)),
        ];
        for (known, now_ms, expected) in cases {
            let Known { counted, sent, .. } = known;
            assert_eq!(known.has_room(100, now_ms), expected, "{counted} and {sent} at {now_ms}");
        }
    }

    #[tokio::test]
    async fn what_is_being_sent_takes_room_until_it_is_known_what_came_of_it() {
        let (ledger, tenant) = (MemoryLedger::new(), TenantId::default());
        let hosts = [Arc::new(OpenPackets::default()), Arc::new(OpenPackets::default())];
        for open in &hosts {
            let take = async || open.take(&tenant, &ledger, 5, 1_000).await.unwrap();
            let mut places = Vec::new();
            for _ in 0..5 {
                places.extend(take().await);
            }
            assert_eq!(places.len(), 5, "on each host, while the ledger has none of them");
            assert!(take().await.is_none() && !open.has_room(&tenant, &ledger, 5, 1_000).await.unwrap());
            places.pop().unwrap().give_back();
            places.extend(take().await);
            assert_eq!(places.len(), 5);
            assert!(take().await.is_none());
            drop(places);
            assert!(take().await.is_some(), "the ledger has heard of none of them");
        }
    }
}
