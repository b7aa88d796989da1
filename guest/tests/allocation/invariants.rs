//! What is true of every packet, whatever was drawn.

use std::ops::RangeInclusive;

use hongbao_guest::allocation::Strategy;
use hongbao_guest::allocation::{MAX_AMOUNT, Remaining, Rule, check};
use hongbao_guest::bindings::hongbao::plugin::policy::Limits;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use crate::refusals::limits;
use crate::{DEFAULT_MAX_SHARE, STRATEGIES, generator, rule};

/// Any number of `range`. A modulo does: nothing depends on how the packets are chosen.
fn pick(rng: &mut ChaCha20Rng, range: RangeInclusive<u64>) -> u64 {
    let span = u128::from(range.end() - range.start()) + 1;
    range.start() + (u128::from(rng.next_u64()) % span) as u64
}

/// Small numbers of the range as well: as likely a number of 3 bits as one of 60.
fn pick_of_any_size(rng: &mut ChaCha20Rng, range: RangeInclusive<u64>) -> u64 {
    let (start, end) = range.into_inner();
    let most = (end >> pick(rng, 0..=62)).max(start);
    pick(rng, start..=most)
}

/// A packet that `check` accepts.
fn any_rule(rng: &mut ChaCha20Rng) -> Rule {
    let strategy = STRATEGIES[pick(rng, 0..=3) as usize];
    let shares = pick(rng, 1..=100);
    let max_share = pick_of_any_size(rng, 1..=MAX_AMOUNT);
    let most = max_share.saturating_mul(shares).min(MAX_AMOUNT);
    let mut total = pick_of_any_size(rng, shares..=most);
    if strategy == Strategy::Equal {
        total -= total % shares;
    }
    let limits = Limits { max_share, ..limits() };
    check(strategy, total, shares as u32, &limits).expect("a packet that can be divided");
    rule(strategy, total, shares as u32, max_share)
}

/// The most that any share of the packet may be.
fn cap(rule: &Rule) -> u64 {
    match rule.strategy {
        Strategy::DoubleAverage => {
            let twice_average = 2 * u128::from(rule.total) / u128::from(rule.shares);
            u128::from(rule.max_share).min(u128::from(rule.total)).min(twice_average) as u64
        }
        Strategy::WechatObserved | Strategy::LineCut | Strategy::Equal => rule.max_share,
    }
}

/// Draws a packet, and holds it against what is true of all.
fn draw(rule: &Rule, rng: &mut ChaCha20Rng) -> Vec<u64> {
    let packet = rule.draw_all(rng);
    assert_eq!(packet.len(), rule.shares as usize, "{rule:?}");
    let sum: u128 = packet.iter().copied().map(u128::from).sum();
    assert_eq!(sum, u128::from(rule.total), "{rule:?} {packet:?}");
    for &amount in &packet {
        assert!((1..=cap(rule)).contains(&amount), "{amount} of {rule:?} {packet:?}");
    }
    packet
}

#[test]
fn every_packet_adds_up_and_every_share_is_between_1_and_its_cap() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for _ in 0..50_000 {
        let rule = any_rule(&mut rng);
        draw(&rule, &mut rng);
    }
}

#[test]
fn every_small_packet_under_every_cap_adds_up() {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    for strategy in STRATEGIES {
        for shares in 1..=6_u32 {
            for total in u64::from(shares)..=24 {
                let dividable = |&cap: &u64| {
                    check(strategy, total, shares, &Limits { max_share: cap, ..limits() }).is_ok()
                };
                for cap in (1..=total + 1).filter(dividable) {
                    for _ in 0..20 {
                        draw(&rule(strategy, total, shares, cap), &mut rng);
                    }
                }
            }
        }
    }
}

#[test]
fn as_many_units_as_people_are_one_each() {
    for strategy in STRATEGIES {
        for shares in 1..=100 {
            let rule = rule(strategy, shares.into(), shares, DEFAULT_MAX_SHARE);
            assert!(draw(&rule, &mut generator(&rule)).iter().all(|&amount| amount == 1));
        }
    }
}

#[test]
fn one_unit_more_than_people_is_a_two_for_one_of_them() {
    for strategy in [Strategy::DoubleAverage, Strategy::WechatObserved, Strategy::LineCut] {
        for shares in 1..=100 {
            let rule = rule(strategy, u64::from(shares) + 1, shares, DEFAULT_MAX_SHARE);
            let twos = draw(&rule, &mut generator(&rule)).iter().filter(|&&amount| amount == 2).count();
            assert_eq!(twos, 1, "{rule:?}");
        }
    }
}

#[test]
fn a_total_of_the_cap_for_everybody_is_the_cap_for_everybody() {
    for strategy in STRATEGIES {
        for (shares, max_share) in [(1, 1), (2, 1), (5, 6), (100, 1), (100, DEFAULT_MAX_SHARE)] {
            let rule = rule(strategy, max_share * u64::from(shares), shares, max_share);
            assert!(draw(&rule, &mut generator(&rule)).iter().all(|&amount| amount == max_share));
        }
        // The most that can be, for as many as it divides among.
        let rule = rule(strategy, MAX_AMOUNT, 7, MAX_AMOUNT / 7);
        assert!(draw(&rule, &mut generator(&rule)).iter().all(|&amount| amount == MAX_AMOUNT / 7));
    }
}

#[test]
fn equal_shares_are_equal() {
    for (total, shares, each) in [(60, 15, 4), (100, 4, 25), (MAX_AMOUNT, 7, MAX_AMOUNT / 7)] {
        let rule = rule(Strategy::Equal, total, shares, MAX_AMOUNT);
        assert!(draw(&rule, &mut generator(&rule)).iter().all(|&amount| amount == each));
    }
}

#[test]
fn the_largest_totals_do_not_overflow() {
    for strategy in STRATEGIES {
        for max_share in [MAX_AMOUNT, u64::MAX] {
            for shares in 1..=100_u32 {
                for mut total in [MAX_AMOUNT, MAX_AMOUNT - 1, MAX_AMOUNT / 2 + 1] {
                    if strategy == Strategy::Equal {
                        total -= total % u64::from(shares);
                    }
                    let rule = rule(strategy, total, shares, max_share);
                    let mut rng = generator(&rule);
                    (0..10).for_each(|_| drop(draw(&rule, &mut rng)));
                }
            }
        }
    }
}

#[test]
fn wechat_observed_keeps_between_a_tenth_and_twice_the_average_of_what_remains() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    for _ in 0..20_000 {
        let shares = pick(&mut rng, 2..=100);
        let total = pick_of_any_size(&mut rng, shares..=MAX_AMOUNT);
        let rule = rule(Strategy::WechatObserved, total, shares as u32, MAX_AMOUNT);
        let mut left = total;
        for (amount, others) in draw(&rule, &mut rng).into_iter().zip((1..shares).rev()) {
            let average = left / (others + 1);
            assert!((1.max(average / 10)..=2 * average - 1).contains(&amount), "{amount} of {left}");
            left -= amount;
        }
    }
}

#[test]
fn a_cap_lowered_under_an_open_packet_still_leaves_1_for_everybody() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    for _ in 0..20_000 {
        let before = any_rule(&mut rng);
        let lowered = Rule { max_share: pick(&mut rng, 0..=before.max_share), ..before };
        let packet = lowered.draw_all(&mut rng);
        assert!(packet.iter().all(|&amount| amount >= 1), "{lowered:?} {packet:?}");
        assert_eq!(packet.into_iter().map(u128::from).sum::<u128>(), u128::from(before.total), "{lowered:?}");
    }
}

#[test]
fn a_packet_drawn_one_share_at_a_time_is_the_packet_drawn_at_once() {
    for strategy in STRATEGIES {
        let rule = rule(strategy, 60, 15, DEFAULT_MAX_SHARE);
        let (mut rng, mut left) = (generator(&rule), rule.total);
        let one_at_a_time: Vec<u64> = (1..=rule.shares)
            .rev()
            .map(|shares| {
                let drawn = rule.draw(Remaining { amount: left, shares }, &mut rng);
                left -= drawn;
                drawn
            })
            .collect();
        assert_eq!(one_at_a_time, draw(&rule, &mut generator(&rule)));
    }
}
