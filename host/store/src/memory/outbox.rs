//! The outbox: claims that wait for settlement.

use crate::{LARGE_HEAD_START_MS, RETRY_MS, Settled};
use hongbao_domain::Priority;

/// A claim that waits.
pub(super) struct Waiting {
    pub(super) claim: Settled,
    pub(super) attempts: u32,
    pub(super) state: Standing,
}

/// How a claim stands in the outbox.
#[derive(PartialEq, Eq)]
pub(super) enum Standing {
    /// To be settled from this time on.
    From(u64),
    /// Could not be credited: kept and reported, and out of the way of the others.
    Parked,
}

impl Waiting {
    pub(super) fn new(claim: Settled) -> Self {
        Self { claim, attempts: 0, state: Standing::From(0) }
    }

    /// The place in the order of settlement.
    pub(super) fn rank_ms(&self) -> i128 {
        let head_start = match self.claim.priority {
            Priority::Large => LARGE_HEAD_START_MS,
            Priority::Normal => 0,
        };
        i128::from(self.claim.claimed_at_ms) - i128::from(head_start)
    }

    pub(super) fn is_parked(&self) -> bool {
        self.state == Standing::Parked
    }

    /// After an attempt that failed.
    pub(super) fn put_off(&mut self, now_ms: u64) {
        self.state = match RETRY_MS.get(self.attempts as usize) {
            Some(after) => Standing::From(now_ms.saturating_add(*after)),
            None => Standing::Parked,
        };
        self.attempts += 1;
    }
}
