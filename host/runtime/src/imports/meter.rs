//! The CPU meter of a call: time that a plugin computed, without the time that it waited.
//!
//! The epoch ticks whether a plugin computes or waits. Of a wait the plugin sees one tick at most, when
//! it goes on, however long it was; so that is what a wait makes up for, and a plugin that asks a store
//! now and then in the course of a long computation gains nothing by it.

use std::future::poll_fn;
use std::pin::pin;
use std::time::{Duration, Instant};

/// One tick of the epoch, in milliseconds.
pub(crate) const TICK_MS: u64 = 2;

/// Of one call.
#[derive(Default)]
pub(super) struct Meter {
    ticks: u32,
    waited: Duration,
}

impl Meter {
    const TICK: Duration = Duration::from_millis(TICK_MS);

    /// A tick that the plugin has seen; gives how long it has computed.
    pub(super) fn tick(&mut self) -> Duration {
        // The first may come at once.
        let seen = Self::TICK.saturating_mul(self.ticks);
        self.ticks = self.ticks.saturating_add(1);
        seen.saturating_sub(self.waited)
    }

    /// Waits for a store. One that answers at once works in the plugin's own time.
    pub(super) async fn wait<T>(&mut self, asking: impl Future<Output = T>) -> T {
        let (mut asking, mut begun) = (pin!(asking), None);
        let answer = poll_fn(|context| {
            let answer = asking.as_mut().poll(context);
            if answer.is_pending() {
                begun.get_or_insert_with(Instant::now);
            }
            answer
        });
        let answer = answer.await;
        self.waited += begun.map_or(Duration::ZERO, |begun| begun.elapsed().min(Self::TICK));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_waiting_is_computing() {
        let mut meter = Meter::default();
        assert_eq!(meter.tick(), Duration::ZERO, "the first tick may come at once");
        futures::executor::block_on(meter.wait(async {}));
        assert_eq!(meter.tick(), Meter::TICK);
        assert_eq!(meter.tick(), Meter::TICK * 2);
    }

    #[tokio::test]
    async fn a_long_wait_makes_up_for_the_one_tick_that_is_seen_of_it() {
        let mut meter = Meter::default();
        meter.tick();
        for _ in 0..3 {
            meter.wait(tokio::time::sleep(Meter::TICK * 5)).await;
            assert_eq!(meter.tick(), Duration::ZERO);
        }
        assert_eq!(meter.tick(), Meter::TICK);
    }
}
