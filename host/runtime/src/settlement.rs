//! Statistics of settlement: settled claims by class, and their delay.

use std::fmt;

use hdrhistogram::Histogram;

use hongbao_domain::Priority;
use hongbao_store::Settled;

/// Longer waits count as this one: a day, in milliseconds.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

/// Statistics of one class of claims, since the host was built.
#[derive(Clone)]
pub struct Settlement {
    /// Number of settled claims.
    pub claims: u64,
    /// Their sum, in minor units.
    pub amount: u64,
    /// From claim to credit, in milliseconds, to two digits. None where it could not be made,
    /// which the bounds exclude.
    waits_ms: Option<Histogram<u64>>,
}

impl Default for Settlement {
    fn default() -> Self {
        Self { claims: 0, amount: 0, waits_ms: Histogram::new_with_max(LONGEST_MS, 2).ok() }
    }
}

impl Settlement {
    /// The quantile of the time from claim to credit, for instance of 0.99; None before the first claim.
    #[must_use]
    pub fn latency_ms(&self, part: f64) -> Option<u64> {
        let waits = self.waits_ms.as_ref().filter(|waits| !waits.is_empty());
        waits.map(|waits| waits.value_at_quantile(part))
    }

    fn count(&mut self, claim: &Settled, now_ms: u64) {
        self.claims += 1;
        self.amount = self.amount.saturating_add(claim.amount.get());
        if let Some(waits) = &mut self.waits_ms {
            waits.saturating_record(now_ms.saturating_sub(claim.claimed_at_ms));
        }
    }
}

impl fmt::Debug for Settlement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { claims, amount, .. } = self;
        let p99 = self.latency_ms(0.99);
        f.debug_struct("Settlement")
            .field("claims", claims)
            .field("amount", amount)
            .field("p99_ms", &p99)
            .finish()
    }
}

/// Statistics of settlement since the host was built, by class.
#[derive(Clone, Debug, Default)]
pub struct Settlements {
    /// Large claims.
    pub large: Settlement,
    /// Normal ones.
    pub normal: Settlement,
}

impl Settlements {
    /// Both classes with their names, the large one first.
    #[must_use]
    pub const fn classes(&self) -> [(&'static str, &Settlement); 2] {
        [("large", &self.large), ("normal", &self.normal)]
    }

    pub(super) fn count(&mut self, settled: &[Settled], now_ms: u64) {
        for claim in settled {
            match claim.priority {
                Priority::Large => self.large.count(claim, now_ms),
                Priority::Normal => self.normal.count(claim, now_ms),
            }
        }
    }
}
