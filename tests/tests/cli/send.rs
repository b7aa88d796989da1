//! Send, and the money that it moves.

use serde_json::json;

use crate::events::{advance, balance, details, equal, fund, grab, lucky, outcome, play, with};
use crate::process::Play;

fn holds(minor: u64) -> serde_json::Value {
    json!({ "outcome": "ok", "balance": minor })
}

#[test]
fn funding_answers_with_the_new_balance() {
    let mut play = Play::start(&[]);
    play.check(balance("bob"), holds(0));
    play.check(fund("bob", 10_000), holds(10_000));
    play.check(fund("bob", 1), holds(10_001));
    play.check(balance("bob"), holds(10_001));
    play.check(balance("carol"), holds(0));
    play.end_well();
}

#[test]
fn the_sender_is_debited_at_once() {
    let mut play = play();
    let packet = play.send(lucky("p", 1_000, 10));
    assert_eq!(packet.len(), 36, "{packet} is a UUID");
    play.check(balance("alice"), holds(999_000));
    let other = play.send(lucky("q", 500, 5));
    assert_ne!(packet, other);
    play.check(balance("alice"), holds(998_500));
    play.end_well();
}

#[test]
fn who_holds_too_little_sends_nothing() {
    let mut play = Play::start(&[]);
    let send = with(lucky("p", 1_000, 10), json!({ "key": "k1" }));
    play.refuses(send.clone(), "insufficient-funds");
    play.check(fund("alice", 999), holds(999));
    let said = play.refuses(send.clone(), "insufficient-funds");
    assert!(said.contains("¥9.99"), "{said}");
    play.check(balance("alice"), holds(999));
    play.check(grab("p", "bob"), outcome("not-found"));
    play.check(fund("alice", 1), holds(1_000));
    play.send(send);
    play.check(balance("alice"), holds(0));
    play.end_well();
}

#[test]
fn an_equal_packet_gives_everybody_the_same() {
    let mut play = play();
    for (packet, event) in
        [("p", equal("p", 1_800, 18)), ("q", with(equal("q", 1_800, 18), json!({ "strategy": "equal" })))]
    {
        play.send(event);
        (0..18).for_each(|user| assert_eq!(play.take(packet, &format!("user-{user}")), 100));
        assert_eq!(play.tell(&details(packet))["strategy"], "equal");
    }
    play.end_well();
}

#[test]
fn every_optional_field_is_shown_again() {
    let mut play = play();
    play.send(with(
        lucky("p", 40, 2),
        json!({ "strategy": "line-cut", "to": ["bob", "卡罗尔"], "greeting": "恭喜发财 🧧", "key": "k1", "expires_in_ms": 5_000 }),
    ));
    let shown = play.tell(&details("p"));
    let (sent, expires) = (shown["sent_at_ms"].as_u64().unwrap(), shown["expires_at_ms"].as_u64().unwrap());
    assert_eq!((&shown["strategy"], &shown["greeting"]), (&json!("line-cut"), &json!("恭喜发财 🧧")));
    assert_eq!((&shown["room"], &shown["sender"]), (&json!("r1"), &json!("alice")));
    assert_eq!(expires - sent, 5_000);
    play.take("p", "卡罗尔");
    play.end_well();
}

#[test]
fn what_is_left_out_takes_the_defaults() {
    let mut play = play();
    play.send(lucky("p", 40, 2));
    let shown = play.tell(&details("p"));
    let (sent, expires) = (shown["sent_at_ms"].as_u64().unwrap(), shown["expires_at_ms"].as_u64().unwrap());
    assert_eq!((&shown["strategy"], &shown["greeting"]), (&json!("double-average"), &json!("")));
    assert_eq!(expires - sent, 86_400_000);
    play.end_well();
}

#[test]
fn what_nobody_took_goes_back_to_the_sender_once() {
    let mut play = play();
    let packet = play.send(with(lucky("p", 1_000, 10), json!({ "expires_in_ms": 10_000 })));
    let taken = play.take("p", "bob") + play.take("p", "carol");
    play.check(balance("alice"), holds(999_000));
    let swept = play.tell(&advance(9_999));
    assert_eq!((&swept["outcome"], &swept["expired"]), (&json!("ok"), &json!([])));
    let swept = play.tell(&advance(1));
    assert_eq!(swept["expired"], json!([{ "packet": packet, "refunded": 1_000 - taken }]));
    play.check(balance("alice"), holds(1_000_000 - taken));
    assert_eq!(play.tell(&advance(86_400_000))["expired"], json!([]));
    play.check(balance("alice"), holds(1_000_000 - taken));
    let shown = play.tell(&details("p"));
    assert_eq!((&shown["state"], &shown["refunded"]), (&json!("expired"), &json!(1_000 - taken)));
    play.end_well();
}

#[test]
fn a_packet_that_nobody_touched_goes_back_whole() {
    let mut play = play();
    let first = play.send(with(equal("p", 700, 7), json!({ "expires_in_ms": 1 })));
    let second = play.send(with(equal("q", 300, 3), json!({ "expires_in_ms": 2 })));
    let swept = play.tell(&advance(2));
    let refunds = json!([{ "packet": first, "refunded": 700 }, { "packet": second, "refunded": 300 }]);
    assert_eq!(swept["expired"], refunds);
    play.check(balance("alice"), holds(1_000_000));
    play.end_well();
}

#[test]
fn a_finished_packet_refunds_nothing() {
    let mut play = play();
    play.send(with(equal("p", 100, 1), json!({ "expires_in_ms": 1_000 })));
    play.take("p", "bob");
    assert_eq!(play.tell(&advance(1_000))["expired"], json!([]));
    assert_eq!(play.tell(&details("p"))["state"], "finished");
    play.check(balance("alice"), holds(999_900));
    play.end_well();
}

#[test]
fn the_clock_stands_still_until_it_is_moved() {
    let mut play = play();
    let now = |answer: &serde_json::Value| answer["now_ms"].as_u64().unwrap();
    let begun = now(&play.tell(&advance(0)));
    assert_eq!(now(&play.tell(&advance(0))), begun);
    assert_eq!(now(&play.tell(&advance(86_400_000))), begun + 86_400_000);
    play.end_well();
}
