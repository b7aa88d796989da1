//! Amounts: exactly what was typed, or a sentence that says what is wrong.

use hongbao_guest::chat::money::{Fault, example, parse, plain};

use crate::fake::{Fake, currency};
use crate::{message, problem, room_card};

#[test]
fn amounts_are_exact_in_every_number_of_digits() {
    let cases: [(u8, &[(&str, u64)]); 4] = [
        (0, &[("1", 1), ("88", 88), ("007", 7), ("18446744073709551615", u64::MAX)]),
        (1, &[("0.1", 1), ("1844674407370955161.5", u64::MAX)]),
        (
            2,
            &[
                ("0.01", 1),
                ("0.1", 10),
                ("1", 100),
                ("88.8", 8880),
                ("88.88", 8888),
                ("90071992547409.93", 9_007_199_254_740_993),
                ("184467440737095516.15", u64::MAX),
            ],
        ),
        (3, &[("0.001", 1), ("88.888", 88_888), ("5.5", 5500), ("18446744073709551.615", u64::MAX)]),
    ];
    for (digits, amounts) in cases {
        for (typed, amount) in amounts {
            assert_eq!(parse(typed, &currency("TST", digits)), Ok(*amount), "{typed} of {digits}");
        }
    }
}

#[test]
fn what_is_more_than_64_bits_hold_is_refused() {
    let cases = [
        (0, "18446744073709551616"),
        (2, "184467440737095516.16"),
        (2, "184467440737095517"),
        (3, "18446744073709551.616"),
        (0, "99999999999999999999999999999999"),
        (255, "1"),
    ];
    for (digits, typed) in cases {
        assert_eq!(parse(typed, &currency("TST", digits)), Err(Fault::Large), "{typed}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut amount = 1_u64;
    for step in 0..4000_u64 {
        amount = amount.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        for amount in [amount >> (step % 64), step + 1, u64::MAX - step] {
            for digits in [0, 1, 2, 3, 8, 19, 20, 21, 255] {
                let text = plain(amount, digits);
                let expected = if amount == 0 { Err(Fault::Zero) } else { Ok(amount) };
                assert_eq!(parse(&text, &currency("TST", digits)), expected, "{text}");
                let written = text.split_once('.').map_or(0, |(_, fraction)| fraction.len());
                assert_eq!(written, usize::from(digits), "{text}");
            }
        }
    }
}

#[test]
fn examples_have_the_digits_of_the_currency() {
    assert_eq!([0, 2, 3].map(|digits| example("88", digits)), ["88", "88.88", "88.888"]);
}

const NO_AMOUNT: [&str; 9] = ["-5", "+5", "1e3", ".5", "5.", "0x10", "5%0", "5/2", "5块5"];

const TWO_WAYS: [&str; 10] =
    ["1'000.50", "1,000", "8,88", "8,8", "5..5", "5.5.5", "５，５", "1_000", "1\u{202f}050,00", "1'000"];

#[test]
fn what_is_no_amount_is_named_and_refused() {
    let host = Fake::default();
    for typed in NO_AMOUNT {
        let english = problem(&host, &format!("/hongbao {typed} 10"), "en");
        assert_eq!(english.code, "invalid-amount", "{typed}");
        assert_eq!(english.message, format!("“{typed}” is not an amount. Write one like 88.88."));
        let chinese = problem(&host, &format!("/红包 {typed} 10"), "zh");
        assert_eq!(chinese.code, "invalid-amount", "{typed}");
        assert_eq!(chinese.message, format!("“{typed}”不是金额，请写成 88.88 这样"));
    }
    assert!(host.orders().is_empty());
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let host = Fake::default();
    for typed in TWO_WAYS {
        let english = problem(&host, &format!("/hongbao {typed} 10"), "en");
        assert_eq!(english.code, "invalid-amount", "{typed}");
        let why =
            "can be read in two ways. Write digits alone, with a point before the decimals, like 88.88.";
        assert_eq!(english.message, format!("“{typed}” {why}"));
        let chinese = problem(&host, &format!("/红包 {typed} 10"), "zh");
        assert_eq!(chinese.message, format!("“{typed}”有不止一种读法，请只写数字和小数点，写成 88.88 这样"));
    }
    assert!(host.orders().is_empty());
}

/// Who writes `1 050` for a thousand and fifty would have sent 1 in 50 shares.
#[test]
fn groups_of_digits_are_not_two_numbers() {
    let host = Fake::default();
    for typed in ["1\u{a0}050", "1\u{202f}050", "1\u{2009}050", "1\u{2007}050"] {
        assert_eq!(problem(&host, &format!("/hongbao {typed} hi"), "en").code, "invalid-amount", "{typed:?}");
    }
    for typed in ["1 050 hi", "1 000,50 hi", "1\u{2005}050"] {
        assert_eq!(problem(&host, &format!("/hongbao {typed}"), "en").code, "invalid-shares", "{typed:?}");
    }
    assert!(host.orders().is_empty());
}

#[test]
fn every_other_amount_is_refused_with_its_own_sentence() {
    let cases = [
        (
            "88.888 10",
            "“88.888” has too many digits after the point: CNY has 2. Write one like 88.88.",
            "“88.888”的小数位太多：CNY最多2位，请写成 88.88 这样",
        ),
        (
            "0 10",
            "“0” is nothing at all. Write an amount like 88.88.",
            "“0”等于没发，请写成 88.88 这样的金额",
        ),
        (
            "0.00 10",
            "“0.00” is nothing at all. Write an amount like 88.88.",
            "“0.00”等于没发，请写成 88.88 这样的金额",
        ),
        (
            "$5 10",
            "“$5” is in another currency: amounts are in CNY here. Write one like 88.88.",
            "“$5”的币种不对：这里用CNY，请写成 88.88 这样",
        ),
        (
            "184467440737095516.16 10",
            "“184467440737095516.16” is more than anybody can send. Write an amount like 88.88.",
            "“184467440737095516.16”太大了，请写成 88.88 这样的金额",
        ),
        ("each", "The amount is missing. Write one like 88.88.", "没有写金额，请写成 88.88 这样"),
        ("each x 10", "The amount is missing. Write one like 88.88.", "没有写金额，请写成 88.88 这样"),
        (
            "each five x 10",
            "“five” is not an amount. Write one like 88.88.",
            "“five”不是金额，请写成 88.88 这样",
        ),
    ];
    let host = Fake::default();
    for (typed, english, chinese) in cases {
        for (language, said) in [("en", english), ("zh", chinese)] {
            let problem = problem(&host, &format!("/hongbao {typed}"), language);
            assert_eq!((&*problem.code, &*problem.message), ("invalid-amount", said));
        }
    }
    assert!(host.orders().is_empty());
}

#[test]
fn a_currency_without_digits_says_so() {
    let problem = problem(&Fake::new(currency("JPY", 0)), "/hongbao 5.0 10", "en");
    let said = "“5.0” has too many digits after the point: JPY has 0. Write one like 88.";
    assert_eq!(problem.message, said);
}

#[test]
fn a_product_beyond_64_bits_is_refused() {
    let host = Fake::new(currency("JPY", 0));
    let problem = problem(&host, "/hongbao each 18446744073709551615 x 2", "en");
    assert_eq!(problem.code, "invalid-amount");
    let said = "“18446744073709551615 x 2” is more than anybody can send. Write an amount like 88.";
    assert_eq!(problem.message, said);
    assert!(host.orders().is_empty());
}

#[test]
fn what_was_typed_is_what_is_sent_up_to_the_largest_amount() {
    let host = Fake::new(currency("KWD", 3));
    room_card(&host, &message("/hongbao 9223372036854775.807 1", "en"));
    assert_eq!(host.order().total, i64::MAX as u64);
}

#[test]
fn a_number_of_shares_that_is_none_is_refused() {
    let host = Fake::default();
    for typed in
        ["0", "101", "-1", "+1", "1.0", "ten", "4294967297", "99999999999999999999999", "10个个", "个", "050"]
    {
        for form in ["88.88", "each 5 x", "each 5"] {
            let english = problem(&host, &format!("/hongbao {form} {typed} hi"), "en");
            assert_eq!(english.code, "invalid-shares", "{typed}");
            assert_eq!(english.message, format!("“{typed}” is not a number of shares: write 1 to 100."));
        }
        let chinese = problem(&host, &format!("/红包 88.88 {typed}"), "zh");
        assert_eq!(chinese.message, format!("“{typed}”不是红包个数，请写 1 到 100"));
    }
    for form in ["88.88", "each 5", "each 5 x", "each 5x"] {
        let problem = problem(&host, &format!("/hongbao {form}"), "en");
        assert_eq!(problem.code, "invalid-shares");
        assert_eq!(problem.message, "The number of shares is missing: write 1 to 100.");
    }
    assert!(host.orders().is_empty());
}
