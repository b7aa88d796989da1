//! The sender's key: a request that is repeated sends once, in a later process too.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::events::{
    advance, balance, details, equal, fund, grab, lucky, open, outcome, play, play_with, with,
};
use crate::process::Play;

fn keyed(event: Value, key: &str) -> Value {
    with(event, json!({ "key": key }))
}

#[test]
fn a_repeated_send_is_the_same_packet() {
    let mut play = play();
    let packet = play.send(keyed(lucky("p", 1_000, 10), "k1"));
    play.check(keyed(lucky("p", 1_000, 10), "k1"), json!({ "outcome": "replayed", "packet": packet }));
    play.check(balance("alice"), json!({ "outcome": "ok", "balance": 999_000 }));
    // Under another name, too: the name is the log's own.
    play.check(keyed(lucky("q", 1_000, 10), "k1"), json!({ "outcome": "replayed", "packet": packet }));
    play.take("p", "bob");
    assert_eq!(play.tell(&grab("q", "bob"))["outcome"], "already-opened");
    play.end_well();
}

#[test]
fn a_repeated_send_is_replayed_when_the_wallet_is_empty_and_the_packet_over() {
    let mut play = Play::start(&[]);
    play.tell(&fund("alice", 100));
    let send = keyed(with(equal("p", 100, 1), json!({ "expires_in_ms": 1_000 })), "k1");
    let packet = play.send(send.clone());
    play.check(send.clone(), json!({ "outcome": "replayed", "packet": packet }));
    play.take("p", "bob");
    play.check(send.clone(), json!({ "outcome": "replayed", "packet": packet }));
    play.tell(&advance(1_000));
    play.check(send, json!({ "outcome": "replayed", "packet": packet }));
    play.end_well();
}

#[test]
fn a_key_that_stands_for_something_else_is_refused() {
    let mut play = play();
    play.send(keyed(lucky("p", 1_000, 10), "k1"));
    let others = [
        json!({ "total": 1_001 }),
        json!({ "shares": 9 }),
        json!({ "room": "r2" }),
        json!({ "kind": "equal" }),
        json!({ "strategy": "line-cut" }),
        json!({ "greeting": "hello" }),
        json!({ "expires_in_ms": 1_000 }),
        json!({ "shares": 2, "to": ["bob", "carol"] }),
    ];
    for other in others {
        play.refuses(with(keyed(lucky("q", 1_000, 10), "k1"), other), "key-reused");
    }
    play.check(balance("alice"), json!({ "outcome": "ok", "balance": 999_000 }));
    play.check(grab("q", "bob"), outcome("not-found"));
    play.end_well();
}

#[test]
fn a_key_is_its_senders_own() {
    let mut play = play();
    play.tell(&fund("bob", 1_000));
    let packet = play.send(keyed(lucky("p", 1_000, 10), "k1"));
    let other = play.send(with(keyed(lucky("q", 1_000, 10), "k1"), json!({ "sender": "bob" })));
    assert_ne!(packet, other);
    play.end_well();
}

#[test]
fn sends_without_a_key_are_sends_of_their_own() {
    let mut play = play();
    let packet = play.send(lucky("p", 1_000, 10));
    let other = play.send(lucky("p", 1_000, 10));
    assert_ne!(packet, other);
    play.check(balance("alice"), json!({ "outcome": "ok", "balance": 998_000 }));
    play.end_well();
}

#[test]
fn a_later_process_finds_the_packet_again_under_its_key() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let mut first = play_with(&data);
    let send = keyed(equal("p", 300, 3), "k1");
    let packet = first.send(send.clone());
    assert_eq!(first.take("p", "bob"), 100);
    first.check(grab("p", "carol"), outcome("admitted"));
    first.end_well();

    let mut later = Play::start(&data);
    later.check(grab("p", "bob"), outcome("not-found"));
    later.check(send, json!({ "outcome": "replayed", "packet": packet }));
    later.check(grab("p", "bob"), json!({ "outcome": "already-opened", "amount": 100 }));
    later.check(open("p", "bob"), json!({ "outcome": "already-opened", "amount": 100, "sequence": 1 }));
    // Her seat went with the first process's cache, and she is let through all the same.
    later.check(open("p", "carol"), json!({ "outcome": "opened", "amount": 100, "sequence": 2 }));
    later.refuses(keyed(equal("p", 300, 1), "k1"), "key-reused");
    let shown = later.tell(&details("p"));
    assert_eq!(shown["claimed_shares"], 2);
    later.check(balance("alice"), json!({ "outcome": "ok", "balance": 999_700 }));
    later.end_well();
}

#[test]
fn a_later_process_refunds_what_an_earlier_one_sent() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let mut first = play_with(&data);
    let packet = first.send(equal("p", 300, 3));
    first.take("p", "bob");
    first.end_well();

    let mut later = Play::start(&data);
    let swept = later.tell(&advance(86_400_000));
    assert_eq!(swept["expired"], json!([{ "packet": packet, "refunded": 200 }]));
    later.check(balance("alice"), json!({ "outcome": "ok", "balance": 999_900 }));
    later.end_well();
    let mut last = Play::start(&data);
    assert_eq!(last.tell(&advance(86_400_000))["expired"], json!([]));
    last.end_well();
}
