//! Pearson's chi-square test of counts against an exact distribution.

use std::fmt::Debug;

use crate::Counts;
use crate::exact::Distribution;

/// Standard deviations of the normal distribution with 1 in 1,000,000 beyond.
///
/// Fewer than 300 comparisons are made in this suite, so draws that are right would fail any of
/// them for at most 3 in 10,000 choices of seeds (Bonferroni); and the seeds are fixed.
const ONE_IN_A_MILLION: f64 = 4.753_424;

/// The chi-square distribution is a good approximation from this expected count on.
const FEWEST_EXPECTED: f64 = 5.0;

/// How counts can contradict a distribution.
#[derive(Debug)]
pub enum Misfit {
    /// A value that the distribution does not have was seen.
    Impossible(#[allow(dead_code, reason = "shown in failures")] String),
    /// The counts are too far from what was expected.
    TooFar(#[allow(dead_code, reason = "shown in failures")] String),
}

/// Whether the counts could well have come from the distribution.
pub fn fit<T: Ord + Debug>(seen: &Counts<T>, exact: &Distribution<T>) -> Result<(), Misfit> {
    fit_within(ONE_IN_A_MILLION, seen, exact)
}

fn fit_within<T: Ord + Debug>(
    deviations: f64,
    seen: &Counts<T>,
    exact: &Distribution<T>,
) -> Result<(), Misfit> {
    if let Some(value) = seen.keys().find(|value| !exact.contains_key(value)) {
        return Err(Misfit::Impossible(format!("{value:?} was drawn")));
    }
    let bins = pooled(seen, exact);
    // One bin holds everything whatever was drawn: there is nothing more to compare.
    if bins.len() < 2 {
        return Ok(());
    }
    let statistic: f64 = bins.iter().map(|(seen, expected)| (seen - expected).powi(2) / expected).sum();
    let freedom = bins.len() - 1;
    let critical = critical_value(freedom, deviations);
    if statistic > critical {
        let bounds = format!("{statistic:.1} over {critical:.1} with {freedom} degrees of freedom");
        return Err(Misfit::TooFar(bounds));
    }
    Ok(())
}

/// Seen and expected counts, with neighbours put together until enough is expected of each.
fn pooled<T: Ord>(seen: &Counts<T>, exact: &Distribution<T>) -> Vec<(f64, f64)> {
    let all = seen.values().sum::<u64>() as f64;
    let mut bins: Vec<(f64, f64)> = Vec::new();
    let mut open = (0.0, 0.0);
    for (value, chance) in exact {
        open.0 += seen.get(value).copied().unwrap_or(0) as f64;
        open.1 += all * chance.to_f64();
        if open.1 >= FEWEST_EXPECTED {
            bins.push(std::mem::take(&mut open));
        }
    }
    // What is left over at the end is too little for a bin of its own.
    match bins.last_mut() {
        Some(last) => *last = (last.0 + open.0, last.1 + open.1),
        None => bins.push(open),
    }
    bins
}

/// The statistic that is passed as rarely as a normal variable passes so many deviations.
///
/// Wilson and Hilferty (1931): the cube root of chi-square over its degrees of freedom is nearly
/// normal, with mean `1 - 2/9n` and variance `2/9n`.
fn critical_value(freedom: usize, deviations: f64) -> f64 {
    let freedom = freedom as f64;
    let variance = 2.0 / (9.0 * freedom);
    freedom * (1.0 - variance + deviations * variance.sqrt()).powi(3)
}

mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::fraction::Fraction;

    #[test]
    fn critical_values_agree_with_the_printed_tables() {
        // Upper 0.1 % and 5 % points, from any table of the distribution.
        for (freedom, deviations, table) in [
            (5, 3.090_232, 20.515),
            (10, 3.090_232, 29.588),
            (30, 3.090_232, 59.703),
            (100, 3.090_232, 149.449),
            (5, 1.644_854, 11.070),
            (30, 1.644_854, 43.773),
        ] {
            let value = critical_value(freedom, deviations);
            assert!((value / table - 1.0).abs() < 0.02, "{value} is not {table}");
        }
    }

    #[test]
    fn a_fair_die_is_rejected_as_often_as_the_level_says() {
        let mut rng = ChaCha20Rng::seed_from_u64(6);
        let die: Distribution<u64> = (0..6).map(|face| (face, Fraction::new(1, 6))).collect();
        let rejected = (0..2_000).filter(|_| {
            let mut seen = Counts::new();
            for _ in 0..600 {
                // The bias of a modulo by 6 of 64 bits is far too small to be seen here.
                *seen.entry(rng.next_u64() % 6).or_default() += 1;
            }
            fit_within(1.644_854, &seen, &die).is_err()
        });
        // 5 % of 2,000 are 100, with a standard deviation just under 10.
        let rejected = rejected.count();
        assert!((60..=140).contains(&rejected), "{rejected} of 2,000 were rejected, not about 100");
    }

    #[test]
    fn a_value_that_cannot_be_is_a_misfit_however_rare() {
        let exact = Distribution::from([(1, Fraction::new(1, 2)), (2, Fraction::new(1, 2))]);
        let seen = Counts::from([(1, 500_000), (2, 500_000), (3, 1)]);
        assert!(matches!(fit(&seen, &exact), Err(Misfit::Impossible(_))));
    }

    #[test]
    fn rare_values_are_pooled_until_five_are_expected() {
        let exact: Distribution<u64> = [(1, 96), (2, 2), (3, 1), (4, 1)]
            .map(|(value, percent)| (value, Fraction::new(percent, 100)))
            .into();
        let seen = Counts::from([(1, 190), (2, 5), (4, 5)]);
        // 192 of 1 are expected, and 8 of all others together.
        assert_eq!(pooled(&seen, &exact), [(190.0, 192.0), (10.0, 8.0)]);
        // Of 100 only 4 others are: too few for a bin.
        let seen = Counts::from([(1, 95), (2, 5)]);
        assert_eq!(pooled(&seen, &exact), [(100.0, 100.0)]);
    }
}
