//! How many packets of a tenant are open: a quota that needs no count for each send.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hongbao_domain::TenantId;
use hongbao_store::{Ledger, StoreError};

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
/// counts what this host sends is added, so several hosts together may pass the quota by a little.
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
        (age_ms < FRESH_MS && self.sent <= room / PART).then_some(true)
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
        ledger: &dyn Ledger,
        most: u32,
        now_ms: u64,
    ) -> Result<bool, StoreError> {
        let most = u64::from(most);
        let known = || self.known().has_room(most, now_ms);
        if let Some(has_room) = known() {
            return Ok(has_room);
        }
        let _one_at_a_time = self.counting.lock().await;
        // Somebody else may have counted meanwhile.
        if let Some(has_room) = known() {
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
                return Ok(true);
            }
        };
        let sent = known.sent.saturating_sub(sent_before);
        *known = Known { counted, at_ms: Some(now_ms), sent, unknown_until_ms: 0 };
        Ok(counted + sent < most)
    }

    /// One more was sent.
    pub(crate) fn sent(&self) {
        self.known().sent += 1;
    }
}

/// How many packets are open, at most so many.
async fn count(tenant: &TenantId, ledger: &dyn Ledger, most: u64) -> Result<u64, StoreError> {
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

    #[test]
    fn the_ledger_is_asked_where_what_is_known_does_not_say() {
        let known = |counted, sent| Known { counted, at_ms: Some(1_000), sent, unknown_until_ms: 0 };
        let cases = [
            (Known::default(), 1_000, None),
            (known(0, 0), 1_000, Some(true)),
            (known(20, 10), 1_000 + FRESH_MS - 1, Some(true)),
            (known(20, 10), 1_000 + FRESH_MS, None),
            (known(20, 11), 1_000, None),
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
}
