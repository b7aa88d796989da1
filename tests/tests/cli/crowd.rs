//! Many at once, and the seed that makes amounts repeatable.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::events::{
    advance, balance, details, equal, fund, grab, lucky, op, open, outcome, play, play_with, together, with,
};
use crate::process::Play;

fn user(number: u32) -> String {
    format!("user-{number:03}")
}

/// Says events at once; gives their answers, which must come in the order of the events.
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

fn with_outcome<'a>(results: &'a [Value], outcome: &str) -> Vec<&'a Value> {
    results.iter().filter(|result| result["outcome"] == outcome).collect()
}

fn amounts(results: &[&Value]) -> u64 {
    results.iter().map(|result| result["amount"].as_u64().unwrap()).sum()
}

/// A hundred and fifty users on ten shares.
fn storm(play: &mut Play) {
    play.send(lucky("p", 1_000, 10));
    let grabs = results(play, (0..150).map(|number| grab("p", &user(number))).collect());
    assert_eq!(with_outcome(&grabs, "admitted").len(), 10);
    assert_eq!(with_outcome(&grabs, "exhausted").len(), 140);
    let opens = results(play, (0..150).map(|number| open("p", &user(number))).collect());
    let opened = with_outcome(&opens, "opened");
    assert_eq!((opened.len(), amounts(&opened)), (10, 1_000));
    let sequences: BTreeSet<u64> = opened.iter().map(|result| result["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (1..=10).collect());
    for (grabbed, result) in grabs.iter().zip(&opens) {
        let expected = if grabbed["outcome"] == "admitted" { "opened" } else { "not-grabbed" };
        assert_eq!(result["outcome"], expected, "{grabbed} {result}");
    }
    claims_are_what_was_told(&play.tell(&details("p")), &opened);
}

fn claims_are_what_was_told(shown: &Value, opened: &[&Value]) {
    let claims = shown["claims"].as_array().unwrap();
    let told = |of: &Value| (of["sequence"].clone(), of["user"].clone(), of["amount"].clone());
    let mut opened: Vec<_> = opened.iter().map(|result| told(result)).collect();
    opened.sort_by_key(|(sequence, ..)| sequence.as_u64());
    assert_eq!(claims.iter().map(told).collect::<Vec<_>>(), opened);
    assert_eq!(shown["state"], "finished");
}

#[test]
fn exactly_as_many_as_there_are_shares_open_at_once() {
    let directory = tempdir().unwrap();
    for args in [&[][..], &["--data", directory.path().to_str().unwrap()]] {
        let mut play = play_with(args);
        storm(&mut play);
        let settled = play.tell(&op("settle"));
        assert_eq!(settled["settled"], 10);
        assert_eq!(play.tell(&op("audit"))["claimed"], 1_000);
        play.end_well();
    }
}

#[test]
fn a_user_with_many_thumbs_gets_one_share() {
    let mut play = play();
    play.send(equal("p", 1_000, 10));
    let grabs = results(&mut play, (0..120).map(|number| grab("p", &user(number % 5))).collect());
    assert_eq!(with_outcome(&grabs, "admitted").len(), 5);
    assert_eq!(with_outcome(&grabs, "already-grabbed").len(), 115);
    let opens = results(&mut play, (0..120).map(|number| open("p", &user(number % 5))).collect());
    assert_eq!(with_outcome(&opens, "opened").len(), 5);
    let again = with_outcome(&opens, "already-opened");
    assert_eq!((again.len(), amounts(&again)), (115, 11_500));
    for number in 0..5 {
        let own: Vec<&Value> = opens.iter().skip(number).step_by(5).collect();
        assert!(own.iter().all(|result| result["sequence"] == own[0]["sequence"]), "{own:?}");
    }
    play.end_well();
}

#[test]
fn grabs_and_opens_of_several_packets_may_come_all_at_once() {
    let mut play = play();
    let packets = ["a", "b", "c", "d"];
    packets.iter().for_each(|packet| drop(play.send(lucky(packet, 500, 20))));
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    // People tap until they know: each round is grabs and opens of everybody, in any order.
    for _ in 0..6 {
        let events = (0..100).flat_map(|number| {
            let packet = packets[number as usize % 4];
            [open(packet, &user(number)), grab(packet, &user(number))]
        });
        for result in with_outcome(&results(&mut play, events.collect()), "opened") {
            let text = |name: &str| result[name].as_str().unwrap().to_owned();
            assert!(told.insert((text("ref"), text("user"))), "twice: {result}");
        }
    }
    assert_eq!(told.len(), 80);
    for packet in packets {
        let shown = play.tell(&details(packet));
        assert_eq!((&shown["state"], &shown["claimed_amount"]), (&json!("finished"), &json!(500)));
    }
    play.end_well();
}

#[test]
fn the_same_send_from_many_phones_is_sent_once() {
    let mut play = play();
    let send = with(lucky("p", 1_000, 10), json!({ "key": "k1" }));
    let sends = results(&mut play, vec![send; 50]);
    assert_eq!(with_outcome(&sends, "sent").len(), 1);
    assert_eq!(with_outcome(&sends, "replayed").len(), 49);
    assert!(sends.iter().all(|result| result["packet"] == sends[0]["packet"]));
    play.check(balance("alice"), json!({ "outcome": "ok", "balance": 999_000 }));
    play.end_well();
}

#[test]
fn sends_at_once_never_spend_more_than_there_is() {
    let mut play = Play::start(&[]);
    play.tell(&fund("alice", 1_000));
    let sends = results(&mut play, (0..50).map(|number| lucky(&format!("p{number}"), 100, 5)).collect());
    assert_eq!(with_outcome(&sends, "sent").len(), 10);
    let refused = sends.iter().filter(|result| result["error"]["code"] == "insufficient-funds");
    assert_eq!(refused.count(), 40);
    play.check(balance("alice"), json!({ "outcome": "ok", "balance": 0 }));
    play.end_well();
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
        json!({ "op": "advance", "ms": 0 }),
        op("lose-cache"),
        open("unknown", "bob"),
    ];
    let results = results(&mut play, events);
    assert!(results[..10].iter().all(|result| result.get("error").is_none()), "{results:?}");
    assert_eq!(results[10]["outcome"], "not-found");
    play.check(together([]), json!({ "outcome": "ok", "results": [] }));
    play.end_well();
}

#[test]
fn a_cache_lost_in_the_middle_of_a_storm_costs_nothing() {
    let mut play = play();
    play.send(lucky("p", 1_000, 50));
    for _ in 0..4 {
        let taps = (0..100).flat_map(|number| [grab("p", &user(number)), open("p", &user(number))]);
        let mut events: Vec<Value> = taps.collect();
        (0..200).step_by(20).for_each(|at| events.insert(at, op("lose-cache")));
        results(&mut play, events);
    }
    // Whoever holds a seat that nobody opened may keep others out; they open now.
    for number in 0..100 {
        play.tell(&open("p", &user(number)));
    }
    let shown = play.tell(&details("p"));
    assert_eq!((&shown["state"], &shown["claimed_shares"]), (&json!("finished"), &json!(50)));
    assert_eq!(shown["claimed_amount"], 1_000);
    play.check(grab("p", "late"), outcome("exhausted"));
    play.end_well();
}

#[test]
fn a_crowd_past_the_queue_is_told_so_and_asks_again() {
    const CROWD: u32 = 15_000;
    let mut play = play();
    play.send(equal("p", 100, 100));
    for event in [grab, open] {
        let mut crowd: Vec<u32> = (0..CROWD).collect();
        while !crowd.is_empty() {
            let told = results(&mut play, crowd.iter().map(|number| event("p", &user(*number))).collect());
            let known = ["admitted", "exhausted", "opened", "not-grabbed", "busy"];
            assert!(told.iter().all(|one| known.iter().any(|outcome| one["outcome"] == *outcome)));
            let again = crowd.iter().zip(&told).filter(|(_, one)| one["outcome"] == "busy");
            crowd = again.map(|(number, _)| *number).collect();
        }
    }
    let shown = play.tell(&details("p"));
    assert_eq!((&shown["state"], &shown["claimed_amount"]), (&json!("finished"), &json!(100)));
    play.end_well();
}

#[test]
fn opens_that_race_with_the_end_of_a_packet_take_or_leave_but_never_both() {
    for round in 0..5 {
        let mut play = play();
        let packet = play.send(with(lucky("p", 5_000, 50), json!({ "expires_in_ms": 1_000 })));
        let grabs = results(&mut play, (0..50).map(|number| grab("p", &user(number))).collect());
        assert_eq!(with_outcome(&grabs, "admitted").len(), 50);
        let mut events: Vec<Value> = (0..50).map(|number| open("p", &user(number))).collect();
        events.insert(5 * round, advance(1_000));
        let told = results(&mut play, events);
        let opened = with_outcome(&told, "opened");
        assert_eq!(opened.len() + with_outcome(&told, "expired").len(), 50, "{told:?}");
        // What the sweep may have missed by a moment, the next one finds.
        let swept = [told[5 * round].clone(), play.tell(&advance(0))];
        let refunds: Vec<&Value> = swept.iter().flat_map(|one| one["expired"].as_array().unwrap()).collect();
        let left = 5_000 - amounts(&opened);
        let expected = json!({ "packet": packet, "refunded": left });
        assert_eq!(refunds, if left > 0 { vec![&expected] } else { Vec::new() });
        play.check(balance("alice"), json!({ "outcome": "ok", "balance": 995_000 + left }));
        play.end_well();
    }
}

#[test]
fn settlements_at_once_credit_each_claim_once() {
    let mut play = play();
    play.send(equal("p", 10_000, 100));
    (0..100).for_each(|number| assert_eq!(play.take("p", &user(number)), 100));
    let told = results(&mut play, vec![op("settle"); 10]);
    let mut credited: Vec<&str> = told
        .iter()
        .flat_map(|one| one["order"].as_array().unwrap())
        .map(|credit| credit["user"].as_str().unwrap())
        .collect();
    credited.sort_unstable();
    assert_eq!(credited, (0..100).map(user).collect::<Vec<_>>());
    play.check(balance(&user(99)), json!({ "outcome": "ok", "balance": 100 }));
    play.end_well();
}

fn drawn(seed: &[&str]) -> Vec<u64> {
    let mut play = play_with(seed);
    play.send(lucky("p", 20_000, 20));
    let amounts = (0..20).map(|number| play.take("p", &user(number))).collect();
    play.end_well();
    amounts
}

#[test]
fn the_same_seed_draws_the_same_amounts_and_another_one_others() {
    let eight = drawn(&["--seed", "8"]);
    assert_eq!(eight, drawn(&["--seed", "8"]));
    assert_ne!(eight, drawn(&["--seed", "9"]));
    assert_ne!(drawn(&[]), drawn(&[]));
}

#[test]
fn the_seed_draws_the_same_in_either_ledger() {
    let directory = tempdir().unwrap();
    let kept = drawn(&["--seed", "8", "--data", directory.path().to_str().unwrap()]);
    assert_eq!(kept, drawn(&["--seed", "8"]));
}
