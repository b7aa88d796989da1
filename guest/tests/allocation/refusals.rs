//! What `check` lets through, and the sentences that it refuses the rest with.

use hongbao_guest::allocation::Strategy;
use hongbao_guest::allocation::{MAX_AMOUNT, check};
use hongbao_guest::bindings::hongbao::plugin::policy::Limits;

use crate::{DEFAULT_MAX_SHARE, STRATEGIES};

const DAY_MS: u64 = 86_400_000;

/// The default policy.
pub fn limits() -> Limits {
    Limits {
        currency: "CNY".to_owned(),
        currency_digits: 2,
        max_shares: 100,
        max_share: DEFAULT_MAX_SHARE,
        max_greeting_chars: 200,
        default_strategy: "double-average".into(),
        default_expires_in_ms: DAY_MS,
        max_expires_in_ms: 30 * DAY_MS,
        large_from: 10_000,
        sender_may_grab: true,
        lease_ms: 60_000,
    }
}

fn refusal(strategy: Strategy, total: u64, shares: u32) -> String {
    check(strategy, total, shares, &limits()).expect_err("this should be refused")
}

#[test]
fn one_yuan_cannot_be_divided_equally_into_18_shares() {
    let sentence = refusal(Strategy::Equal, 100, 18);
    assert_eq!(sentence, "a total of ¥1.00 cannot be divided equally into 18 shares");
}

#[test]
fn only_equal_shares_need_a_total_that_divides() {
    for strategy in STRATEGIES {
        assert_eq!(check(strategy, 100, 18, &limits()).is_ok(), strategy != Strategy::Equal);
        check(strategy, 60, 15, &limits()).expect("60 divides by 15");
    }
}

#[test]
fn every_share_needs_at_least_1() {
    for strategy in STRATEGIES {
        check(strategy, 7, 7, &limits()).expect("1 for each");
        assert_eq!(refusal(strategy, 6, 7), "total must be at least ¥0.07, ¥0.01 for each share, not ¥0.06");
        assert_eq!(refusal(strategy, 0, 1), "total must be at least ¥0.01, ¥0.01 for each share, not ¥0.00");
    }
}

#[test]
fn no_share_may_have_to_pass_the_policy_cap() {
    for strategy in STRATEGIES {
        check(strategy, 60_000, 3, &limits()).expect("the cap for each");
        let sentence = refusal(strategy, 60_001, 3);
        assert_eq!(sentence, "total must be at most ¥600.00, ¥200.00 for each share, not ¥600.01");
    }
}

#[test]
fn there_are_between_one_share_and_as_many_as_the_policy_allows() {
    for strategy in STRATEGIES {
        check(strategy, 100, 100, &limits()).expect("as many as allowed");
        for shares in [0, 101, u32::MAX] {
            let sentence = refusal(strategy, 10_000, shares);
            assert_eq!(sentence, format!("shares must be between 1 and 100, not {shares}"));
        }
    }
}

#[test]
fn a_total_that_no_store_can_hold_is_refused_however_high_the_cap() {
    for max_share in [MAX_AMOUNT, u64::MAX] {
        let limits = Limits { max_share, ..limits() };
        for strategy in STRATEGIES {
            check(strategy, MAX_AMOUNT, 1, &limits).expect("the largest amount");
            for (total, shares) in [(MAX_AMOUNT + 1, 1), (MAX_AMOUNT + 1, 2), (u64::MAX, 100)] {
                check(strategy, total, shares, &limits).expect_err("more than the largest amount");
            }
        }
    }
}
