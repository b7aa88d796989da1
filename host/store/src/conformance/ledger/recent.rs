//! What a room looks back on: its packets, the latest first.

use super::*;

checks! { Bench of Ledger:
    the_packet_of_a_room_that_was_sent_last_comes_first,
    a_room_is_looked_through_in_pages,
    a_room_keeps_the_packets_that_are_over,
    a_room_shows_no_packet_of_another,
    a_room_of_one_tenant_is_not_that_of_another,
    packets_that_come_meanwhile_move_no_page,
}

async fn sent_to(bench: &Bench, room: &str, number: u64) -> PacketKey {
    let plain = order(&format!("key {number}"), 100, 2);
    bench.send(number, Order { room: text(room), ..plain }).await
}

async fn page(bench: &Bench, room: &str, before: Option<PacketId>, limit: u32) -> Vec<PacketId> {
    bench.ledger.recent(&bench.tenant, &text(room), before, limit).await.expect("recent answers")
}

fn ids<const N: usize>(bench: &Bench, numbers: [u64; N]) -> [PacketId; N] {
    numbers.map(|number| bench.packet(number).packet)
}

async fn the_packet_of_a_room_that_was_sent_last_comes_first(bench: Bench) {
    assert_eq!(page(&bench, "room", None, 10).await, []);
    for number in [5, 3, 9, 7] {
        sent_to(&bench, "room", number).await;
    }
    assert_eq!(page(&bench, "room", None, u32::MAX).await, ids(&bench, [9, 7, 5, 3]));
    assert_eq!(page(&bench, "room", None, 2).await, ids(&bench, [9, 7]));
    assert_eq!(page(&bench, "room", None, 0).await, []);
    let before = async |number: u64| page(&bench, "room", Some(bench.packet(number).packet), 2).await;
    assert_eq!(before(9).await, ids(&bench, [7, 5]));
    assert_eq!(before(8).await, ids(&bench, [7, 5]), "before one that is not there");
    assert_eq!(before(5).await, ids(&bench, [3]));
    assert_eq!(before(3).await, []);
    assert_eq!(before(1).await, []);
}

/// The whole room, so many at once.
async fn pages(bench: &Bench, room: &str, limit: u32) -> Vec<PacketId> {
    let mut found = Vec::new();
    loop {
        let next = page(bench, room, found.last().copied(), limit).await;
        assert!(next.len() <= limit as usize, "{} packets where {limit} were asked for", next.len());
        if next.is_empty() {
            return found;
        }
        found.extend(next);
    }
}

async fn a_room_is_looked_through_in_pages(bench: Bench) {
    // So many that every part of a store which is divided has some.
    for number in 1..=40 {
        sent_to(&bench, if number % 4 == 0 { "another" } else { "room" }, number).await;
    }
    let expected: Vec<_> = (1..=40).rev().filter(|number| number % 4 != 0).collect();
    let expected: Vec<_> = expected.into_iter().map(|number| bench.packet(number).packet).collect();
    for limit in [1, 2, 7, 30, 31, 100] {
        assert_eq!(pages(&bench, "room", limit).await, expected, "{limit} at once");
    }
    assert_eq!(pages(&bench, "another", 3).await.len(), 10);
}

async fn a_room_keeps_the_packets_that_are_over(bench: Bench) {
    let (finished, refunded) = (bench.sent(1, 100, 2).await, bench.sent(2, 100, 2).await);
    let touched = bench.sent(3, 100, 2).await;
    bench.take(&finished, &[("bob", 60), ("carol", 40)]).await;
    bench.take(&touched, &[("bob", 60)]).await;
    bench.expire(&refunded, 100).await;
    assert_eq!(page(&bench, "room", None, 10).await, ids(&bench, [3, 2, 1]));
    let due = bench.ledger.due(None, START + LIFE, None, 10).await.expect("due answers");
    assert_eq!(due.into_iter().map(|due| due.key).collect::<Vec<_>>(), [touched]);
    bench.record(1, order("key 1", 100, 2), 0).await;
    assert_eq!(page(&bench, "room", None, 10).await, ids(&bench, [3, 2, 1]), "a replay sends nothing");
}

async fn a_room_shows_no_packet_of_another(bench: Bench) {
    let rooms = ["room", "roo", "room ", "room 1", "ROOM", "r%", "_oom", "'", "房", "房间", "\u{10ffff}"];
    for (number, room) in (1..).zip(rooms) {
        sent_to(&bench, room, number).await;
        sent_to(&bench, room, 100 + number).await;
    }
    for (number, room) in (1..).zip(rooms) {
        assert_eq!(page(&bench, room, None, 10).await, ids(&bench, [100 + number, number]), "{room}");
    }
    for room in ["ro", "room 10", "oom", "%", "\"", "间"] {
        assert_eq!(page(&bench, room, None, 10).await, [], "{room}");
    }
}

async fn a_room_of_one_tenant_is_not_that_of_another(bench: Bench) {
    let (elsewhere, other) = (bench.of("elsewhere"), bench.of("here too"));
    sent_to(&bench, "room", 1).await;
    sent_to(&elsewhere, "room", 1).await;
    sent_to(&elsewhere, "room", 2).await;
    assert_eq!(page(&bench, "room", None, 10).await, ids(&bench, [1]));
    assert_eq!(page(&elsewhere, "room", None, 10).await, ids(&elsewhere, [2, 1]));
    assert_eq!(page(&other, "room", None, 10).await, []);
}

async fn packets_that_come_meanwhile_move_no_page(bench: Bench) {
    for number in [2, 4, 6, 8] {
        sent_to(&bench, "room", number).await;
    }
    let first = page(&bench, "room", None, 2).await;
    assert_eq!(first, ids(&bench, [8, 6]));
    sent_to(&bench, "room", 10).await;
    sent_to(&bench, "room", 7).await;
    assert_eq!(page(&bench, "room", first.last().copied(), 2).await, ids(&bench, [4, 2]));
    assert_eq!(page(&bench, "room", None, 2).await, ids(&bench, [10, 8]));
}
