//! Time and randomness.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit as _, Mac as _};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sha2::Sha256;

use hongbao_domain::PacketId;

/// How far a clock is from those that it is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// By how much it is ahead, in milliseconds; below zero where it is behind.
    pub ahead_ms: i64,
    /// Whether that is too much: nothing is to be decided by time until it is right again.
    pub is_off: bool,
}

impl Skew {
    /// All clocks agree.
    pub const NONE: Self = Self { ahead_ms: 0, is_off: false };

    /// The same as a sentence without a subject.
    #[must_use]
    pub fn in_words(&self) -> String {
        let direction = if self.ahead_ms > 0 { "ahead" } else { "behind" };
        format!("{} s {direction}", self.ahead_ms.unsigned_abs() / 1000)
    }
}

/// Time since some moment, which nobody can set.
pub trait Uptime: Send + Sync + 'static {
    /// In milliseconds, without the time in which the machine was suspended.
    fn elapsed_ms(&self) -> u64;

    /// How long the machine was suspended meanwhile.
    fn suspended_ms(&self) -> u64 {
        0
    }
}

/// Time. The host's alone: no store's own clock is asked, so that every store agrees and a test
/// can move it.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;

    /// How far it is off. A clock that compares itself with no other is right.
    fn skew(&self) -> Skew {
        Skew::NONE
    }

    /// Compares it with the clock of the ledger's server: what that showed at some moment of a question
    /// that took so long and has just ended. None where the ledger has no clock of its own, or did not
    /// answer.
    fn compare(&self, _server_ms: Option<u64>, _took: Duration) {}
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows this time, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn new(now_ms: u64) -> Self {
        Self(AtomicU64::new(now_ms))
    }

    /// Moves it forward.
    pub fn advance(&self, ms: u64) {
        let moved = |now: u64| Some(now.saturating_add(ms));
        // The closure never declines, so this cannot fail.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, moved);
    }

    /// Sets it to this time, as a clock is set that was wrong.
    pub fn set(&self, now_ms: u64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Uptime for ManualClock {
    fn elapsed_ms(&self) -> u64 {
        self.now_ms()
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Randomness for plugins: ChaCha20, seeded once.
pub struct Entropy {
    generator: Mutex<ChaCha20Rng>,
    /// From which the numbers of shares are derived.
    key: [u8; 32],
}

impl Entropy {
    /// Seeded by the operating system.
    ///
    /// # Errors
    /// When the operating system gives no randomness: money must not be drawn then.
    pub fn from_os() -> Result<Self, getrandom::Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self::of(ChaCha20Rng::from_seed(seed)))
    }

    /// Always the same numbers for the same seed: for tests, demonstrations and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::of(ChaCha20Rng::seed_from_u64(seed))
    }

    fn of(mut generator: ChaCha20Rng) -> Self {
        let mut key = [0; 32];
        generator.fill_bytes(&mut key);
        Self { generator: Mutex::new(generator), key }
    }

    fn generator(&self) -> MutexGuard<'_, ChaCha20Rng> {
        self.generator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn u128(&self) -> u128 {
        let mut generator = self.generator();
        (u128::from(generator.next_u64()) << 64) | u128::from(generator.next_u64())
    }

    pub(super) fn u64s(&self, count: u32) -> Vec<u64> {
        let mut generator = self.generator();
        (0..count).map(|_| generator.next_u64()).collect()
    }

    /// Adds numbers that belong to one share: always the same ones, and unlike those of any other.
    pub(super) fn of_share(
        &self,
        packet: PacketId,
        sequence: u32,
        skip: u32,
        count: u32,
        numbers: &mut Vec<u64>,
    ) {
        let Ok(mut leaf) = Hmac::<Sha256>::new_from_slice(&self.key) else { return };
        // What is random in the id: so a seeded host draws the same at any time of day.
        leaf.update(&packet.to_bytes()[6..]);
        leaf.update(&sequence.to_be_bytes());
        let mut generator = ChaCha20Rng::from_seed(leaf.finalize().into_bytes().into());
        // A number takes two words.
        generator.set_word_pos(2 * u128::from(skip));
        numbers.extend((0..count).map(|_| generator.next_u64()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_share(entropy: &Entropy, packet: u64, sequence: u32, skip: u32, count: u32) -> Vec<u64> {
        let mut numbers = Vec::new();
        entropy.of_share(PacketId::from_halves(1, packet), sequence, skip, count, &mut numbers);
        numbers
    }

    #[test]
    fn the_numbers_of_a_share_are_its_own_and_always_the_same() {
        let entropy = Entropy::seeded(1);
        let first = of_share(&entropy, 1, 1, 0, 100);
        entropy.u64s(7);
        assert_eq!(of_share(&entropy, 1, 1, 0, 100), first);
        assert_eq!(of_share(&entropy, 1, 1, 90, 10), first[90..]);
        assert_eq!(of_share(&entropy, 1, 1, 1, 1), first[1..2]);
        for other in [of_share(&entropy, 2, 1, 0, 100), of_share(&entropy, 1, 2, 0, 100)] {
            assert!(first.iter().all(|number| !other.contains(number)));
        }
        assert_ne!(of_share(&Entropy::seeded(2), 1, 1, 0, 100), first);
    }
}
