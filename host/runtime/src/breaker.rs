//! The circuit breaker: suspends a plugin that fails repeatedly, for longer each time.

use std::sync::{Mutex, PoisonError};

/// Failures in a row after which a plugin is suspended.
const FAILURES: u32 = 5;
/// The first suspension, and the longest.
const FIRST_MS: u64 = 1_000;
const LONGEST_MS: u64 = 300_000;

/// Of one tenant's plugin. Time is the host's.
#[derive(Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Clone, Copy, Default)]
struct State {
    /// In a row.
    failures: u32,
    suspended_until_ms: u64,
    /// The length of the last suspension; 0 where there was none since the last success.
    last_ms: u64,
}

impl Breaker {
    /// How long the plugin stays suspended; None where it may be called.
    pub(super) fn suspended_for_ms(&self, now_ms: u64) -> Option<u64> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.suspended_until_ms.checked_sub(now_ms).filter(|left| *left > 0)
    }

    /// The plugin answered.
    pub(super) fn succeeded(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.failures > 0 || state.last_ms > 0 {
            *state = State::default();
        }
    }

    /// The plugin broke; gives the length of the suspension that begins now, if one does. After a
    /// suspension the first failure begins the next, twice as long.
    pub(super) fn failed(&self, now_ms: u64) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms < state.suspended_until_ms {
            // A call from before the suspension.
            return None;
        }
        state.failures = state.failures.saturating_add(1);
        if state.last_ms == 0 && state.failures < FAILURES {
            return None;
        }
        state.last_ms = if state.last_ms == 0 { FIRST_MS } else { (state.last_ms * 2).min(LONGEST_MS) };
        state.suspended_until_ms = now_ms.saturating_add(state.last_ms);
        Some(state.last_ms)
    }

    /// As if it had never failed: for a new plugin, or when somebody says so.
    pub(super) fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_failures_in_a_row() {
        let breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                assert_eq!(breaker.failed(10), None);
            }
            breaker.succeeded();
        }
        assert_eq!(breaker.suspended_for_ms(10), None);
    }

    #[test]
    fn each_suspension_is_twice_as_long_until_a_success() {
        let breaker = Breaker::default();
        let mut now_ms = 0;
        for _ in 1..FAILURES {
            assert_eq!(breaker.failed(now_ms), None);
        }
        for expected in [1_000, 2_000, 4_000] {
            assert_eq!(breaker.failed(now_ms), Some(expected));
            assert_eq!(breaker.failed(now_ms), None, "one that was under way");
            assert_eq!(breaker.suspended_for_ms(now_ms), Some(expected));
            now_ms += expected;
            assert_eq!(breaker.suspended_for_ms(now_ms), None);
        }
        breaker.succeeded();
        assert_eq!(breaker.failed(now_ms), None, "it counts from the beginning");
    }

    #[test]
    fn a_suspension_has_an_end() {
        let breaker = Breaker::default();
        let mut now_ms = 0;
        for _ in 0..100 {
            now_ms += breaker.failed(now_ms).unwrap_or_default();
        }
        assert_eq!(breaker.failed(now_ms), Some(LONGEST_MS));
    }
}
