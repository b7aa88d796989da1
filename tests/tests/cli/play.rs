//! `play`: an event becomes a call, and its answer a line. What the calls mean is asked in the suite `rules`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::events::{
    advance, balance, details, equal, fund, grab, lucky, op, open, outcome, play, play_with, sentence,
    together, with,
};
use crate::process::Play;

const MAX: u64 = i64::MAX as u64;
const MINUTE_MS: u64 = 60_000;

fn holds(minor: u64) -> Value {
    json!({ "outcome": "ok", "balance": minor })
}

fn keyed(event: Value, key: &str) -> Value {
    with(event, json!({ "key": key }))
}

#[test]
fn funding_answers_with_the_new_balance_or_says_what_is_wrong_with_the_amount() {
    let mut play = Play::start(&[]);
    play.check(balance("bob"), holds(0));
    play.check(fund("bob", 10_000), holds(10_000));
    play.check(balance("bob"), holds(10_000));
    // Nothing, no amount at all, and more than the wallet takes.
    for amount in [0, MAX + 1, MAX] {
        play.refuses(fund("bob", amount), "invalid-argument");
    }
    play.check(balance("bob"), holds(10_000));
    play.end_well();
}

#[test]
fn a_send_is_answered_with_its_packet_and_a_repeated_one_with_the_same() {
    let mut play = play();
    let packet = play.send(keyed(lucky("p", 1_000, 10), "k1"));
    assert_eq!(packet.len(), 36, "{packet} is a UUID");
    // Under another name, too: the name is the log's own.
    let replayed = json!({ "outcome": "replayed", "packet": packet });
    play.check(keyed(lucky("q", 1_000, 10), "k1"), replayed);
    play.take("p", "bob");
    assert_eq!(play.tell(&grab("q", "bob"))["outcome"], "already-opened");
    play.end_well();
}

#[test]
fn sends_without_a_key_are_sends_of_their_own() {
    let mut play = play();
    let packet = play.send(lucky("p", 1_000, 10));
    let other = play.send(lucky("p", 1_000, 10));
    assert_ne!(packet, other);
    play.check(balance("alice"), holds(998_000));
    play.end_well();
}

#[test]
fn a_send_that_is_refused_is_told_with_its_code() {
    let mut play = Play::start(&[]);
    let send = keyed(lucky("p", 1_000, 10), "k1");
    play.tell(&fund("alice", 999));
    let said = play.refuses(send.clone(), "insufficient-funds");
    assert!(said.contains("¥9.99"), "{said}");
    let said = play.refuses(with(send.clone(), json!({ "total": 9 })), "invalid-argument");
    assert!(said.contains("total"), "{said}");
    // A name that was to stand for it stands for nothing.
    play.check(grab("p", "bob"), outcome("not-found"));
    play.tell(&fund("alice", 1));
    play.send(send.clone());
    play.refuses(with(send, json!({ "ref": "q", "shares": 9 })), "key-reused");
    play.check(grab("q", "bob"), outcome("not-found"));
    play.end_well();
}

#[test]
fn a_strategy_that_is_not_of_its_kind_is_refused() {
    let mut play = play();
    for name in ["double-average", "wechat-observed", "line-cut"] {
        play.refuses(with(equal("p", 100, 10), json!({ "strategy": name })), "invalid-argument");
        play.send(with(lucky("p", 100, 10), json!({ "strategy": name })));
        assert_eq!(play.tell(&details("p"))["strategy"], name);
    }
    play.refuses(with(lucky("p", 100, 10), json!({ "strategy": "equal" })), "invalid-argument");
    for send in [equal("p", 100, 10), with(equal("p", 100, 10), json!({ "strategy": "equal" }))] {
        play.send(send);
        assert_eq!(play.tell(&details("p"))["strategy"], "equal");
    }
    play.end_well();
}

/// Takes a member that is the time of day out of an answer.
fn moment(answer: &mut Value, name: &str) -> u64 {
    let taken = answer.as_object_mut().unwrap().remove(name);
    taken.and_then(|value| value.as_u64()).unwrap_or_else(|| panic!("{name} of {answer}"))
}

#[test]
fn every_field_of_a_send_is_shown_again_in_its_details() {
    let mut play = play();
    play.send(with(
        lucky("p", 40, 2),
        json!({ "strategy": "line-cut", "to": ["bob", "卡罗尔"], "greeting": "恭喜发财 🧧", "key": "k1", "expires_in_ms": 5_000 }),
    ));
    let amount = play.take("p", "卡罗尔");
    let mut shown = play.tell(&details("p"));
    let [sent, expires] = ["sent_at_ms", "expires_at_ms"].map(|name| moment(&mut shown, name));
    assert_eq!((expires - sent, moment(&mut shown["claims"][0], "claimed_at_ms")), (5_000, sent));
    let claim = json!({ "user": "卡罗尔", "amount": amount, "sequence": 1, "best_luck": true });
    let expected = json!({
        "op": "details", "ref": "p", "outcome": "ok", "state": "open", "room": "r1", "sender": "alice",
        "strategy": "line-cut", "greeting": "恭喜发财 🧧", "total": 40, "shares": 2,
        "claimed_amount": amount, "claimed_shares": 1, "refunded": 0, "claims": [claim],
    });
    assert_eq!(shown, expected);
    play.check(grab("p", "dave"), outcome("not-eligible"));
    play.end_well();
}

#[test]
fn what_a_send_leaves_out_takes_the_defaults() {
    let mut play = play();
    play.send(lucky("p", 40, 2));
    let mut shown = play.tell(&details("p"));
    assert_eq!((&shown["strategy"], &shown["greeting"]), (&json!("double-average"), &json!("")));
    let [sent, expires] = ["sent_at_ms", "expires_at_ms"].map(|name| moment(&mut shown, name));
    assert_eq!(expires - sent, 86_400_000);
    play.end_well();
}

#[test]
fn what_a_tap_came_to_is_told_by_its_name() {
    let mut play = play();
    play.send(with(equal("p", 1_000, 2), json!({ "expires_in_ms": MINUTE_MS })));
    play.check(open("p", "bob"), outcome("not-grabbed"));
    play.check(grab("p", "bob"), outcome("admitted"));
    play.check(grab("p", "bob"), outcome("already-grabbed"));
    play.check(open("p", "bob"), json!({ "outcome": "opened", "amount": 500, "sequence": 1 }));
    play.check(open("p", "bob"), json!({ "outcome": "already-opened", "amount": 500, "sequence": 1 }));
    play.check(grab("p", "bob"), json!({ "outcome": "already-opened", "amount": 500 }));
    play.check(grab("p", "carol"), outcome("admitted"));
    play.check(grab("p", "dave"), outcome("exhausted"));
    // With her seat the cache loses the reason to keep him out.
    play.check(op("lose-cache"), outcome("ok"));
    play.take("p", "dave");
    play.check(open("p", "carol"), outcome("exhausted"));
    play.send(with(equal("q", 1_000, 2), json!({ "expires_in_ms": 1 })));
    play.tell(&advance(1));
    play.check(grab("q", "bob"), outcome("expired"));
    play.check(open("q", "bob"), outcome("expired"));
    play.end_well();
}

#[test]
fn a_packet_that_nobody_sent_is_not_found() {
    let mut play = play();
    // A name that stands for nothing, and the id of a packet that never was.
    for packet in ["p", "01900000-0000-7000-8000-000000000000"] {
        play.check(grab(packet, "bob"), outcome("not-found"));
        play.check(open(packet, "bob"), outcome("not-found"));
        play.refuses(details(packet), "not-found");
    }
    play.end_well();
}

#[test]
fn a_host_that_has_no_room_is_told_as_busy() {
    let directory = tempdir().unwrap();
    let config = directory.path().join("hongbao.toml");
    fs::write(&config, "[tenants.default.limits]\nwaiting = 1\n").unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let mut play = play_with(&["--data", &path(directory.path()), "--config", &path(&config)]);
    play.send(equal("p", 20, 20));
    let names: Vec<String> = (0..20).map(|number| format!("user-{number}")).collect();
    names.iter().for_each(|name| play.check(grab("p", name), outcome("admitted")));
    // The first waits for a file, and nobody may wait beside it.
    let told = results(&mut play, names.iter().map(|name| open("p", name)).collect());
    let busy = told.iter().filter(|one| one["outcome"] == "busy").count();
    let opened = told.iter().filter(|one| one["outcome"] == "opened").count();
    assert!(busy > 0 && opened > 0 && busy + opened == names.len(), "{told:?}");
    for (name, one) in names.iter().zip(&told) {
        let expected = if one["outcome"] == "busy" { "opened" } else { "already-opened" };
        assert_eq!(play.tell(&open("p", name))["outcome"], expected, "{one}");
    }
    play.end_well();
}

#[test]
fn the_clock_stands_still_until_it_is_moved() {
    let mut play = play();
    let now = |answer: &Value| answer["now_ms"].as_u64().unwrap();
    let begun = now(&play.tell(&advance(0)));
    assert_eq!(now(&play.tell(&advance(0))), begun);
    assert_eq!(now(&play.tell(&advance(86_400_000))), begun + 86_400_000);
    for past_every_calendar in [u64::MAX, MAX] {
        play.refuses(advance(past_every_calendar), "invalid-argument");
    }
    assert_eq!(now(&play.tell(&advance(0))), begun + 86_400_000);
    play.end_well();
}

#[test]
fn an_advance_tells_of_leases_that_ended_and_of_packets_that_did() {
    let mut play = Play::start(&[]);
    play.tell(&fund("alice", MAX));
    let full = play.send(with(equal("p", 100, 1), json!({ "expires_in_ms": 2 * MINUTE_MS })));
    // Now the refund finds no room in her wallet.
    play.tell(&fund("alice", 100));
    play.tell(&fund("bob", 100));
    let from_bob = json!({ "sender": "bob", "expires_in_ms": 2 * MINUTE_MS });
    let other = play.send(with(equal("q", 100, 1), from_bob));
    play.check(grab("q", "carol"), outcome("admitted"));
    let mut told = play.tell(&advance(MINUTE_MS));
    moment(&mut told, "now_ms");
    assert_eq!(told, json!({ "op": "advance", "outcome": "ok", "leases_ended": 1, "expired": [] }));
    let mut told = play.tell(&advance(MINUTE_MS));
    moment(&mut told, "now_ms");
    let failed = told.as_object_mut().unwrap().remove("failed").unwrap();
    let expired = json!([{ "packet": other, "refunded": 100 }]);
    assert_eq!(told, json!({ "op": "advance", "outcome": "ok", "leases_ended": 0, "expired": expired }));
    assert_eq!((&failed[0]["packet"], failed.as_array().unwrap().len()), (&json!(full), 1), "{failed}");
    let why = sentence(&failed[0]["error"]);
    assert!(why.contains("no room for the refund"), "{why}");
    play.end_well();
}

#[test]
fn a_settlement_tells_whom_it_credited_in_that_order() {
    let mut play = play();
    play.send(equal("small", 200, 2));
    assert_eq!(["zoe", "bob"].map(|user| play.take("small", user)), [100, 100]);
    play.send(equal("large", 10_000, 1));
    play.take("large", "yan");
    let order = [("yan", 10_000), ("zoe", 100), ("bob", 100)]
        .map(|(user, amount)| json!({ "user": user, "amount": amount }));
    play.check(op("settle"), json!({ "outcome": "ok", "settled": 3, "order": order }));
    play.check(op("settle"), json!({ "outcome": "ok", "settled": 0, "order": [] }));
    play.end_well();
}

#[test]
fn an_audit_tells_every_sum() {
    let mut play = Play::start(&[]);
    play.tell(&fund("alice", 1_000));
    play.send(with(equal("p", 400, 4), json!({ "expires_in_ms": 1_000 })));
    play.take("p", "bob");
    play.tell(&op("settle"));
    play.take("p", "carol");
    play.take("p", "dave");
    play.tell(&advance(1_000));
    play.send(equal("q", 30, 1));
    let audit = json!({
        "outcome": "ok", "conserved": true,
        "funded": 1_000, "sent": 430, "claimed": 300, "refunded": 100, "remaining": 30,
        "wallets": 770, "escrow": 230, "held": 0, "withdrawn": 0, "unsettled": 200, "postings": 0,
        "packets": 2, "claims": 3, "movements": 5,
    });
    play.check(op("audit"), audit);
    play.end_well();
}

#[test]
fn money_leaves_by_two_events_and_the_audit_tells_where_it_is() {
    let mut play = Play::start(&[]);
    play.tell(&fund("alice", 1_000));
    let withdraw = |name: &str, amount: u64| {
        json!({ "op": "withdraw", "ref": name, "user": "alice", "amount": amount, "key": name,
                "reference": "payout 7" })
    };
    let end = |op: &str, name: &str| json!({ "op": op, "ref": name, "user": "alice" });
    let held = play.tell(&withdraw("w1", 300));
    assert_eq!((&held["outcome"], &held["balance"]), (&json!("held"), &json!(700)), "{held}");
    let id = held["withdrawal"].clone();
    play.check(withdraw("w1", 300), json!({ "outcome": "replayed", "withdrawal": id, "balance": 700 }));
    assert_eq!(play.tell(&withdraw("w1", 301))["error"]["code"], "key-reused");
    let poor = play.tell(&withdraw("w2", 701));
    assert_eq!(poor["error"]["code"], "insufficient-funds", "{poor}");
    assert_eq!(play.tell(&withdraw("w2", 0))["error"]["code"], "invalid-argument");
    play.tell(&withdraw("w3", 200));
    play.check(end("complete", "w1"), json!({ "outcome": "completed", "withdrawal": id, "amount": 300 }));
    play.check(end("complete", "w1"), json!({ "outcome": "completed", "withdrawal": id, "amount": 300 }));
    assert_eq!(play.tell(&end("cancel", "w1"))["error"]["code"], "withdrawal-completed");
    assert_eq!(play.tell(&end("cancel", "w4"))["error"]["code"], "not-found");
    let audit = play.tell(&op("audit"));
    let sums = ["funded", "wallets", "escrow", "held", "withdrawn"].map(|sum| audit[sum].as_i64().unwrap());
    assert_eq!(sums, [1_000, 500, 0, 200, 300], "{audit}");
    let late = play.tell(&advance(86_400_000));
    assert_eq!(late["outcome"], "ok");
    let found = play.tell(&op("reconcile"));
    let hanging = &found["hanging"][0];
    assert_eq!((&hanging["amount"], &hanging["reference"]), (&json!(200), &json!("payout 7")), "{found}");
    assert_eq!(found["clean"], false);
    assert_eq!(play.tell(&end("cancel", "w3"))["outcome"], "cancelled");
    assert_eq!(play.tell(&end("complete", "w3"))["error"]["code"], "withdrawal-cancelled");
    play.check(balance("alice"), holds(700));
    assert_eq!(play.tell(&op("reconcile"))["clean"], true);
    play.end_well();
}

#[test]
fn a_reconciliation_tells_what_it_looked_at_and_what_it_repaired() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let mut one = play_with(&data);
    let packet = one.send(equal("p", 200, 2));
    let clean = json!({
        "outcome": "ok", "clean": true, "packets": 1, "counters": 1,
        "found": 0, "repaired": 0, "mismatches": [], "overdue": [], "hanging": [], "discrepancies": [],
    });
    one.check(op("reconcile"), clean.clone());
    // Another process on the same ledger, with a cache of its own.
    let mut other = Play::start(&data);
    other.take(&packet, "bob");
    other.end_well();
    let mismatch = json!({ "packet": packet, "unclaimed": 1, "counted": 2, "seats": 1, "damaged": false, "repaired": true });
    let found = json!({ "clean": false, "found": 1, "repaired": 1, "mismatches": [mismatch] });
    one.check(op("reconcile"), with(clean.clone(), found));
    one.check(op("reconcile"), with(clean, json!({ "counters": 0 })));
    one.end_well();
}

#[test]
fn the_names_of_packets_end_with_their_process_and_what_it_recorded_does_not() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let mut first = play_with(&data);
    let send = keyed(equal("p", 300, 3), "k1");
    let packet = first.send(send.clone());
    assert_eq!(first.take("p", "bob"), 100);
    first.end_well();

    let mut later = Play::start(&data);
    later.check(grab("p", "bob"), outcome("not-found"));
    later.check(send, json!({ "outcome": "replayed", "packet": packet }));
    later.check(open("p", "bob"), json!({ "outcome": "already-opened", "amount": 100, "sequence": 1 }));
    assert_eq!(later.tell(&op("settle"))["settled"], 1);
    let expired = json!([{ "packet": packet, "refunded": 200 }]);
    assert_eq!(later.tell(&advance(86_400_000))["expired"], expired);
    later.check(balance("alice"), holds(999_900));
    later.end_well();
}

/// The answers to events that are said at once, which must come in the order of the events.
fn results(play: &mut Play, events: Vec<Value>) -> Vec<Value> {
    let answer = play.tell(&together(events.clone()));
    assert_eq!(answer["outcome"], "ok", "{answer}");
    let results = answer["results"].as_array().unwrap().clone();
    assert_eq!(results.len(), events.len());
    for (event, result) in events.iter().zip(&results) {
        for name in ["op", "ref", "user"] {
            assert_eq!(result.get(name), event.get(name), "{event}: {result}");
        }
    }
    results
}

#[test]
fn every_event_may_stand_in_together() {
    let mut play = play();
    play.send(equal("p", 100, 1));
    let events = vec![
        fund("bob", 5),
        lucky("q", 10, 2),
        grab("p", "bob"),
        details("p"),
        op("settle"),
        balance("carol"),
        op("reconcile"),
        op("audit"),
        advance(0),
        op("lose-cache"),
        json!({ "op": "withdraw", "ref": "w", "user": "alice", "amount": 1 }),
        open("unknown", "bob"),
    ];
    let results = results(&mut play, events);
    assert!(results[..11].iter().all(|result| result.get("error").is_none()), "{results:?}");
    assert_eq!(results[11]["outcome"], "not-found");
    play.check(together([]), json!({ "outcome": "ok", "results": [] }));
    play.end_well();
}

#[test]
fn the_answers_of_together_come_in_the_order_of_its_events() {
    let mut play = play();
    play.send(lucky("p", 1_000, 10));
    for event in [grab, open] {
        let told = results(&mut play, (0..150).map(|number| event("p", &format!("user-{number}"))).collect());
        let got = told.iter().filter(|one| one["outcome"] == "admitted" || one["outcome"] == "opened");
        assert_eq!(got.count(), 10, "{told:?}");
    }
    play.end_well();
}

fn drawn(seed: &[&str]) -> Vec<u64> {
    let mut play = play_with(seed);
    play.send(lucky("p", 20_000, 20));
    let amounts = (0..20).map(|number| play.take("p", &format!("user-{number}"))).collect();
    play.end_well();
    amounts
}

#[test]
fn the_same_seed_draws_the_same_amounts_and_another_one_others() {
    let eight = drawn(&["--seed", "8"]);
    let directory = tempdir().unwrap();
    let data = directory.path().to_str().unwrap();
    assert_eq!(eight, drawn(&["--seed", "8", "--data", data]), "in either ledger");
    assert_ne!(eight, drawn(&["--seed", "9"]));
    assert_ne!(drawn(&[]), drawn(&[]));
}
