//! Random numbers from the host, and unbiased numbers in a range from random numbers.

use core::convert::Infallible;
use core::ops::RangeInclusive;

use rand_core::{Rng, TryCryptoRng, TryRng, utils};

/// The most numbers that one call of the host gives.
const MAX_PER_CALL: u32 = 4096;

/// Numbers of the host, fetched as they are needed.
pub(crate) struct Draws<F> {
    /// The first one, where it was fetched before.
    first: Option<u64>,
    ahead: std::vec::IntoIter<u64>,
    /// How many were had of the host.
    had: u32,
    per_call: u32,
    /// Leaves out so many numbers, and gives so many.
    fetch: F,
}

impl<F: FnMut(u32, u32) -> Vec<u64>> Draws<F> {
    /// `expected` is how many numbers will probably be needed; more are fetched as it turns out.
    pub(crate) fn new(first: Option<u64>, expected: u32, fetch: F) -> Self {
        let (had, per_call) = (u32::from(first.is_some()), expected.clamp(1, MAX_PER_CALL));
        Self { first, ahead: Vec::new().into_iter(), had, per_call, fetch }
    }
}

impl<F: FnMut(u32, u32) -> Vec<u64>> TryRng for Draws<F> {
    type Error = Infallible;

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        loop {
            if let Some(number) = self.first.take().or_else(|| self.ahead.next()) {
                return Ok(number);
            }
            self.ahead = (self.fetch)(self.had, self.per_call).into_iter();
            self.had = self.had.saturating_add(self.per_call);
        }
    }

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| (number >> 32) as u32)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        utils::fill_bytes_via_next_word(bytes, || self.try_next_u64())
    }
}

impl<F: FnMut(u32, u32) -> Vec<u64>> TryCryptoRng for Draws<F> {}

/// A number in `range`, each with exactly the same probability.
///
/// Multiplication with rejection (Lemire, "Fast random integer generation in an interval", 2019):
/// a plain modulo would favour small numbers. An empty range gives its start.
pub(crate) fn uniform(rng: &mut impl Rng, range: RangeInclusive<u64>) -> u64 {
    let (low, high) = range.into_inner();
    let Some(span) = high.saturating_sub(low).checked_add(1) else {
        return rng.next_u64();
    };
    let mut product = u128::from(rng.next_u64()) * u128::from(span);
    if (product as u64) < span {
        let threshold = span.wrapping_neg() % span;
        while (product as u64) < threshold {
            product = u128::from(rng.next_u64()) * u128::from(span);
        }
    }
    low + (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Replays the numbers it was given.
    struct Script(Vec<u64>);

    impl TryRng for Script {
        type Error = Infallible;
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(self.0.remove(0))
        }
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            self.try_next_u64().map(|number| number as u32)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            utils::fill_bytes_via_next_word(bytes, || self.try_next_u64())
        }
    }

    #[test]
    fn a_number_that_would_bias_the_draw_is_rejected() {
        // 2^64 is 1 modulo 3, so exactly one of the 2^64 numbers must be drawn again: 0.
        let mut rng = Script(vec![0, u64::MAX]);
        assert_eq!(uniform(&mut rng, 0..=2), 2);
        assert!(rng.0.is_empty(), "the first number was used");
    }

    #[test]
    fn the_ends_of_a_range_are_reached() {
        assert_eq!(uniform(&mut Script(vec![u64::MAX]), 5..=8), 8);
        assert_eq!(uniform(&mut Script(vec![1 << 60]), 5..=8), 5);
        assert_eq!(uniform(&mut Script(vec![7]), 0..=u64::MAX), 7);
        assert_eq!(uniform(&mut Script(vec![9]), 4..=4), 4);
    }
}
