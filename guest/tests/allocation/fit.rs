//! The crate's draws against the exact distribution.

use hongbao_guest::allocation::Rule;
use hongbao_guest::allocation::Strategy;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::chi_square::fit;
use crate::exact::{at_each_position, mean, of_first, of_packets};
use crate::fraction::Fraction;
use crate::{Counts, DEFAULT_MAX_SHARE, STRATEGIES, counts_at_each_position, generator, rule};

const PACKETS: u64 = 60_000;

/// Totals and shares, with the edges: one share, one unit each, one unit more than that.
const DIVISIONS: [(u64, u32); 15] = [
    (1, 1),
    (29, 1),
    (2, 2),
    (3, 2),
    (10, 2),
    (30, 2),
    (3, 3),
    (4, 3),
    (17, 3),
    (30, 3),
    (12, 4),
    (27, 4),
    (5, 5),
    (6, 5),
    (30, 5),
];

/// No policy cap, or none that a packet this small can reach.
fn rules(strategy: Strategy) -> impl Iterator<Item = Rule> {
    DIVISIONS.into_iter().map(move |(total, shares)| rule(strategy, total, shares, DEFAULT_MAX_SHARE))
}

/// Panics with every position that the crate draws otherwise than it should.
fn assert_every_position_fits(rules: impl Iterator<Item = Rule>) {
    let mut misfits = Vec::new();
    for rule in rules {
        let counts = counts_at_each_position(&rule, PACKETS);
        for (index, (seen, exact)) in counts.iter().zip(at_each_position(&rule)).enumerate() {
            if let Err(misfit) = fit(seen, &exact) {
                misfits.push(format!("share {} of {rule:?}: {misfit:?}", index + 1));
            }
        }
    }
    assert!(misfits.is_empty(), "{}", misfits.join("\n"));
}

#[test]
fn double_average_follows_its_exact_distribution_at_every_position() {
    assert_every_position_fits(rules(Strategy::DoubleAverage));
}

#[test]
fn double_average_under_a_policy_cap_follows_its_exact_distribution_at_every_position() {
    // From a cap that bounds only a few draws to one that leaves nothing to chance.
    let capped = [(30, 2, 20), (30, 2, 16), (30, 3, 15), (30, 3, 11), (27, 4, 8), (30, 5, 7), (30, 5, 6)];
    assert_every_position_fits(
        capped.into_iter().map(|(total, shares, cap)| rule(Strategy::DoubleAverage, total, shares, cap)),
    );
}

#[test]
fn wechat_observed_follows_its_exact_distribution_at_every_position() {
    // From an average of 20 on, a tenth of it is more than 1.
    let large = [(45, 2), (120, 3)];
    let large = large.map(|(total, shares)| rule(Strategy::WechatObserved, total, shares, DEFAULT_MAX_SHARE));
    assert_every_position_fits(rules(Strategy::WechatObserved).chain(large));
}

#[test]
fn line_cut_follows_its_exact_distribution_at_every_position() {
    assert_every_position_fits(rules(Strategy::LineCut));
}

#[test]
fn equal_gives_every_position_the_same() {
    let divisible = |rule: &Rule| rule.total.is_multiple_of(u64::from(rule.shares));
    assert_every_position_fits(rules(Strategy::Equal).filter(divisible));
}

#[test]
fn a_draw_past_the_policy_cap_becomes_the_nearest_amount_that_is_possible() {
    for strategy in [Strategy::WechatObserved, Strategy::LineCut] {
        let capped = [(30, 2, 20), (30, 3, 15), (30, 3, 11), (27, 4, 8), (30, 5, 7), (30, 5, 6)];
        assert_every_position_fits(
            capped.into_iter().map(|(total, shares, cap)| rule(strategy, total, shares, cap)),
        );
    }
}

#[test]
fn whole_packets_follow_their_exact_distribution() {
    // Shares right one by one could still be wrong together.
    for strategy in STRATEGIES {
        let rule = rule(strategy, 12, 4, DEFAULT_MAX_SHARE);
        let mut rng = generator(&rule);
        let mut seen = Counts::new();
        for _ in 0..PACKETS {
            *seen.entry(rule.draw_all(&mut rng)).or_default() += 1;
        }
        fit(&seen, &of_packets(&rule)).unwrap_or_else(|misfit| panic!("{rule:?}: {misfit:?}"));
    }
}

#[test]
fn a_range_that_does_not_divide_the_generator_is_uniform_too() {
    // Uniform on 3/8 of all 64-bit numbers: were each number of the generator taken, two of three
    // neighbours would each have three chances, and the third two.
    let span = 3 << 61;
    let rule = rule(Strategy::DoubleAverage, span + 1, 2, u64::MAX);
    let mut rng = generator(&rule);
    let mut seen = Counts::new();
    for _ in 0..PACKETS {
        *seen.entry(rule.draw_all(&mut rng)[0] % 3).or_default() += 1;
    }
    let thirds = (0..3).map(|remainder| (remainder, Fraction::new(1, 3))).collect();
    fit(&seen, &thirds).unwrap_or_else(|misfit| panic!("{misfit:?}"));
}

/// How many standard errors the mean of the counts is from a mean.
fn errors_from(expected: f64, seen: &Counts<u64>) -> f64 {
    let count = seen.values().sum::<u64>() as f64;
    let moment = |power: i32| {
        seen.iter().map(|(&value, &times)| (value as f64).powi(power) * times as f64).sum::<f64>() / count
    };
    let variance = moment(2) - moment(1).powi(2);
    (moment(1) - expected).abs() / (variance / count).sqrt()
}

#[test]
fn the_first_of_two_shares_of_200_is_100_on_average() {
    let rule = rule(Strategy::DoubleAverage, 200, 2, DEFAULT_MAX_SHARE);
    let exact = mean(&of_first(&rule));
    assert_eq!(exact, Fraction::whole(100), "uniform on 1..=199");
    let seen = &counts_at_each_position(&rule, PACKETS)[0];
    assert!(errors_from(exact.to_f64(), seen) < 5.0);
    // The mean that a draw by modulo was once found to have. This many packets tell it apart.
    assert!(errors_from(85.9, seen) > 5.0);
}

#[test]
fn a_modulo_moves_the_mean_of_the_first_of_two_shares_of_200() {
    let mut rng = ChaCha20Rng::seed_from_u64(200);
    let mut seen = Counts::new();
    for _ in 0..PACKETS {
        *seen.entry(1 + u64::from(rng.next_u32() as u8) % 199).or_default() += 1;
    }
    assert!(errors_from(100.0, &seen) > 5.0);
}

#[test]
fn the_mean_at_every_position_is_the_exact_one() {
    for strategy in STRATEGIES {
        for (total, shares) in [(30, 2), (30, 3), (12, 4), (30, 5)] {
            let rule = rule(strategy, total, shares, DEFAULT_MAX_SHARE);
            for (seen, exact) in counts_at_each_position(&rule, PACKETS).iter().zip(at_each_position(&rule)) {
                let expected = mean(&exact).to_f64();
                let certain = exact.len() == 1 && seen.len() == 1;
                assert!(certain || errors_from(expected, seen) < 5.0, "{rule:?}, {expected}");
            }
        }
    }
}
