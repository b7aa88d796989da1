//! What workers look through: packets that are due, and packets that are open.

use super::*;

checks! { Bench of Ledger:
    packets_are_due_from_the_end_of_their_time,
    the_packet_that_ended_first_is_due_first,
    packets_that_are_due_are_listed_in_pages,
    only_open_packets_are_due,
    packets_that_are_due_are_those_of_one_tenant,
    open_packets_are_listed_in_pages,
    only_open_packets_are_listed,
    open_packets_are_those_of_one_tenant,
}

async fn due(bench: &Bench, now: u64, limit: u32) -> Vec<PacketId> {
    let due = bench.ledger.due(&bench.tenant, START + now, None, limit).await.expect("due answers");
    due.into_iter().map(|due| due.packet).collect()
}

/// Sends a packet with a life of this length.
async fn sent_for(bench: &Bench, number: u64, life: u64) -> PacketKey {
    let plain = order(&format!("key {number}"), 100, 2);
    bench.send(number, Order { expires_in_ms: life, ..plain }).await
}

async fn packets_are_due_from_the_end_of_their_time(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    assert_eq!(due(&bench, LIFE - 1, 10).await, []);
    assert_eq!(due(&bench, LIFE, 10).await, [key.packet]);
    assert_eq!(due(&bench, 5 * LIFE, 10).await, [key.packet]);
}

async fn the_packet_that_ended_first_is_due_first(bench: Bench) {
    let third = sent_for(&bench, 1, LIFE + 300).await;
    let first = sent_for(&bench, 2, LIFE + 100).await;
    let second = sent_for(&bench, 3, LIFE + 200).await;
    sent_for(&bench, 4, 2 * LIFE).await;
    let now = LIFE + 300;
    assert_eq!(due(&bench, now, 10).await, [first.packet, second.packet, third.packet]);
    assert_eq!(due(&bench, now, 2).await, [first.packet, second.packet]);
    assert_eq!(due(&bench, now, 1).await, [first.packet]);
    assert_eq!(due(&bench, now, 0).await, []);
}

async fn packets_that_are_due_are_listed_in_pages(bench: Bench) {
    for (number, life) in [(1, 2), (2, 1), (3, 2), (4, 1), (5, 3)] {
        sent_for(&bench, number, life).await;
    }
    let mut found = Vec::new();
    let mut cursor: Option<Due> = None;
    loop {
        let page = bench.ledger.due(&bench.tenant, START + 10, cursor, 2).await.expect("due answers");
        found.extend(page.iter().map(|due| (due.expires_at_ms - START, due.packet)));
        cursor = page.last().copied();
        if page.is_empty() {
            break;
        }
    }
    let expected = [(1, 2), (1, 4), (2, 1), (2, 3), (3, 5)];
    assert_eq!(found, expected.map(|(ends, number)| (ends, bench.packet(number).packet)));
}

async fn only_open_packets_are_due(bench: Bench) {
    let (finished, refunded) = (bench.sent(1, 100, 2).await, bench.sent(2, 100, 2).await);
    let touched = bench.sent(3, 100, 2).await;
    bench.take(&finished, &[("bob", 60), ("carol", 40)]).await;
    bench.take(&touched, &[("bob", 60)]).await;
    bench.expire(&refunded, 100).await;
    assert_eq!(due(&bench, LIFE, 10).await, [touched.packet]);
}

async fn packets_that_are_due_are_those_of_one_tenant(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    let second = sent_for(&bench, 1, LIFE).await;
    elsewhere.fund("alice", 100).await;
    let soon = Order { expires_in_ms: LIFE - 1, ..order("key", 100, 2) };
    elsewhere.record(2, soon, 0).await;
    assert_eq!(due(&bench, LIFE, 10).await, [second.packet]);
    assert_eq!(due(&elsewhere, LIFE, 10).await, [elsewhere.packet(2).packet]);
}

async fn open_packets(bench: &Bench, cursor: Option<u64>, limit: u32) -> Vec<PacketId> {
    let cursor = cursor.map(|number| bench.packet(number).packet);
    bench.ledger.open_packets(&bench.tenant, cursor, limit).await.expect("open_packets answers")
}

fn ids(bench: &Bench, numbers: &[u64]) -> Vec<PacketId> {
    numbers.iter().map(|number| bench.packet(*number).packet).collect()
}

async fn open_packets_are_listed_in_pages(bench: Bench) {
    for number in [5, 3, 9, 7] {
        bench.sent(number, 100, 2).await;
    }
    let pages: [(Option<u64>, u32, &[u64]); 7] = [
        (None, u32::MAX, &[3, 5, 7, 9]),
        (None, 2, &[3, 5]),
        (Some(5), 2, &[7, 9]),
        (Some(4), 1, &[5]),
        (Some(8), 10, &[9]),
        (Some(9), 10, &[]),
        (None, 0, &[]),
    ];
    for (cursor, limit, expected) in pages {
        let page = open_packets(&bench, cursor, limit).await;
        assert_eq!(page, ids(&bench, expected), "after {cursor:?}, at most {limit}");
    }
}

async fn only_open_packets_are_listed(bench: Bench) {
    let (finished, refunded) = (bench.sent(1, 100, 2).await, bench.sent(2, 100, 2).await);
    let touched = bench.sent(3, 100, 2).await;
    bench.take(&finished, &[("bob", 60), ("carol", 40)]).await;
    bench.take(&touched, &[("bob", 60)]).await;
    bench.expire(&refunded, 100).await;
    assert_eq!(open_packets(&bench, None, 10).await, ids(&bench, &[3]));
}

async fn open_packets_are_those_of_one_tenant(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    bench.sent(1, 100, 2).await;
    elsewhere.sent(2, 100, 2).await;
    assert_eq!(open_packets(&bench, None, 10).await, ids(&bench, &[1]));
    assert_eq!(open_packets(&elsewhere, None, 10).await, ids(&elsewhere, &[2]));
}
