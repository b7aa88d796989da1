//! The exact distribution of the draw, from the table of the design and from nothing else.
//!
//! Nothing here is drawn and nothing here calls the crate: the distribution over what remains is
//! carried from share to share, in fractions.

use std::collections::BTreeMap;

use hongbao_guest::allocation::Rule;
use hongbao_guest::allocation::Strategy;

use crate::fraction::Fraction;
use crate::{DEFAULT_MAX_SHARE, STRATEGIES, rule};

/// Each possible value and its probability.
pub type Distribution<T> = BTreeMap<T, Fraction>;

/// The distribution of the amount at each position of the packet.
pub fn at_each_position(rule: &Rule) -> Vec<Distribution<u64>> {
    let mut remaining = Distribution::from([(rule.total, Fraction::ONE)]);
    let mut positions = Vec::new();
    for shares in (1..=u64::from(rule.shares)).rev() {
        let (mut drawn, mut after) = (Distribution::new(), Distribution::new());
        for (left, reached) in remaining {
            for (amount, chance) in next_share(rule, left, shares) {
                add(&mut drawn, amount, reached * chance);
                add(&mut after, left - amount, reached * chance);
            }
        }
        positions.push(drawn);
        remaining = after;
    }
    positions
}

/// The distribution of the first share alone: also of packets too large for all positions.
pub fn of_first(rule: &Rule) -> Distribution<u64> {
    next_share(rule, rule.total, rule.shares.into())
}

/// The distribution of whole packets, which also tells how shares depend on one another.
pub fn of_packets(rule: &Rule) -> Distribution<Vec<u64>> {
    let mut packets = Distribution::from([(Vec::new(), Fraction::ONE)]);
    for shares in (1..=u64::from(rule.shares)).rev() {
        let mut longer = Distribution::new();
        for (packet, reached) in packets {
            let left = rule.total - packet.iter().sum::<u64>();
            for (amount, chance) in next_share(rule, left, shares) {
                let packet = packet.iter().copied().chain([amount]).collect();
                add(&mut longer, packet, reached * chance);
            }
        }
        packets = longer;
    }
    packets
}

pub fn mean(distribution: &Distribution<u64>) -> Fraction {
    distribution.iter().map(|(&amount, &chance)| Fraction::whole(amount) * chance).sum()
}

/// The table: `left` remains for `shares` shares.
fn next_share(rule: &Rule, left: u64, shares: u64) -> Distribution<u64> {
    if shares == 1 {
        return Distribution::from([(left, Fraction::ONE)]);
    }
    let distribution = match rule.strategy {
        Strategy::DoubleAverage => return double_average(rule, left, shares),
        Strategy::Equal => return Distribution::from([(left / shares, Fraction::ONE)]),
        Strategy::WechatObserved => wechat_observed(left, shares),
        Strategy::LineCut => line_cut(left, shares),
    };
    kept_to_the_cap(distribution, rule.max_share, left, shares)
}

fn double_average(rule: &Rule, left: u64, shares: u64) -> Distribution<u64> {
    let others = shares - 1;
    let cap = (2 * rule.total / u64::from(rule.shares)).min(rule.total).min(rule.max_share);
    let least = left.saturating_sub(others * cap).max(1);
    let most = (2 * left / shares).min(cap).min(left - others);
    assert!(least <= most, "the table leaves nothing to draw from {left} for {shares}: {rule:?}");
    let chance = Fraction::new(1, u128::from(most - least + 1));
    (least..=most).map(|amount| (amount, chance)).collect()
}

fn wechat_observed(left: u64, shares: u64) -> Distribution<u64> {
    let average = left / shares;
    let chance = Fraction::new(1, u128::from(2 * average));
    let mut distribution = Distribution::new();
    for uniform in 0..2 * average {
        add(&mut distribution, uniform.max(average / 10).max(1), chance);
    }
    distribution
}

/// Of the `C(R-1, k-1)` compositions of `R` into `k` parts, those whose first part is `x` are the
/// compositions of `R-x` into `k-1` parts.
fn line_cut(left: u64, shares: u64) -> Distribution<u64> {
    let all = choose(left - 1, shares - 1);
    let with_first = |amount| choose(left - amount - 1, shares - 2);
    (1..=left - (shares - 1)).map(|amount| (amount, Fraction::new(with_first(amount), all))).collect()
}

/// The table has no policy cap for these two strategies. An amount past what the cap leaves
/// possible becomes the nearest possible one.
fn kept_to_the_cap(drawn: Distribution<u64>, cap: u64, left: u64, shares: u64) -> Distribution<u64> {
    let (least, most) = (left.saturating_sub((shares - 1) * cap).max(1), cap);
    let mut kept = Distribution::new();
    for (amount, chance) in drawn {
        add(&mut kept, amount.max(least).min(most), chance);
    }
    kept
}

fn choose(from: u64, some: u64) -> u128 {
    (0..some).fold(1, |ways, taken| ways * u128::from(from - taken) / u128::from(taken + 1))
}

fn add<T: Ord>(distribution: &mut Distribution<T>, value: T, chance: Fraction) {
    let sum = distribution.entry(value).or_insert(Fraction::ZERO);
    *sum = *sum + chance;
}

#[test]
fn every_distribution_is_whole_and_the_means_add_up_to_the_total() {
    for strategy in STRATEGIES {
        for (total, shares) in [(1, 1), (4, 4), (5, 4), (23, 2), (30, 3), (30, 5)] {
            if strategy == Strategy::Equal && total % u64::from(shares) != 0 {
                continue;
            }
            let rule = rule(strategy, total, shares, DEFAULT_MAX_SHARE);
            let positions = at_each_position(&rule);
            for position in &positions {
                assert_eq!(position.values().copied().sum::<Fraction>(), Fraction::ONE, "{rule:?}");
            }
            let means: Fraction = positions.iter().map(mean).sum();
            assert_eq!(means, Fraction::whole(total), "{rule:?}");
        }
    }
}

#[test]
fn carrying_what_remains_agrees_with_listing_every_packet() {
    for strategy in STRATEGIES {
        for max_share in [7, DEFAULT_MAX_SHARE] {
            let rule = rule(strategy, 16, 4, max_share);
            let mut listed = vec![Distribution::new(); 4];
            for (packet, chance) in of_packets(&rule) {
                for (position, amount) in packet.into_iter().enumerate() {
                    add(&mut listed[position], amount, chance);
                }
            }
            assert_eq!(at_each_position(&rule), listed, "{rule:?}");
        }
    }
}

#[test]
fn line_cut_gives_every_division_the_same_probability() {
    let packets = of_packets(&rule(Strategy::LineCut, 12, 4, DEFAULT_MAX_SHARE));
    assert_eq!(packets.len(), 165, "C(11, 3)");
    assert!(packets.values().all(|&chance| chance == Fraction::new(1, 165)));
}

#[test]
fn the_table_worked_by_hand_for_six_in_three() {
    let [half, third, quarter] = [2, 3, 4].map(|below| Fraction::new(1, below));
    // The cap is 4. First uniform on 1..=4; 5, 4, 3 or 2 remain for two, uniform on 1..=4,
    // 1..=3, 1..=2 or 1 alone.
    let double = at_each_position(&rule(Strategy::DoubleAverage, 6, 3, DEFAULT_MAX_SHARE));
    assert_eq!(double[0], (1..=4).map(|amount| (amount, quarter)).collect());
    let of_second =
        [quarter + third + half + Fraction::ONE, quarter + third + half, quarter + third, quarter];
    assert_eq!(double[1], (1..=4).zip(of_second.map(|sum| quarter * sum)).collect());
    // The average is 2: uniform on 0..=3, where 0 counts as 1.
    let wechat = at_each_position(&rule(Strategy::WechatObserved, 6, 3, DEFAULT_MAX_SHARE));
    assert_eq!(wechat[0], Distribution::from([(1, half), (2, quarter), (3, quarter)]));
    // Ten compositions; 4, 3, 2 and 1 of them begin with 1, 2, 3 and 4.
    let line = at_each_position(&rule(Strategy::LineCut, 6, 3, DEFAULT_MAX_SHARE));
    assert_eq!(line[0], (1..=4).map(|amount| (amount, Fraction::new(5 - u128::from(amount), 10))).collect());
}
