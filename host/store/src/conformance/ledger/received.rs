//! What a user got out of packets, the latest first.

use super::*;
use crate::{Place, Received};

checks! { Bench of Ledger:
    a_share_is_received_from_the_claim_on,
    the_share_that_was_claimed_last_comes_first,
    shares_of_the_same_time_are_told_in_the_order_of_packets,
    received_shares_are_walked_through_without_gaps,
    a_place_need_not_be_taken,
    shares_of_others_and_of_elsewhere_are_not_told,
}

async fn page(bench: &Bench, name: &str, before: Option<Place>, limit: u32) -> Vec<Received> {
    bench.ledger.received(&bench.tenant, &user(name), before, limit).await.expect("received answers")
}

fn place(bench: &Bench, at: u64, number: u64) -> Place {
    Place { claimed_at_ms: START + at, packet: bench.packet(number).packet }
}

fn places(received: &[Received]) -> Vec<Place> {
    received.iter().map(Received::place).collect()
}

/// Claims 1 of the `number`th packet, which is made where it is missing.
async fn claimed(bench: &Bench, name: &str, number: u64, at: u64) {
    let key = bench.packet(number);
    if bench.load(&key, &[]).await.is_none() {
        bench.sent(number, 100, 20).await;
    }
    let version = bench.standing(&key).await.version;
    let answer = bench.claim(&key, version, &[(name, 1)], at).await;
    assert!(matches!(answer, Claimed::Committed(_)), "{answer:?}");
}

async fn a_share_is_received_from_the_claim_on(bench: Bench) {
    assert_eq!(page(&bench, "bob", None, 10).await, []);
    let plain = order("key", 100, 2);
    let key = bench.send(1, Order { room: text("hall"), greeting: "好运".into(), ..plain }).await;
    assert_eq!(page(&bench, "bob", None, 10).await, [], "nothing is claimed");
    bench.take(&key, &[("carol", 60), ("bob", 40)]).await;
    let expected = Received {
        packet: key.packet,
        room: text("hall"),
        sender: user("alice"),
        greeting: "好运".into(),
        claim: claim("bob", 40, 2),
    };
    assert_eq!(page(&bench, "bob", None, 10).await, std::slice::from_ref(&expected));
    assert_eq!(page(&bench, "alice", None, 10).await, [], "the sender received nothing");
    bench.settle(10).await;
    assert_eq!(page(&bench, "bob", None, 10).await, [expected], "settled it is the same share");
}

async fn the_share_that_was_claimed_last_comes_first(bench: Bench) {
    for (number, at) in [(1, 30), (2, 10), (3, 40), (4, 20)] {
        claimed(&bench, "bob", number, at).await;
    }
    let [first, second, third, fourth] =
        [(40, 3), (30, 1), (20, 4), (10, 2)].map(|(at, number)| place(&bench, at, number));
    let pages: [(Option<Place>, u32, &[Place]); 6] = [
        (None, u32::MAX, &[first, second, third, fourth]),
        (None, 2, &[first, second]),
        (None, 0, &[]),
        (Some(second), 1, &[third]),
        (Some(second), 0, &[]),
        (Some(fourth), 10, &[]),
    ];
    for (before, limit, expected) in pages {
        let found = page(&bench, "bob", before, limit).await;
        assert_eq!(places(&found), expected, "before {before:?}, at most {limit}");
    }
}

async fn shares_of_the_same_time_are_told_in_the_order_of_packets(bench: Bench) {
    for number in [5, 3, 9, 7] {
        claimed(&bench, "bob", number, 10).await;
    }
    let expected = [9, 7, 5, 3].map(|number| place(&bench, 10, number));
    assert_eq!(places(&page(&bench, "bob", None, 10).await), expected);
    assert_eq!(places(&page(&bench, "bob", Some(expected[1]), 10).await), expected[2..]);
}

async fn received_shares_are_walked_through_without_gaps(bench: Bench) {
    // Three at each time, and so many that every part of a store which is divided has some.
    for number in 1..=36 {
        claimed(&bench, "bob", number, 100 - number / 3).await;
        if number % 4 == 0 {
            claimed(&bench, "carol", number, 50).await;
        }
    }
    let mut expected: Vec<_> = (1..=36).map(|number| place(&bench, 100 - number / 3, number)).collect();
    expected.sort_unstable();
    expected.reverse();
    for limit in [1, 2, 5, 36, 37] {
        let mut found: Vec<Received> = Vec::new();
        loop {
            let next = page(&bench, "bob", found.last().map(Received::place), limit).await;
            assert!(next.len() <= limit as usize, "{} where {limit} were asked for", next.len());
            if next.is_empty() {
                break;
            }
            found.extend(next);
        }
        assert_eq!(places(&found), expected, "{limit} at once");
    }
    assert_eq!(page(&bench, "carol", None, u32::MAX).await.len(), 9);
}

async fn a_place_need_not_be_taken(bench: Bench) {
    for (number, at) in [(2, 10), (4, 10), (6, 20)] {
        claimed(&bench, "bob", number, at).await;
    }
    let before = async |at, number| {
        let found = page(&bench, "bob", Some(place(&bench, at, number)), 10).await;
        places(&found)
    };
    let [low, high, late] = [(10, 2), (10, 4), (20, 6)].map(|(at, number)| place(&bench, at, number));
    assert_eq!(before(20, 5).await, [high, low]);
    assert_eq!(before(15, 1).await, [high, low]);
    assert_eq!(before(10, 3).await, [low]);
    assert_eq!(before(10, 9).await, [high, low], "those of an earlier time come later");
    assert_eq!(before(9, 9).await, []);
    let end = Place { claimed_at_ms: u64::MAX, packet: bench.packet(1).packet };
    assert_eq!(places(&page(&bench, "bob", Some(end), 10).await), [late, high, low]);
}

async fn shares_of_others_and_of_elsewhere_are_not_told(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    let names = ["bob", "bo", "bob ", "BOB", "b%", "_ob", "鲍勃"];
    for (at, name) in (0..).zip(names) {
        claimed(&bench, name, 1, at).await;
    }
    claimed(&elsewhere, "bob", 1, 50).await;
    claimed(&elsewhere, "bob", 2, 60).await;
    for (at, name) in (0..).zip(names) {
        assert_eq!(places(&page(&bench, name, None, 10).await), [place(&bench, at, 1)], "{name}");
    }
    let there = [place(&elsewhere, 60, 2), place(&elsewhere, 50, 1)];
    assert_eq!(places(&page(&elsewhere, "bob", None, 10).await), there);
    assert_eq!(page(&bench, "b", None, 10).await, []);
    assert_eq!(page(&bench.of("here too"), "bob", None, 10).await, []);
}
