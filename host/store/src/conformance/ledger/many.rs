//! Lists: answers in their order, each element by itself.

use super::*;

checks!(Bench of Ledger:
    many_packets_are_recorded_each_by_itself,
    many_packets_are_loaded_in_the_order_of_the_questions,
    many_packets_are_claimed_of_each_by_itself,
    claims_of_one_packet_in_one_list_are_made_one_after_the_other,
    lists_of_nothing_are_answered_with_nothing,
);

fn new(bench: &Bench, number: u64, order: Order) -> NewPacket {
    NewPacket { key: bench.packet(number), order }
}

fn attempt(key: &PacketKey, version: u64, shares: &[(&str, u64)]) -> Attempt {
    Attempt { key: key.clone(), version, shares: wanted(shares) }
}

/// What each answer is; an error by its code.
fn told<T>(answers: Vec<Result<T, StoreError>>) -> Vec<Result<T, &'static str>> {
    answers.into_iter().map(|answer| answer.map_err(|error| error.code())).collect()
}

async fn many_packets_are_recorded_each_by_itself(bench: Bench) {
    bench.fund("alice", 100).await;
    bench.fund("bob", 60).await;
    let of = |sender: &str, key: &str, total: u64| Order { sender: user(sender), ..order(key, total, 2) };
    let elsewhere = bench.of("elsewhere");
    elsewhere.fund("alice", 7).await;
    let list = vec![
        new(&bench, 1, of("alice", "a", 60)),
        new(&bench, 2, of("bob", "b", 50)),
        new(&bench, 3, of("alice", "c", 41)),
        // Alice's first again, under another id, and with other words.
        new(&bench, 4, of("alice", "a", 60)),
        new(&bench, 5, Order { greeting: "another".into(), ..of("alice", "a", 60) }),
        // An id that is taken by one of the same list. Of one sender, since only what one sends has an order.
        new(&bench, 2, of("bob", "d", 10)),
        new(&bench, 6, of("alice", "e", 40)),
        new(&elsewhere, 1, of("alice", "a", 7)),
    ];
    let answers = told(bench.packets.record_all(list, START).await);
    let recorded = |number| Ok(Recorded::Recorded(receipt(number, LIFE)));
    let expected = [
        recorded(1),
        recorded(2),
        Ok(Recorded::InsufficientFunds(amount(40))),
        Ok(Recorded::Replayed(receipt(1, LIFE))),
        Ok(Recorded::KeyReused),
        Err("refused"),
        recorded(6),
        recorded(1),
    ];
    assert_eq!(answers, expected);
    assert_eq!((bench.balance("alice").await, bench.balance("bob").await), (0, 10));
    assert_eq!(elsewhere.balance("alice").await, 0);
    assert!(bench.load(&bench.packet(3), &[]).await.is_none(), "what was refused is not there");
}

async fn many_packets_are_loaded_in_the_order_of_the_questions(bench: Bench) {
    let [first, second] = [bench.sent(1, 100, 3).await, bench.sent(2, 200, 3).await];
    bench.take(&first, &[("bob", 40), ("carol", 30)]).await;
    bench.take(&second, &[("bob", 50)]).await;
    let (missing, both) = (bench.packet(9), users(&["bob", "carol"]));
    let lookups = [
        Lookup { key: &second, users: &both },
        Lookup { key: &missing, users: &both },
        Lookup { key: &first, users: &both },
        Lookup { key: &first, users: &[] },
        Lookup { key: &second, users: both.get(1..).unwrap_or_default() },
    ];
    let answers = bench.packets.load_all(&lookups).await;
    let found: Vec<_> = answers.into_iter().map(|answer| answer.expect("load answers")).collect();
    let [one, two] = [bench.standing(&first).await, bench.standing(&second).await];
    let loaded =
        |packet: &Packet, claims: &[Claim]| Some(Loaded { packet: packet.clone(), claims: claims.to_vec() });
    let expected = [
        loaded(&two, &[claim("bob", 50, 1)]),
        None,
        loaded(&one, &[claim("bob", 40, 1), claim("carol", 30, 2)]),
        loaded(&one, &[]),
        loaded(&two, &[]),
    ];
    assert_eq!(found, expected);
}

async fn many_packets_are_claimed_of_each_by_itself(bench: Bench) {
    let [good, stale, greedy, over, last] = [
        bench.sent(1, 100, 3).await,
        bench.sent(2, 100, 3).await,
        bench.sent(3, 100, 3).await,
        bench.sent(4, 100, 1).await,
        bench.sent(5, 100, 2).await,
    ];
    bench.take(&stale, &[("dave", 10)]).await;
    bench.take(&over, &[("dave", 100)]).await;
    bench.take(&last, &[("dave", 30)]).await;
    let attempts = vec![
        attempt(&good, 1, &[("bob", 10), ("carol", 20)]),
        attempt(&stale, 1, &[("bob", 10)]),
        attempt(&greedy, 1, &[("bob", 99)]),
        attempt(&bench.packet(9), 1, &[("bob", 1)]),
        attempt(&over, 2, &[("bob", 1)]),
        attempt(&last, 2, &[("bob", 70)]),
    ];
    let answers = told(bench.packets.claim_all(attempts, START).await);
    let seen = Loaded { packet: bench.standing(&stale).await, claims: Vec::new() };
    let expected = [
        Ok(Claimed::Committed(1)),
        Ok(Claimed::Stale(seen)),
        Ok(Claimed::Refused(Refusal::TooMuch)),
        Ok(Claimed::Refused(Refusal::NotFound)),
        Ok(Claimed::Closed),
        Ok(Claimed::Committed(2)),
    ];
    // What is finished is told as over or as stale, as it is of one packet.
    let alone = bench.claim(&over, 2, &[("bob", 1)], 0).await;
    let is_like_alone = answers.get(4) == Some(&Ok(alone));
    assert!(is_like_alone, "a list answers as a call about one packet: {answers:?}");
    for place in [0, 1, 2, 3, 5] {
        assert_eq!(answers.get(place), expected.get(place), "the answer in place {place}");
    }
    assert_eq!(bench.claims(&good).await, [claim("bob", 10, 1), claim("carol", 20, 2)]);
    assert_eq!(bench.claims(&greedy).await, []);
    assert_eq!(bench.settle(9).await.len(), 6, "each claim is on its way to its wallet");
}

async fn claims_of_one_packet_in_one_list_are_made_one_after_the_other(bench: Bench) {
    let key = bench.sent(1, 100, 4).await;
    let attempts = vec![
        attempt(&key, 1, &[("bob", 10)]),
        attempt(&key, 1, &[("carol", 10)]),
        attempt(&key, 2, &[("dave", 20)]),
    ];
    let answers = told(bench.packets.claim_all(attempts, START).await);
    assert_eq!(answers.first(), Some(&Ok(Claimed::Committed(1))));
    assert!(matches!(answers.get(1), Some(Ok(Claimed::Stale(_)))), "{answers:?}");
    assert_eq!(answers.get(2), Some(&Ok(Claimed::Committed(2))));
    assert_eq!(bench.claims(&key).await, [claim("bob", 10, 1), claim("dave", 20, 2)]);
}

async fn lists_of_nothing_are_answered_with_nothing(bench: Bench) {
    assert_eq!(bench.packets.record_all(Vec::new(), START).await.len(), 0);
    assert_eq!(bench.packets.load_all(&[]).await.len(), 0);
    assert_eq!(bench.packets.claim_all(Vec::new(), START).await.len(), 0);
}
