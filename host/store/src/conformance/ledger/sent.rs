//! What a user and a room look back on: packets, the latest first, as they stand.

use super::*;

checks! { Bench of Ledger:
    a_user_sees_the_packets_that_they_sent_and_the_latest_first,
    sent_packets_are_walked_through_without_gaps,
    sent_packets_are_told_as_they_stand,
    a_user_sees_no_packet_of_another,
    packets_sent_elsewhere_are_not_told,
    the_packets_of_a_room_are_those_of_its_ids,
    the_books_can_be_read,
}

async fn sent_by(bench: &Bench, name: &str, number: u64) -> PacketKey {
    let plain = order(&format!("key {number}"), 100, 2);
    bench.send(number, Order { sender: user(name), ..plain }).await
}

async fn page(bench: &Bench, name: &str, before: Option<u64>, limit: u32) -> Vec<PacketId> {
    let before = before.map(|number| bench.packet(number).packet);
    let page = bench.ledger.sent(&bench.tenant, &user(name), before, limit).await.expect("sent answers");
    assert!(page.iter().all(|(_, packet)| packet.order.sender == user(name)), "{page:?}");
    page.into_iter().map(|(id, _)| id).collect()
}

fn ids(bench: &Bench, numbers: &[u64]) -> Vec<PacketId> {
    numbers.iter().map(|number| bench.packet(*number).packet).collect()
}

async fn a_user_sees_the_packets_that_they_sent_and_the_latest_first(bench: Bench) {
    assert_eq!(page(&bench, "alice", None, 10).await, []);
    for number in [5, 3, 9, 7] {
        sent_by(&bench, "alice", number).await;
    }
    let pages: [(Option<u64>, u32, &[u64]); 9] = [
        (None, u32::MAX, &[9, 7, 5, 3]),
        (None, 2, &[9, 7]),
        (None, 0, &[]),
        (Some(9), 2, &[7, 5]),
        (Some(8), 2, &[7, 5]),
        (Some(5), 2, &[3]),
        (Some(5), 0, &[]),
        (Some(3), 10, &[]),
        (Some(1), 10, &[]),
    ];
    for (before, limit, expected) in pages {
        let found = page(&bench, "alice", before, limit).await;
        assert_eq!(found, ids(&bench, expected), "before {before:?}, at most {limit}");
    }
}

async fn sent_packets_are_walked_through_without_gaps(bench: Bench) {
    // So many that every part of a store which is divided has some.
    for number in 1..=40 {
        sent_by(&bench, if number % 4 == 0 { "bob" } else { "alice" }, number).await;
    }
    let expected: Vec<u64> = (1..=40).rev().filter(|number| number % 4 != 0).collect();
    for limit in [1, 7, 30, 31] {
        let mut found: Vec<PacketId> = Vec::new();
        loop {
            let before = found.last().copied();
            let next = bench.ledger.sent(&bench.tenant, &user("alice"), before, limit).await;
            let next = next.expect("sent answers");
            assert!(next.len() <= limit as usize, "{} where {limit} were asked for", next.len());
            if next.is_empty() {
                break;
            }
            found.extend(next.into_iter().map(|(id, _)| id));
        }
        assert_eq!(found, ids(&bench, &expected), "{limit} at once");
    }
}

async fn sent_packets_are_told_as_they_stand(bench: Bench) {
    let (finished, refunded) = (bench.sent(1, 100, 2).await, bench.sent(2, 100, 2).await);
    let touched = bench.sent(3, 100, 2).await;
    bench.take(&finished, &[("bob", 60), ("carol", 40)]).await;
    bench.take(&touched, &[("bob", 60)]).await;
    bench.expire(&refunded, 100).await;
    let mut expected = Vec::new();
    for key in [touched, refunded, finished] {
        expected.push((key.packet, bench.standing(&key).await));
    }
    let sent = bench.ledger.sent(&bench.tenant, &user("alice"), None, 10).await.expect("sent answers");
    assert_eq!(sent, expected);
    bench.record(1, order("key 1", 100, 2), 0).await;
    assert_eq!(page(&bench, "alice", None, 10).await, ids(&bench, &[3, 2, 1]), "a replay sends nothing");
}

async fn a_user_sees_no_packet_of_another(bench: Bench) {
    let names = ["alice", "alic", "alice ", "ALICE", "a%", "_lice", "'", "爱丽丝", "\u{10ffff}"];
    for (number, name) in (1..).zip(names) {
        sent_by(&bench, name, number).await;
        sent_by(&bench, name, 100 + number).await;
    }
    for (number, name) in (1..).zip(names) {
        assert_eq!(page(&bench, name, None, 10).await, ids(&bench, &[100 + number, number]), "{name}");
    }
    for name in ["ali", "lice", "%", "爱"] {
        assert_eq!(page(&bench, name, None, 10).await, [], "{name}");
    }
}

async fn packets_sent_elsewhere_are_not_told(bench: Bench) {
    let (elsewhere, other) = (bench.of("elsewhere"), bench.of("here too"));
    sent_by(&bench, "alice", 1).await;
    sent_by(&elsewhere, "alice", 1).await;
    sent_by(&elsewhere, "alice", 2).await;
    assert_eq!(page(&bench, "alice", None, 10).await, ids(&bench, &[1]));
    assert_eq!(page(&elsewhere, "alice", None, 10).await, ids(&elsewhere, &[2, 1]));
    assert_eq!(page(&other, "alice", None, 10).await, []);
}

async fn the_packets_of_a_room_are_those_of_its_ids(bench: Bench) {
    for number in 1..=9 {
        let plain = order(&format!("key {number}"), 100, 2);
        bench
            .send(number, Order { room: text(if number % 3 == 0 { "hall" } else { "room" }), ..plain })
            .await;
    }
    bench.take(&bench.packet(8), &[("bob", 60), ("carol", 40)]).await;
    for (room, before, limit) in
        [("room", None, 10), ("room", Some(8), 2), ("hall", None, 2), ("none", None, 9)]
    {
        let before = before.map(|number| bench.packet(number).packet);
        let found = bench.ledger.recent_packets(&bench.tenant, &text(room), before, limit).await;
        let mut expected = Vec::new();
        let listed = bench.ledger.recent(&bench.tenant, &text(room), before, limit).await;
        for packet in listed.expect("recent answers") {
            let key = PacketKey { packet, ..bench.packet(1) };
            expected.push((packet, bench.standing(&key).await));
        }
        assert_eq!(found.expect("recent_packets answers"), expected, "{room} before {before:?}");
    }
    let elsewhere = bench.of("elsewhere");
    let none = bench.ledger.recent_packets(&elsewhere.tenant, &text("room"), None, 9).await;
    assert_eq!(none.expect("recent_packets answers"), []);
}

async fn the_books_can_be_read(bench: Bench) {
    bench.ledger.check().await.expect("empty books can be read");
    bench.sent(1, 100, 2).await;
    bench.ledger.check().await.expect("and so can others");
}
