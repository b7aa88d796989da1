//! Grab and open: every answer that a user can get.

use serde_json::json;

use crate::events::{advance, details, equal, grab, lucky, op, open, outcome, play, with};

const MINUTE_MS: u64 = 60_000;

#[test]
fn a_share_is_grabbed_then_opened_and_both_stay_so() {
    let mut play = play();
    play.send(equal("p", 1_000, 2));
    play.check(grab("p", "bob"), outcome("admitted"));
    play.check(grab("p", "bob"), outcome("already-grabbed"));
    play.check(open("p", "bob"), json!({ "outcome": "opened", "amount": 500, "sequence": 1 }));
    play.check(open("p", "bob"), json!({ "outcome": "already-opened", "amount": 500, "sequence": 1 }));
    play.check(grab("p", "bob"), json!({ "outcome": "already-opened", "amount": 500 }));
    play.check(grab("p", "carol"), outcome("admitted"));
    play.check(open("p", "carol"), json!({ "outcome": "opened", "amount": 500, "sequence": 2 }));
    play.end_well();
}

#[test]
fn a_packet_without_free_slots_is_exhausted_for_those_who_come_late() {
    let mut play = play();
    play.send(equal("p", 100, 1));
    play.check(grab("p", "bob"), outcome("admitted"));
    play.check(grab("p", "carol"), outcome("exhausted"));
    play.check(open("p", "carol"), outcome("not-grabbed"));
    play.check(open("p", "bob"), json!({ "outcome": "opened", "amount": 100, "sequence": 1 }));
    play.check(grab("p", "carol"), outcome("exhausted"));
    play.check(grab("p", "bob"), json!({ "outcome": "already-opened", "amount": 100 }));
    play.end_well();
}

#[test]
fn who_has_not_grabbed_cannot_open() {
    let mut play = play();
    play.send(equal("p", 100, 1));
    play.check(open("p", "bob"), outcome("not-grabbed"));
    play.check(grab("p", "bob"), outcome("admitted"));
    play.end_well();
}

#[test]
fn a_packet_that_nobody_sent_is_not_found() {
    let mut play = play();
    play.check(grab("p", "bob"), outcome("not-found"));
    play.check(open("p", "bob"), outcome("not-found"));
    play.refuses(details("p"), "not-found");
    // The id of a packet that never was, in place of a name.
    let id = "01900000-0000-7000-8000-000000000000";
    play.check(grab(id, "bob"), outcome("not-found"));
    play.check(open(id, "bob"), outcome("not-found"));
    play.refuses(details(id), "not-found");
    play.end_well();
}

#[test]
fn an_exclusive_packet_is_for_the_named_alone() {
    let mut play = play();
    play.send(with(equal("p", 200, 2), json!({ "to": ["bob", "carol"] })));
    play.check(grab("p", "dave"), outcome("not-eligible"));
    play.check(open("p", "dave"), outcome("not-grabbed"));
    play.check(grab("p", "alice"), outcome("not-eligible"));
    assert_eq!(play.take("p", "bob"), 100);
    assert_eq!(play.take("p", "carol"), 100);
    play.check(grab("p", "dave"), outcome("not-eligible"));
    play.end_well();
}

#[test]
fn a_lost_cache_lets_no_stranger_into_an_exclusive_packet() {
    let mut play = play();
    play.send(with(equal("p", 200, 2), json!({ "to": ["bob", "carol"] })));
    play.take("p", "bob");
    play.check(op("lose-cache"), outcome("ok"));
    play.check(open("p", "dave"), outcome("not-grabbed"));
    play.check(grab("p", "dave"), outcome("not-eligible"));
    assert_eq!(play.take("p", "carol"), 100);
    play.end_well();
}

#[test]
fn more_may_be_named_than_there_are_shares() {
    let mut play = play();
    play.send(with(equal("p", 100, 1), json!({ "to": ["bob", "carol"] })));
    play.take("p", "carol");
    play.check(grab("p", "bob"), outcome("exhausted"));
    play.end_well();
}

#[test]
fn senders_may_take_a_share_of_their_own() {
    let mut play = play();
    play.send(equal("p", 200, 2));
    assert_eq!(play.take("p", "alice"), 100);
    play.end_well();
}

#[test]
fn a_seat_lasts_a_minute_and_then_its_slot_is_free_again() {
    let mut play = play();
    play.send(equal("p", 100, 1));
    play.check(grab("p", "bob"), outcome("admitted"));
    assert_eq!(play.tell(&advance(MINUTE_MS - 1))["leases_ended"], 0);
    play.check(grab("p", "carol"), outcome("exhausted"));
    play.check(grab("p", "bob"), outcome("already-grabbed"));
    assert_eq!(play.tell(&advance(1))["leases_ended"], 1);
    play.check(open("p", "bob"), outcome("not-grabbed"));
    assert_eq!(play.take("p", "carol"), 100);
    play.check(grab("p", "bob"), outcome("exhausted"));
    play.end_well();
}

#[test]
fn a_seat_that_is_opened_in_its_last_instant_counts() {
    let mut play = play();
    play.send(equal("p", 100, 1));
    play.check(grab("p", "bob"), outcome("admitted"));
    play.tell(&advance(MINUTE_MS - 1));
    play.check(open("p", "bob"), json!({ "outcome": "opened", "amount": 100, "sequence": 1 }));
    assert_eq!(play.tell(&advance(MINUTE_MS))["leases_ended"], 0);
    play.check(open("p", "bob"), json!({ "outcome": "already-opened", "amount": 100, "sequence": 1 }));
    play.end_well();
}

#[test]
fn a_packet_past_its_time_gives_no_more_but_remembers() {
    let mut play = play();
    play.send(with(equal("p", 300, 3), json!({ "expires_in_ms": 1_000 })));
    play.take("p", "bob");
    play.check(grab("p", "carol"), outcome("admitted"));
    play.tell(&advance(999));
    play.check(grab("p", "dave"), outcome("admitted"));
    play.tell(&advance(1));
    for user in ["carol", "dave", "erin"] {
        play.check(grab("p", user), outcome("expired"));
        play.check(open("p", user), outcome("expired"));
    }
    play.check(grab("p", "bob"), json!({ "outcome": "already-opened", "amount": 100 }));
    play.check(open("p", "bob"), json!({ "outcome": "already-opened", "amount": 100, "sequence": 1 }));
    play.end_well();
}

#[test]
fn a_finished_packet_is_exhausted_rather_than_expired() {
    let mut play = play();
    play.send(with(equal("p", 100, 1), json!({ "expires_in_ms": 1_000 })));
    play.take("p", "bob");
    play.tell(&advance(1_000));
    play.check(grab("p", "carol"), outcome("exhausted"));
    play.check(grab("p", "bob"), json!({ "outcome": "already-opened", "amount": 100 }));
    play.end_well();
}

#[test]
fn a_lost_cache_lets_seat_holders_through_and_loses_nothing() {
    let mut play = play();
    play.send(equal("p", 300, 3));
    play.take("p", "bob");
    play.check(grab("p", "carol"), outcome("admitted"));
    play.check(op("lose-cache"), outcome("ok"));
    play.check(open("p", "carol"), json!({ "outcome": "opened", "amount": 100, "sequence": 2 }));
    play.check(grab("p", "bob"), json!({ "outcome": "already-opened", "amount": 100 }));
    play.check(open("p", "bob"), json!({ "outcome": "already-opened", "amount": 100, "sequence": 1 }));
    assert_eq!(play.take("p", "dave"), 100);
    play.check(grab("p", "erin"), outcome("exhausted"));
    play.end_well();
}

#[test]
fn who_grabbed_before_the_cache_was_lost_may_find_it_exhausted() {
    let mut play = play();
    play.send(equal("p", 100, 1));
    play.check(grab("p", "bob"), outcome("admitted"));
    play.check(op("lose-cache"), outcome("ok"));
    // The cache knows nothing of bob's seat, so carol gets the only slot.
    assert_eq!(play.take("p", "carol"), 100);
    play.check(open("p", "bob"), outcome("exhausted"));
    play.check(open("p", "carol"), json!({ "outcome": "already-opened", "amount": 100, "sequence": 1 }));
    play.end_well();
}

#[test]
fn a_minute_after_the_cache_was_lost_seats_are_asked_for_again() {
    let mut play = play();
    play.send(equal("p", 200, 2));
    play.check(op("lose-cache"), outcome("ok"));
    play.take("p", "bob");
    play.tell(&advance(MINUTE_MS));
    play.check(open("p", "carol"), outcome("not-grabbed"));
    play.take("p", "carol");
    play.end_well();
}

#[test]
fn lucky_shares_add_up_to_the_total_under_every_strategy() {
    for strategy in ["double-average", "wechat-observed", "line-cut"] {
        let mut play = play();
        play.send(with(lucky("p", 60, 15), json!({ "strategy": strategy })));
        let amounts: Vec<u64> = (0..15).map(|user| play.take("p", &format!("user-{user}"))).collect();
        assert_eq!(amounts.iter().sum::<u64>(), 60, "{strategy}: {amounts:?}");
        assert!(amounts.iter().all(|amount| *amount >= 1), "{strategy}: {amounts:?}");
        play.check(grab("p", "late"), outcome("exhausted"));
        play.end_well();
    }
}
