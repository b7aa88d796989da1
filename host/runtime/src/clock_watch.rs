//! The monitor of the host's clock: everything that depends on the time is refused while the clock is wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Instant, timeout};

use super::CallError;
use crate::imports::{Clock, Skew};
use hongbao_store::{AuditLedger, CHECK_TIME, FRESH};

pub(super) struct ClockWatch {
    clock: Arc<dyn Clock>,
    /// When somebody last set out to ask the ledger's server.
    asked: Mutex<Option<Instant>>,
    /// Whether the log says that the clock is off.
    is_told: AtomicBool,
}

impl ClockWatch {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, asked: Mutex::default(), is_told: AtomicBool::new(false) }
    }

    /// Compares the clock with that of the ledger's server, unless somebody has just done so.
    pub(super) async fn check(&self, ledger: &dyn AuditLedger) -> Skew {
        if self.sets_out() {
            let begun = Instant::now();
            // That it is away is for the ledger's own check to say.
            let server = timeout(CHECK_TIME, ledger.server_ms()).await.ok().and_then(Result::ok).flatten();
            self.clock.compare(server, begun.elapsed());
        }
        let skew = self.clock.skew();
        self.tell(skew);
        skew
    }

    fn sets_out(&self) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = asked.is_none_or(|asked| asked.elapsed() >= FRESH);
        if is_due {
            *asked = Some(Instant::now());
        }
        is_due
    }

    /// Each change once.
    fn tell(&self, skew: Skew) {
        if self.is_told.swap(skew.is_off, Ordering::Relaxed) == skew.is_off {
            return;
        }
        match skew.is_off {
            true => tracing::error!(
                offset_ms = skew.ahead_ms,
                "this machine's clock is {}: nothing is decided by time until it is right. Where it is right by now \
                 and was wrong before, restart this host",
                skew.in_words()
            ),
            false => tracing::info!(offset_ms = skew.ahead_ms, "this machine's clock is right again"),
        }
    }

    /// Whether things may be decided by time.
    pub(super) fn trust(&self) -> Result<(), CallError> {
        match self.clock.skew() {
            Skew { is_off: false, .. } => Ok(()),
            skew => Err(CallError::ClockOff { ahead_ms: skew.ahead_ms }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::{ManualClock, SteadyClock, Uptime};
    use hongbao_store::memory::MemoryLedger;

    #[tokio::test]
    async fn a_clock_that_is_off_decides_nothing() {
        let (wall, uptime) = (Arc::new(ManualClock::new(1_000_000)), Arc::new(ManualClock::new(0)));
        let uptime: Arc<dyn Uptime> = uptime;
        let clock = SteadyClock::new(Arc::<ManualClock>::clone(&wall), uptime);
        let (watch, ledger) = (ClockWatch::new(Arc::new(clock)), MemoryLedger::new());
        assert_eq!(watch.check(&ledger).await, Skew::NONE);
        assert!(watch.trust().is_ok());
        wall.advance(600_000);
        let refused = watch.trust().unwrap_err();
        assert_eq!(refused.code(), "clock");
        assert!(refused.to_string().contains("600 s ahead"), "{refused}");
        assert!(watch.check(&ledger).await.is_off);
        wall.set(1_000_000);
        assert!(watch.trust().is_ok());
        assert_eq!(watch.check(&ledger).await, Skew::NONE);
    }
}
