//! Chance that can be repeated.

use std::time::Duration;

/// Always the same numbers for the same seed (SplitMix64).
pub struct Dice(u64);

impl Dice {
    /// From this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From a seed and what distinguishes these dice from others of the same seed.
    #[must_use]
    pub fn of(seed: u64, which: &[u64]) -> Self {
        which.iter().fold(Self(seed), |mut dice, number| Self(dice.next() ^ *number))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, or 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A time between these, in milliseconds.
    pub fn between_ms(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least + self.below(most.saturating_sub(least) + 1))
    }

    /// One of several.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        let index = self.below(of.len() as u64) as usize;
        of.get(index).expect("something to pick from")
    }

    /// All of them in another order.
    pub fn shuffle<T>(&mut self, all: &mut [T]) {
        for place in (1..all.len()).rev() {
            all.swap(place, self.below(place as u64 + 1) as usize);
        }
    }
}
