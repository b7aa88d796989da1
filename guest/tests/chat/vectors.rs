//! The table of amounts and counts that the page and the host are tested with, too.

use hongbao_guest::chat::money::{Fault, count, parse, shown};
use serde_json::Value;

use crate::fake::{Fake, currency};
use crate::{message, problem, room_card};

fn table() -> Value {
    serde_json::from_str(include_str!("../../../tests/vectors/amounts.json")).unwrap()
}

fn fault(name: &str) -> Fault {
    match name {
        "missing" => Fault::Missing,
        "form" => Fault::Form,
        "separator" => Fault::Separator,
        "decimals" => Fault::Decimals,
        "foreign" => Fault::Foreign,
        "zero" => Fault::Zero,
        "large" => Fault::Large,
        other => panic!("no fault: {other}"),
    }
}

#[test]
fn every_amount_of_the_table_is_read_or_refused_as_it_says() {
    let (table, mut wrong, mut tried) = (table(), Vec::new(), 0);
    for one in table["amounts"].as_array().unwrap() {
        let limits = currency(one["currency"].as_str().unwrap(), one["digits"].as_u64().unwrap() as u8);
        let accepted = one["accepted"].as_object().unwrap().iter();
        let accepted = accepted.map(|(typed, amount)| (typed, Ok(amount.as_str().unwrap().parse().unwrap())));
        let refused = one["refused"].as_object().unwrap().iter();
        let refused = refused.map(|(typed, name)| (typed, Err(fault(name.as_str().unwrap()))));
        for (typed, expected) in accepted.chain(refused) {
            let read = parse(typed, &limits);
            tried += 1;
            if read != expected {
                wrong.push(format!("{} {typed:?} is {read:?}, not {expected:?}", limits.currency));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 200, "{tried}");
}

#[test]
fn every_count_of_the_table_is_read_or_refused_as_it_says() {
    let table = table();
    let (counts, most) = (&table["counts"], table["counts"]["most"].as_u64().unwrap());
    let read = |typed: &str| count(typed).filter(|count| (1..=most).contains(count));
    for (typed, expected) in counts["accepted"].as_object().unwrap() {
        assert_eq!(read(typed), expected.as_u64(), "{typed:?}");
    }
    for typed in counts["refused"].as_array().unwrap() {
        assert_eq!(read(typed.as_str().unwrap()), None, "{typed:?}");
    }
}

#[test]
fn every_amount_of_the_table_is_shown_as_it_says_and_read_back() {
    for one in table()["shown"].as_array().unwrap() {
        let limits = currency(one["currency"].as_str().unwrap(), one["digits"].as_u64().unwrap() as u8);
        let amount = one["amount"].as_str().unwrap().parse().unwrap();
        let text = shown(amount, &limits);
        assert_eq!(text, one["text"].as_str().unwrap());
        // One comma and no point can be read in two ways, also where we wrote it.
        let expected = match (amount, limits.currency_digits, text.matches(',').count()) {
            (0, ..) => Err(Fault::Zero),
            (_, 0, 1) => Err(Fault::Separator),
            _ => Ok(amount),
        };
        assert_eq!(parse(&text, &limits), expected, "{text}");
    }
}

/// What a person types as one word of a message is what the table says of it.
#[test]
fn a_message_sends_what_the_table_says_or_nothing() {
    let table = table();
    let cny = &table["amounts"][0];
    let is_word = |typed: &str| !typed.contains(char::is_whitespace) && typed.chars().any(char::is_numeric);
    for (typed, amount) in cny["accepted"].as_object().unwrap().iter().filter(|(typed, _)| is_word(typed)) {
        let amount: u64 = amount.as_str().unwrap().parse().unwrap();
        if i64::try_from(amount).is_err() || typed.starts_with(|one: char| one.is_alphabetic()) {
            continue;
        }
        let host = Fake::new(currency("CNY", 2));
        room_card(&host, &message(&format!("/hongbao {typed} 1 hi"), "en"));
        assert_eq!((host.order().total, &*host.order().greeting), (amount, "hi"), "{typed:?}");
    }
    for typed in cny["refused"].as_object().unwrap().keys().filter(|typed| is_word(typed)) {
        // `每人5x 1` is 5 for each, and 1 share.
        let each = (!typed.contains('x')).then(|| format!("/红包每人{typed} 1"));
        for text in [format!("/hongbao {typed} 1 hi")].into_iter().chain(each) {
            let host = Fake::new(currency("CNY", 2));
            let code = problem(&host, &text, "en").code;
            assert!(
                ["invalid-amount", "invalid-shares", "unknown-form"].contains(&&*code),
                "{text:?}: {code}"
            );
            assert!(host.orders().is_empty(), "{text:?}");
        }
    }
}
