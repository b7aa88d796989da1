//! A clock that is checked, and whose jumps have no effect.
//!
//! The machine's clock may be set at any time: by hand, by a broken time server, by a hypervisor. So it
//! is compared with two others: the time since the process began, which nobody can set, and the clock of
//! the ledger's server, where there is one. While they agree, time is the machine's. While they do not,
//! time goes on from the last moment at which they agreed, by the time since then; whoever decides by
//! time asks [`Clock::skew`] first, and does not decide.
//!
//! It is right again when the machine's clock agrees with both, or with the server's alone: a virtual
//! machine that was paused for a while has lost that time from the count of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::ambient::{Clock, Skew, SystemClock, Uptime};
use hongbao_store::patience;

/// The machine's clock, held against others.
pub struct SteadyClock {
    wall: Arc<dyn Clock>,
    uptime: Arc<dyn Uptime>,
    /// What the machine's clock showed when the uptime was 0, by the last agreement.
    base_ms: AtomicI64,
    /// As much of the time in which the machine was suspended as is in `base_ms`.
    suspended_ms: AtomicU64,
    /// How far the clock was ahead of the server's when they were last compared and did not agree; 0 where they did.
    off_server_ms: AtomicI64,
    /// The same whether or not they agreed.
    last_ms: AtomicI64,
}

impl SteadyClock {
    /// The machine's, which is taken to be right now.
    #[must_use]
    pub fn of_the_machine() -> Self {
        Self::new(Arc::new(SystemClock), Arc::new(ProcessUptime::new()))
    }

    /// This clock, which is taken to be right now, beside this uptime.
    #[must_use]
    pub fn new(wall: Arc<dyn Clock>, uptime: Arc<dyn Uptime>) -> Self {
        let clock = Self {
            base_ms: AtomicI64::new(0),
            suspended_ms: AtomicU64::new(uptime.suspended_ms()),
            off_server_ms: AtomicI64::new(0),
            last_ms: AtomicI64::new(0),
            wall,
            uptime,
        };
        clock.agree(clock.wall.now_ms());
        clock
    }

    /// The time that it should be, by the uptime.
    fn due_ms(&self) -> u64 {
        let due = signed(self.uptime.elapsed_ms()).saturating_add(self.base_ms.load(Ordering::Relaxed));
        u64::try_from(due).unwrap_or_default()
    }

    fn agree(&self, wall_ms: u64) {
        let base = signed(wall_ms).saturating_sub(signed(self.uptime.elapsed_ms()));
        self.base_ms.store(base, Ordering::Relaxed);
    }

    /// A machine that slept has not lost the time: only the count of it has.
    fn wake(&self) {
        let slept = self.uptime.suspended_ms();
        let more = slept.saturating_sub(self.suspended_ms.swap(slept, Ordering::Relaxed));
        self.base_ms.fetch_add(signed(more), Ordering::Relaxed);
    }
}

impl Clock for SteadyClock {
    fn now_ms(&self) -> u64 {
        let (wall, due) = (self.wall.now_ms(), self.due_ms());
        if is_near(ahead(wall, due), 0) { wall } else { due }
    }

    fn skew(&self) -> Skew {
        let by_uptime = ahead(self.wall.now_ms(), self.due_ms());
        if !is_near(by_uptime, 0) {
            return Skew { ahead_ms: by_uptime, is_off: true };
        }
        match self.off_server_ms.load(Ordering::Relaxed) {
            0 => Skew { ahead_ms: self.last_ms.load(Ordering::Relaxed), is_off: false },
            ahead_ms => Skew { ahead_ms, is_off: true },
        }
    }

    fn compare(&self, server_ms: Option<u64>, took: Duration) {
        self.wake();
        let (wall, took_ms) = (self.wall.now_ms(), u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        let Some(server_ms) = server_ms else {
            let by_uptime = ahead(wall, self.due_ms());
            if self.off_server_ms.load(Ordering::Relaxed) == 0 && is_near(by_uptime, 0) {
                self.last_ms.store(0, Ordering::Relaxed);
                self.agree(wall);
            }
            return;
        };
        // The server looked at its clock at some moment of the question.
        let ahead_ms = ahead(wall.saturating_sub(took_ms / 2), server_ms);
        self.last_ms.store(ahead_ms, Ordering::Relaxed);
        if is_near(ahead_ms, took_ms / 2) {
            self.off_server_ms.store(0, Ordering::Relaxed);
            self.agree(wall);
        } else {
            self.off_server_ms.store(ahead_ms, Ordering::Relaxed);
        }
    }
}

/// How far one time is ahead of another.
fn ahead(one_ms: u64, other_ms: u64) -> i64 {
    signed(one_ms).saturating_sub(signed(other_ms))
}

fn is_near(ahead_ms: i64, uncertain_ms: u64) -> bool {
    let apart = u64::try_from(patience::CLOCKS_APART.as_millis()).unwrap_or(u64::MAX);
    ahead_ms.unsigned_abs() <= apart.saturating_add(uncertain_ms)
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// Since the process began to look.
struct ProcessUptime {
    begun: Instant,
    booted: Option<Duration>,
}

impl ProcessUptime {
    fn new() -> Self {
        Self { begun: Instant::now(), booted: since_boot() }
    }
}

impl Uptime for ProcessUptime {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn suspended_ms(&self) -> u64 {
        let Some((before, now)) = self.booted.zip(since_boot()) else { return 0 };
        let slept = now.saturating_sub(before).saturating_sub(self.begun.elapsed());
        // What the system tells is rounded, and the two are not asked at the same moment.
        if slept < Duration::from_secs(1) { 0 } else { u64::try_from(slept.as_millis()).unwrap_or(u64::MAX) }
    }
}

/// Time since the machine began, with that in which it was suspended: Linux counts it apart. None elsewhere.
fn since_boot() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(told.split(' ').next()?.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::ManualClock;

    const NOW: u64 = 1_750_000_000_000;
    const MINUTE: u64 = 60_000;
    const AT_ONCE: Duration = Duration::ZERO;

    /// A clock, what it looks at, and the server's.
    struct Clocks {
        wall: Arc<ManualClock>,
        uptime: Arc<ManualClock>,
        clock: SteadyClock,
    }

    impl Clocks {
        fn new() -> Self {
            let (wall, uptime) = (Arc::new(ManualClock::new(NOW)), Arc::new(ManualClock::new(7)));
            let clock = SteadyClock::new(
                Arc::<ManualClock>::clone(&wall),
                Arc::<ManualClock>::clone(&uptime) as Arc<dyn Uptime>,
            );
            Self { wall, uptime, clock }
        }

        /// Time goes on.
        fn pass(&self, ms: u64) {
            self.wall.advance(ms);
            self.uptime.advance(ms);
        }

        fn is_off(&self) -> bool {
            self.clock.skew().is_off
        }
    }

    #[test]
    fn a_jump_moves_no_time_and_is_told_at_once_and_heals_by_itself() {
        let clocks = Clocks::new();
        clocks.pass(MINUTE);
        assert_eq!((clocks.clock.now_ms(), clocks.clock.skew()), (NOW + MINUTE, Skew::NONE));
        clocks.wall.set(NOW + 11 * MINUTE);
        assert_eq!(clocks.clock.now_ms(), NOW + MINUTE);
        assert_eq!(clocks.clock.skew(), Skew { ahead_ms: 600_000, is_off: true });
        clocks.clock.compare(None, AT_ONCE);
        clocks.pass(MINUTE);
        assert_eq!((clocks.clock.now_ms(), clocks.is_off()), (NOW + 2 * MINUTE, true), "time goes on");
        clocks.wall.set(NOW + 2 * MINUTE);
        assert_eq!((clocks.clock.now_ms(), clocks.clock.skew()), (NOW + 2 * MINUTE, Skew::NONE));
        clocks.wall.set(NOW - 60 * MINUTE);
        assert_eq!(clocks.clock.now_ms(), NOW + 2 * MINUTE, "backwards neither");
        assert_eq!(clocks.clock.skew(), Skew { ahead_ms: -62 * 60_000, is_off: true });
    }

    #[test]
    fn small_steps_are_followed() {
        let clocks = Clocks::new();
        for _ in 0..10 {
            clocks.wall.advance(20_000);
            assert_eq!((clocks.clock.now_ms(), clocks.is_off()), (clocks.wall.now_ms(), false));
            clocks.clock.compare(None, AT_ONCE);
        }
    }

    #[test]
    fn the_server_is_compared_with_and_what_the_question_took_is_nobodys_fault() {
        let clocks = Clocks::new();
        clocks.clock.compare(Some(NOW - 2_000), AT_ONCE);
        assert_eq!(clocks.clock.skew(), Skew { ahead_ms: 2_000, is_off: false });
        clocks.clock.compare(Some(NOW - 31_000), AT_ONCE);
        assert_eq!(clocks.clock.skew(), Skew { ahead_ms: 31_000, is_off: true });
        assert_eq!(clocks.clock.now_ms(), NOW, "nobody knows yet whose clock it was");
        clocks.clock.compare(None, AT_ONCE);
        assert!(clocks.is_off(), "a server that does not answer heals nothing");
        clocks.clock.compare(Some(NOW - 31_000), Duration::from_secs(3));
        assert!(!clocks.is_off(), "it may have looked at any moment of these three seconds");
    }

    #[test]
    fn a_clock_that_drifts_with_the_uptime_is_found_out_by_the_server() {
        let clocks = Clocks::new();
        clocks.clock.compare(Some(NOW), AT_ONCE);
        clocks.pass(10 * MINUTE);
        clocks.clock.compare(Some(NOW + 9 * MINUTE), AT_ONCE);
        assert_eq!(clocks.clock.skew(), Skew { ahead_ms: 60_000, is_off: true });
    }

    #[test]
    fn a_machine_that_was_paused_is_right_when_its_server_says_so() {
        let clocks = Clocks::new();
        clocks.clock.compare(Some(NOW), AT_ONCE);
        clocks.wall.advance(10 * MINUTE);
        assert!(clocks.is_off());
        clocks.clock.compare(Some(NOW + 10 * MINUTE), AT_ONCE);
        assert_eq!((clocks.clock.now_ms(), clocks.clock.skew()), (NOW + 10 * MINUTE, Skew::NONE));
    }

    #[test]
    fn a_machine_that_slept_has_lost_no_time() {
        struct Slept(AtomicU64);
        impl Uptime for Slept {
            fn elapsed_ms(&self) -> u64 {
                0
            }
            fn suspended_ms(&self) -> u64 {
                self.0.load(Ordering::Relaxed)
            }
        }
        let (wall, slept) = (Arc::new(ManualClock::new(NOW)), Arc::new(Slept(AtomicU64::new(0))));
        let clock = SteadyClock::new(Arc::<ManualClock>::clone(&wall), Arc::<Slept>::clone(&slept) as _);
        wall.advance(60 * MINUTE);
        slept.0.store(60 * MINUTE, Ordering::Relaxed);
        clock.compare(None, AT_ONCE);
        assert_eq!((clock.now_ms(), clock.skew()), (NOW + 60 * MINUTE, Skew::NONE));
    }

    #[test]
    fn the_machines_own_clock_is_right_when_it_is_asked() {
        let clock = SteadyClock::of_the_machine();
        clock.compare(None, AT_ONCE);
        assert!(clock.now_ms().abs_diff(SystemClock.now_ms()) < 5_000);
        assert!(!clock.skew().is_off);
    }
}
