//! The demo's clock: real time, plus an offset.

use std::sync::atomic::{AtomicU64, Ordering};

use hongbao_runtime::imports::{Clock, SystemClock};

/// The machine's clock, which can be sent ahead so that a packet expires before one's eyes.
#[derive(Debug, Default)]
pub(super) struct LeapingClock(AtomicU64);

impl LeapingClock {
    pub(super) fn leap(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for LeapingClock {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms().saturating_add(self.0.load(Ordering::SeqCst))
    }
}
