//! Details: a packet as the room sees it.

use serde_json::{Value, json};

use crate::events::{advance, details, equal, lucky, play, with};

/// Claims without the moment of each, which is checked apart.
fn claims(details: &Value) -> Vec<Value> {
    let claims = details["claims"].as_array().unwrap().iter().cloned();
    claims
        .map(|mut claim| {
            assert!(claim["claimed_at_ms"].is_u64(), "{claim}");
            claim.as_object_mut().unwrap().remove("claimed_at_ms");
            claim
        })
        .collect()
}

fn claim(user: &str, amount: u64, sequence: u32, best_luck: bool) -> Value {
    json!({ "user": user, "amount": amount, "sequence": sequence, "best_luck": best_luck })
}

fn sums(details: &Value) -> Value {
    let fields = ["state", "total", "shares", "claimed_amount", "claimed_shares", "refunded"];
    fields.iter().map(|field| details[field].clone()).collect()
}

#[test]
fn a_packet_is_open_until_its_last_share_is_claimed() {
    let mut play = play();
    play.send(equal("p", 200, 2));
    let shown = play.tell(&details("p"));
    assert_eq!(sums(&shown), json!(["open", 200, 2, 0, 0, 0]));
    assert_eq!(shown["claims"], json!([]));
    play.take("p", "bob");
    assert_eq!(sums(&play.tell(&details("p"))), json!(["open", 200, 2, 100, 1, 0]));
    play.take("p", "carol");
    assert_eq!(sums(&play.tell(&details("p"))), json!(["finished", 200, 2, 200, 2, 0]));
    play.end_well();
}

#[test]
fn a_packet_past_its_time_is_expired() {
    let mut play = play();
    play.send(with(equal("p", 300, 3), json!({ "expires_in_ms": 1_000 })));
    play.take("p", "bob");
    play.tell(&advance(1_000));
    let shown = play.tell(&details("p"));
    assert_eq!(sums(&shown), json!(["expired", 300, 3, 100, 1, 200]));
    assert_eq!(claims(&shown), [claim("bob", 100, 1, true)]);
    play.end_well();
}

#[test]
fn claims_come_in_their_order_and_the_first_of_equal_ones_has_the_best_luck() {
    let mut play = play();
    play.send(equal("p", 300, 3));
    // Not in the order of their names.
    for (user, ms) in [("dave", 5), ("bob", 10), ("carol", 0)] {
        play.take("p", user);
        play.tell(&advance(ms));
    }
    let shown = play.tell(&details("p"));
    let expected = [claim("dave", 100, 1, true), claim("bob", 100, 2, false), claim("carol", 100, 3, false)];
    assert_eq!(claims(&shown), expected);
    let sent = shown["sent_at_ms"].as_u64().unwrap();
    let after = |at: usize| shown["claims"][at]["claimed_at_ms"].as_u64().unwrap() - sent;
    assert_eq!([after(0), after(1), after(2)], [0, 5, 15]);
    play.end_well();
}

#[test]
fn the_largest_share_so_far_has_the_best_luck() {
    let mut play = play();
    play.send(lucky("p", 2_000, 20));
    let mut amounts = Vec::new();
    for user in 0..20 {
        amounts.push(play.take("p", &format!("user-{user:02}")));
        let shown = claims(&play.tell(&details("p")));
        let most = amounts.iter().max().unwrap();
        let best = amounts.iter().position(|amount| amount == most).unwrap();
        let expected = amounts.iter().enumerate();
        let expected =
            expected.map(|(at, amount)| claim(&format!("user-{at:02}"), *amount, at as u32 + 1, at == best));
        assert_eq!(shown, expected.collect::<Vec<_>>());
    }
    play.end_well();
}

#[test]
fn a_hundred_claims_are_shown() {
    let mut play = play();
    play.send(equal("p", 100, 100));
    (0..100).for_each(|user| assert_eq!(play.take("p", &format!("user-{user}")), 1));
    let shown = play.tell(&details("p"));
    assert_eq!(claims(&shown).len(), 100);
    assert_eq!(claims(&shown)[99], claim("user-99", 1, 100, false));
    play.end_well();
}
