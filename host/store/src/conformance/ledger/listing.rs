//! What workers look through: packets that are due, and packets that are open.

use super::*;

checks! { Bench of Ledger:
    packets_are_due_from_the_end_of_their_time,
    the_packet_that_ended_first_is_due_first,
    packets_that_are_due_are_listed_in_pages,
    only_open_packets_are_due,
    packets_that_are_due_are_those_of_one_tenant,
    packets_of_all_tenants_are_due_in_one_order,
    packets_of_all_tenants_are_due_only_while_they_are_open,
    a_place_among_packets_that_are_due_stays_while_they_come_and_go,
    open_packets_are_listed_in_pages,
    only_open_packets_are_listed,
    open_packets_are_those_of_one_tenant,
}

async fn due(bench: &Bench, now: u64, limit: u32) -> Vec<PacketId> {
    let due = bench.ledger.due(Some(&bench.tenant), START + now, None, limit).await.expect("due answers");
    assert!(due.iter().all(|due| due.key.tenant == bench.tenant), "of {} alone: {due:?}", bench.tenant);
    due.into_iter().map(|due| due.key.packet).collect()
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
    let expected = [(1, 2), (1, 4), (2, 1), (2, 3), (3, 5)];
    for limit in 1..=6 {
        let found = due_in_pages(&bench, Some(&bench.tenant), limit).await;
        assert_eq!(found, expected.map(|(ends, number)| ended(&bench, ends, number)), "{limit} at once");
    }
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

/// What is due at the tenth millisecond, of one tenant or of all, so many at once.
async fn due_in_pages(bench: &Bench, tenant: Option<&TenantId>, limit: u32) -> Vec<Due> {
    let mut found: Vec<Due> = Vec::new();
    loop {
        let cursor = found.last().cloned();
        let page = bench.ledger.due(tenant, START + 10, cursor, limit).await.expect("due answers");
        assert!(page.len() <= limit as usize, "{} packets where {limit} were asked for", page.len());
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

/// The tenant's packet of this number, as it is due.
fn ended(bench: &Bench, ends: u64, number: u64) -> Due {
    Due { expires_at_ms: START + ends, key: bench.packet(number) }
}

async fn packets_of_all_tenants_are_due_in_one_order(bench: Bench) {
    let (elsewhere, other) = (bench.of("elsewhere"), bench.of("here too"));
    let mut expected = Vec::new();
    // Every tenant has packets of the same ids, and of the same ends.
    for tenant in [&other, &bench, &elsewhere] {
        for (number, life) in [(1, 3), (2, 1), (3, 3), (4, 2)] {
            sent_for(tenant, number, life).await;
            expected.push(ended(tenant, life, number));
        }
        sent_for(tenant, 5, 11).await;
    }
    expected.sort();
    for limit in [1, 2, 3, 5, 100] {
        assert_eq!(due_in_pages(&bench, None, limit).await, expected, "{limit} at once");
    }
    let of_one: Vec<_> = expected.iter().filter(|due| due.key.tenant == bench.tenant).cloned().collect();
    assert_eq!(due_in_pages(&bench, Some(&bench.tenant), 2).await, of_one);
    assert_eq!(due_in_pages(&bench, None, 0).await, []);
    assert_eq!(due_in_pages(&bench, Some(&tenant("nobody")), 2).await, []);
}

async fn packets_of_all_tenants_are_due_only_while_they_are_open(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    for tenant in [&bench, &elsewhere] {
        let (finished, refunded) = (tenant.sent(1, 100, 2).await, tenant.sent(2, 100, 2).await);
        let touched = tenant.sent(3, 100, 2).await;
        tenant.take(&finished, &[("bob", 60), ("carol", 40)]).await;
        tenant.take(&touched, &[("bob", 60)]).await;
        tenant.expire(&refunded, 100).await;
    }
    let open = [ended(&elsewhere, LIFE, 3), ended(&bench, LIFE, 3)];
    let due = async |now| bench.ledger.due(None, START + now, None, 10).await.expect("due answers");
    assert_eq!(due(LIFE).await, open);
    assert_eq!(due(LIFE - 1).await, []);
    elsewhere.expire(&open[0].key, 40).await;
    assert_eq!(due(u64::MAX - START).await, [ended(&bench, LIFE, 3)], "at the end of all time as well");
}

async fn a_place_among_packets_that_are_due_stays_while_they_come_and_go(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    for number in [2, 4, 6, 8] {
        sent_for(&bench, number, 5).await;
    }
    let next = async |cursor: &Due| {
        let page = bench.ledger.due(None, START + 10, Some(cursor.clone()), 2).await;
        page.expect("due answers")
    };
    let place = ended(&bench, 5, 4);
    assert_eq!(next(&place).await, [ended(&bench, 5, 6), ended(&bench, 5, 8)]);
    // The place itself goes, and others come before and after it.
    bench.expire(&place.key, 100).await;
    sent_for(&bench, 3, 5).await;
    sent_for(&bench, 9, 4).await;
    sent_for(&elsewhere, 7, 5).await;
    sent_for(&bench, 5, 5).await;
    assert_eq!(next(&place).await, [ended(&bench, 5, 5), ended(&bench, 5, 6)]);
    assert_eq!(next(&ended(&bench, 5, 6)).await, [ended(&bench, 5, 8)]);
    assert_eq!(next(&ended(&bench, 5, 8)).await, []);
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
