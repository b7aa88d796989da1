//! Events that are well-formed and cannot be: each is refused in one sentence, and nothing moves.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::events::{advance, balance, equal, fund, grab, lucky, op, outcome, play, play_with, with};
use crate::process::Play;

const MAX: u64 = i64::MAX as u64;

/// Says events that must be refused, in either ledger; nothing moves.
#[track_caller]
fn refuse_all(events: &[Value]) -> Vec<String> {
    let directory = tempdir().unwrap();
    let mut said = Vec::new();
    for args in [&[][..], &["--data", directory.path().to_str().unwrap()]] {
        let mut play = play_with(args);
        let before = play.tell(&op("audit"));
        said = events.iter().map(|event| play.refuses(event.clone(), "invalid-argument")).collect();
        assert_eq!(play.tell(&op("audit")), before);
        play.check(balance("alice"), json!({ "outcome": "ok", "balance": 1_000_000 }));
        play.check(grab("p", "bob"), outcome("not-found"));
        play.send(equal("p", 100, 1));
        play.take("p", "bob");
        play.end_well();
    }
    said
}

/// Whether each sentence names what is wrong.
#[track_caller]
fn name(said: &[String], what: &str) {
    assert!(said.iter().all(|said| said.contains(what)), "{what}: {said:#?}");
}

#[test]
fn totals_that_cannot_be_are_refused() {
    let totals = [0, 9, 200_001, MAX, MAX + 1, u64::MAX];
    name(&refuse_all(&totals.map(|total| lucky("p", total, 10))), "total");
    // One for each share, and the most for each share, are both possible.
    let mut play = play();
    play.send(lucky("least", 10, 10));
    play.send(lucky("most", 200_000, 10));
    (0..10).for_each(|user| assert_eq!(play.take("least", &user.to_string()), 1));
    (0..10).for_each(|user| assert_eq!(play.take("most", &user.to_string()), 20_000));
    play.end_well();
}

#[test]
fn shares_that_cannot_be_are_refused() {
    name(&refuse_all(&[0, 101, u32::MAX].map(|shares| lucky("p", 1_000, shares))), "shares");
}

#[test]
fn a_total_that_cannot_be_divided_equally_is_refused() {
    let said = refuse_all(&[equal("p", 100, 18), equal("p", 101, 100), equal("p", 99, 100)]);
    assert!(said[0].contains("equal"), "{said:?}");
}

#[test]
fn a_strategy_that_is_not_of_its_kind_is_refused() {
    let strategies = ["double-average", "wechat-observed", "line-cut"];
    let mut events = strategies.map(|name| with(equal("p", 100, 10), json!({ "strategy": name }))).to_vec();
    events.push(with(lucky("p", 100, 10), json!({ "strategy": "equal" })));
    refuse_all(&events);
}

#[test]
fn a_greeting_has_at_most_two_hundred_characters_and_no_control() {
    let greetings = ["x".repeat(201), "恭".repeat(201), "a\nb".into(), "a\u{7}b".into(), "\0".into()];
    let said = refuse_all(&greetings.map(|text| with(lucky("p", 100, 10), json!({ "greeting": text }))));
    name(&said, "greeting");
    let mut play = play();
    play.send(with(lucky("p", 100, 10), json!({ "greeting": "恭".repeat(200) })));
    play.end_well();
}

#[test]
fn rooms_and_keys_have_the_rules_of_names() {
    for name_of in ["room", "key"] {
        let names = [String::new(), "x".repeat(257), "a\u{7}b".into()];
        let said = refuse_all(&names.map(|text| with(lucky("p", 100, 10), json!({ name_of: text }))));
        name(&said, name_of);
    }
}

#[test]
fn a_life_of_nothing_or_of_more_than_a_month_is_refused() {
    let lives = [0, 30 * 86_400_000 + 1, u64::MAX];
    name(
        &refuse_all(&lives.map(|ms| with(lucky("p", 100, 10), json!({ "expires_in_ms": ms })))),
        "expires_in_ms",
    );
}

#[test]
fn an_exclusive_packet_that_cannot_be_claimed_whole_is_refused() {
    let many: Vec<String> = (0..101).map(|user| format!("user-{user}")).collect();
    let named = [json!(["bob"]), json!(["bob", "bob"]), json!(["bob", "carol", "bob"]), json!(many)];
    name(&refuse_all(&named.map(|to| with(lucky("p", 100, 2), json!({ "to": to })))), "to");
}

#[test]
fn a_funding_of_nothing_or_past_the_largest_amount_is_refused() {
    refuse_all(&[0, MAX + 1, u64::MAX, MAX].map(|amount| fund("alice", amount)));
}

#[test]
fn a_clock_past_every_calendar_is_refused() {
    refuse_all(&[advance(u64::MAX), advance(MAX)]);
}

#[test]
fn wallets_up_to_the_largest_amount_are_kept_exactly() {
    let directory = tempdir().unwrap();
    for args in [&[][..], &["--data", directory.path().to_str().unwrap()]] {
        let mut play = Play::start(args);
        for user in ["alice", "bob", "carol"] {
            play.check(fund(user, MAX), json!({ "outcome": "ok", "balance": MAX }));
            play.refuses(fund(user, 1), "invalid-argument");
            play.check(balance(user), json!({ "outcome": "ok", "balance": MAX }));
        }
        play.send(equal("p", 20_000, 1));
        play.check(balance("alice"), json!({ "outcome": "ok", "balance": MAX - 20_000 }));
        assert_eq!(play.tell(&op("audit"))["conserved"], true);
        play.end_well();
    }
}
