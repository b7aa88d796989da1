//! Settlement, audit and reconciliation: where every cent is.

use hongbao_host::store::RETRY_MS;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::events::{advance, balance, equal, fund, grab, op, outcome, play, play_with, with};
use crate::process::Play;

/// An equal packet with one share for each of these users, who take them in this order.
fn give(play: &mut Play, packet: &str, share: u64, users: &[&str]) {
    play.send(equal(packet, share * users.len() as u64, users.len() as u32));
    users.iter().for_each(|user| assert_eq!(play.take(packet, user), share));
}

fn credit(user: &str, amount: u64) -> Value {
    json!({ "user": user, "amount": amount })
}

#[test]
fn large_claims_are_settled_first_then_in_the_order_of_claiming() {
    let mut play = play();
    give(&mut play, "small", 9_999, &["zoe", "bob"]);
    give(&mut play, "large", 10_000, &["yan", "carol"]);
    give(&mut play, "tiny", 1, &["xi"]);
    give(&mut play, "largest", 20_000, &["dave"]);
    play.check(balance("dave"), json!({ "outcome": "ok", "balance": 0 }));
    let order =
        [("yan", 10_000), ("carol", 10_000), ("dave", 20_000), ("zoe", 9_999), ("bob", 9_999), ("xi", 1)];
    let order: Vec<Value> = order.iter().map(|(user, amount)| credit(user, *amount)).collect();
    play.check(op("settle"), json!({ "outcome": "ok", "settled": 6, "order": order }));
    play.check(op("settle"), json!({ "outcome": "ok", "settled": 0, "order": [] }));
    play.check(balance("dave"), json!({ "outcome": "ok", "balance": 20_000 }));
    play.check(balance("xi"), json!({ "outcome": "ok", "balance": 1 }));
    play.end_well();
}

#[test]
fn a_settlement_drains_hundreds_of_claims() {
    let mut play = play();
    for packet in 0..6 {
        let users: Vec<String> = (0..100).map(|user| format!("user-{packet}-{user}")).collect();
        give(&mut play, &format!("p{packet}"), 2, &users.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let settled = play.tell(&op("settle"));
    assert_eq!((&settled["settled"], settled["order"].as_array().unwrap().len()), (&json!(600), 600));
    assert_eq!(
        (&settled["order"][0], &settled["order"][599]),
        (&credit("user-0-0", 2), &credit("user-5-99", 2))
    );
    play.end_well();
}

#[test]
fn what_one_process_claimed_another_settles_once() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let mut first = play_with(&data);
    give(&mut first, "p", 100, &["bob", "carol"]);
    first.end_well();
    let mut later = Play::start(&data);
    let order = [credit("bob", 100), credit("carol", 100)];
    later.check(op("settle"), json!({ "outcome": "ok", "settled": 2, "order": order }));
    later.end_well();
    let mut last = Play::start(&data);
    last.check(op("settle"), json!({ "outcome": "ok", "settled": 0, "order": [] }));
    last.check(balance("bob"), json!({ "outcome": "ok", "balance": 100 }));
    last.end_well();
}

#[test]
fn wallets_that_were_filled_by_claims_can_send() {
    let mut play = Play::start(&[]);
    play.tell(&fund("alice", 100));
    give(&mut play, "p", 100, &["bob"]);
    let from_bob = with(equal("q", 100, 1), json!({ "sender": "bob" }));
    play.refuses(from_bob.clone(), "insufficient-funds");
    play.tell(&op("settle"));
    play.send(from_bob);
    play.check(balance("bob"), json!({ "outcome": "ok", "balance": 0 }));
    play.end_well();
}

/// The sums of a play in which everything happens once, after each step of it.
fn audits(play: &mut Play) -> Vec<Value> {
    let mut audits = vec![play.tell(&op("audit"))];
    play.tell(&fund("alice", 1_000));
    play.send(with(equal("p", 300, 3), json!({ "expires_in_ms": 1_000 })));
    audits.push(play.tell(&op("audit")));
    play.take("p", "bob");
    play.take("p", "carol");
    audits.push(play.tell(&op("audit")));
    play.tell(&op("settle"));
    audits.push(play.tell(&op("audit")));
    play.tell(&advance(1_000));
    audits.push(play.tell(&op("audit")));
    audits
}

fn audit(sums: [u64; 9], [packets, claims, movements]: [u64; 3]) -> Value {
    let [funded, sent, claimed, refunded, remaining, wallets, escrow, unsettled, postings] = sums;
    json!({
        "op": "audit", "outcome": "ok", "conserved": true,
        "funded": funded, "sent": sent, "claimed": claimed, "refunded": refunded, "remaining": remaining,
        "wallets": wallets, "escrow": escrow, "unsettled": unsettled, "postings": postings,
        "packets": packets, "claims": claims, "movements": movements,
    })
}

#[test]
fn the_audit_follows_every_cent_in_either_ledger() {
    let expected = [
        audit([0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0]),
        audit([1_000, 300, 0, 0, 300, 700, 300, 0, 0], [1, 0, 2]),
        audit([1_000, 300, 200, 0, 100, 700, 300, 200, 0], [1, 2, 2]),
        audit([1_000, 300, 200, 0, 100, 900, 100, 0, 0], [1, 2, 4]),
        audit([1_000, 300, 200, 100, 0, 1_000, 0, 0, 0], [1, 2, 5]),
    ];
    let directory = tempdir().unwrap();
    for args in [&[][..], &["--data", directory.path().to_str().unwrap()]] {
        let mut play = Play::start(args);
        assert_eq!(audits(&mut play), expected, "{args:?}");
        play.end_well();
    }
}

#[test]
fn reconciliation_of_books_that_agree_finds_nothing() {
    let mut play = play();
    let clean = |packets: u64, counters: u64| {
        json!({
            "outcome": "ok", "clean": true, "packets": packets, "counters": counters,
            "found": 0, "repaired": 0, "mismatches": [], "overdue": [], "discrepancies": [],
        })
    };
    play.check(op("reconcile"), clean(0, 0));
    give(&mut play, "over", 100, &["bob"]);
    play.send(equal("p", 300, 3));
    play.take("p", "bob");
    play.check(grab("p", "carol"), outcome("admitted"));
    play.check(op("reconcile"), clean(1, 1));
    play.check(op("lose-cache"), outcome("ok"));
    play.check(op("reconcile"), clean(1, 0));
    play.end_well();
}

#[test]
fn reconciliation_repairs_a_counter_that_missed_a_claim() {
    let directory = tempdir().unwrap();
    let data = ["--data", directory.path().to_str().unwrap()];
    let mut one = play_with(&data);
    let send = with(equal("p", 200, 2), json!({ "key": "k1" }));
    let packet = one.send(send.clone());
    // Another host on the same ledger, with a cache of its own.
    let mut other = Play::start(&data);
    other.check(send, json!({ "outcome": "replayed", "packet": packet }));
    other.take("p", "bob");
    other.end_well();

    let mismatch = json!({ "packet": packet, "unclaimed": 1, "counted": 2, "seats": 1, "damaged": false, "repaired": true });
    let found = json!({
        "outcome": "ok", "clean": false, "packets": 1, "counters": 1,
        "found": 1, "repaired": 1, "mismatches": [mismatch], "overdue": [], "discrepancies": [],
    });
    one.check(op("reconcile"), found);
    let again = one.tell(&op("reconcile"));
    assert_eq!((&again["clean"], &again["counters"]), (&json!(true), &json!(0)));
    one.check(grab("p", "bob"), json!({ "outcome": "already-opened", "amount": 100 }));
    one.take("p", "carol");
    one.check(grab("p", "dave"), outcome("exhausted"));
    one.end_well();
}

#[test]
fn a_refund_that_cannot_be_posted_is_named_and_holds_up_no_other() {
    const MAX: u64 = i64::MAX as u64;
    let directory = tempdir().unwrap();
    for args in [&[][..], &["--data", directory.path().to_str().unwrap()]] {
        let mut play = Play::start(args);
        play.tell(&fund("alice", MAX));
        let first = play.send(with(equal("first", 100, 1), json!({ "expires_in_ms": 1_000 })));
        // Now the refund finds no room in the wallet.
        play.tell(&fund("alice", 100));
        play.tell(&fund("bob", 100));
        let from_bob = json!({ "sender": "bob", "expires_in_ms": 2_000 });
        play.send(with(equal("second", 100, 1), from_bob));
        let swept = play.tell(&advance(2_000));
        assert_eq!(swept["expired"][0]["refunded"], 100, "{swept}");
        assert_eq!(swept["failed"][0]["packet"], *first, "{swept}");
        let why = swept["failed"][0]["error"]["message"].as_str().unwrap();
        assert!(why.contains("no room for the refund"), "{why}");
        play.check(balance("bob"), json!({ "outcome": "ok", "balance": 100 }));
        play.check(balance("alice"), json!({ "outcome": "ok", "balance": MAX }));
        assert_eq!(play.tell(&op("audit"))["conserved"], true);
    }
}

#[test]
fn a_claim_that_cannot_be_credited_waits_and_holds_up_no_other() {
    const MAX: u64 = i64::MAX as u64;
    let directory = tempdir().unwrap();
    for args in [&[][..], &["--data", directory.path().to_str().unwrap()]] {
        let mut play = play_with(args);
        play.tell(&fund("rich", MAX));
        let packet = play.send(equal("p", 200, 2));
        play.take("p", "rich");
        play.take("p", "bob");
        play.check(op("settle"), json!({ "outcome": "ok", "settled": 1, "order": [credit("bob", 100)] }));
        assert_eq!(play.tell(&op("reconcile"))["clean"], true, "it will be tried again");
        for after in RETRY_MS {
            play.tell(&advance(after));
            play.check(op("settle"), json!({ "outcome": "ok", "settled": 0, "order": [] }));
        }
        let found = play.tell(&op("reconcile"));
        let waits = json!([{
            "subject": format!("claim of rich on packet {packet}"),
            "rule": "a claim can be settled", "expected": 100, "found": 0,
        }]);
        assert_eq!((&found["clean"], &found["discrepancies"]), (&json!(false), &waits));
        assert_eq!(play.tell(&op("audit"))["unsettled"], 100);
        play.end_well();
    }
}
