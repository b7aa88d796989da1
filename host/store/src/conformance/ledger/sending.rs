//! Packets as they are written down, and paid.

use super::*;

checks! { Bench of Ledger:
    sending_debits_the_sender_at_once,
    a_packet_comes_back_as_it_was_ordered,
    a_packet_that_never_was_is_not_there,
    a_wallet_may_be_spent_to_the_last,
    insufficient_funds_are_refused_with_the_balance,
    a_refused_order_leaves_its_key_free,
    an_order_without_shares_is_refused,
    an_order_of_less_than_one_for_each_share_is_refused,
    an_order_of_more_than_its_shares_can_hold_is_refused,
    the_largest_packet_can_be_sent,
    an_id_that_is_taken_is_refused,
    the_same_id_of_another_tenant_is_another_packet,
    what_was_recorded_is_found_by_its_senders_key,
    a_history_has_a_name,
}

async fn what_was_recorded_is_found_by_its_senders_key(bench: Bench) {
    bench.fund("alice", 100).await;
    let find = async |bench: &Bench, sender: &str, key: &str| {
        let found = bench.ledger.recorded(&bench.tenant, &user(sender), &text(key)).await;
        found.expect("recorded answers")
    };
    assert_eq!(find(&bench, "alice", "key").await, None);
    let key = bench.send(1, order("key", 100, 3)).await;
    let standing = bench.standing(&key).await;
    assert_eq!(find(&bench, "alice", "key").await, Some((key.packet, standing)));
    assert_eq!(find(&bench, "alice", "kex").await, None);
    assert_eq!(find(&bench, "bob", "key").await, None, "keys are their sender's own");
    assert_eq!(find(&bench.of("elsewhere"), "alice", "key").await, None);
}

async fn a_history_has_a_name(bench: Bench) {
    let name = bench.ledger.history().name().expect("the ledger knows its history");
    bench.ledger.check().await.expect("check answers");
    assert_eq!(bench.ledger.history().name(), Some(name), "and it is the same as long as nothing happens");
}

async fn sending_debits_the_sender_at_once(bench: Bench) {
    bench.fund("alice", 150).await;
    let recorded = bench.record(1, order("key", 100, 3), 7).await;
    let Receipt { id, expires_at_ms } = receipt(1, LIFE);
    assert_eq!(recorded, Recorded::Recorded(Receipt { id, expires_at_ms: expires_at_ms + 7 }));
    assert_eq!(bench.balance("alice").await, 50, "debited, before anybody claims");
    let expected = Audit {
        funded: 150,
        sent: 100,
        remaining: 100,
        wallets: 50,
        escrow: 100,
        packets: 1,
        movements: 2,
        ..Audit::default()
    };
    assert_eq!(bench.audit().await, expected);
}

async fn a_packet_comes_back_as_it_was_ordered(bench: Bench) {
    let longest = "x".repeat(256);
    let exclusive = Audience::Only(users(&["bob", "小明", "it's \"quoted\", and: split", &longest]).into());
    let everybody = Audience::Everyone;
    let audiences = [everybody.clone(), Audience::EveryoneBut(user("alice")), exclusive, everybody];
    for (number, (audience, strategy)) in (1..).zip(audiences.into_iter().zip(Strategy::EMBEDDED)) {
        let greeting = "two lines\nand 'quotes' \u{1f9e7}".to_owned();
        let plain = order(&format!("key {number}"), 100, 3);
        let order = Order {
            audience,
            strategy,
            greeting,
            room: text(&longest),
            max_share: amount(plain.total.get() - number),
            expires_in_ms: LIFE + number,
            ..plain
        };
        let key = bench.send(number, order.clone()).await;
        let standing = bench.standing(&key).await;
        let expected = Packet {
            order,
            version: standing.version,
            status: Status::Open,
            claimed_amount: Amount::ZERO,
            claimed_shares: 0,
            refunded: Amount::ZERO,
            sent_at_ms: START,
            expires_at_ms: START + LIFE + number,
        };
        assert_eq!(standing, expected);
    }
}

async fn a_packet_that_never_was_is_not_there(bench: Bench) {
    bench.sent(1, 100, 3).await;
    let nowhere = bench.packet(2);
    assert_eq!(bench.load(&nowhere, &["bob"]).await, None);
    assert_eq!(bench.claims(&nowhere).await, []);
    assert_eq!(bench.claim(&nowhere, 1, &[("bob", 1)], 0).await, Claimed::Refused(Refusal::NotFound));
    assert_eq!(bench.close(&nowhere, 1, LIFE).await, Closed::NotFound);
}

async fn a_wallet_may_be_spent_to_the_last(bench: Bench) {
    bench.fund("alice", 100).await;
    let recorded = bench.record(1, order("key", 100, 100), 0).await;
    assert_eq!(recorded, Recorded::Recorded(receipt(1, LIFE)));
    assert_eq!(bench.balance("alice").await, 0);
    let again = bench.record(2, order("other key", 1, 1), 0).await;
    assert_eq!(again, Recorded::InsufficientFunds(Amount::ZERO));
}

async fn insufficient_funds_are_refused_with_the_balance(bench: Bench) {
    let never_funded = bench.record(1, order("key", 100, 3), 0).await;
    assert_eq!(never_funded, Recorded::InsufficientFunds(Amount::ZERO));
    bench.fund("alice", 99).await;
    let audit = bench.audit().await;
    let one_short = bench.record(1, order("key", 100, 3), 0).await;
    assert_eq!(one_short, Recorded::InsufficientFunds(amount(99)));
    assert_eq!((bench.balance("alice").await, bench.audit().await), (99, audit), "nothing moved");
    assert_eq!(bench.load(&bench.packet(1), &[]).await, None, "there is no packet");
}

async fn a_refused_order_leaves_its_key_free(bench: Bench) {
    bench.record(1, order("key", 100, 3), 0).await;
    bench.fund("alice", 100).await;
    let now_funded = bench.record(2, order("key", 90, 2), 0).await;
    assert_eq!(now_funded, Recorded::Recorded(receipt(2, LIFE)));
}

/// Records, which must be an error without any effect; gives the error.
async fn fails(bench: &Bench, number: u64, order: Order) -> StoreError {
    let (audit, before) = (bench.audit().await, bench.load(&bench.packet(number), &[]).await);
    let answer = bench.try_record(number, order, 0).await;
    assert_eq!(bench.audit().await, audit, "nothing moved");
    assert_eq!(bench.load(&bench.packet(number), &[]).await, before, "the packet of this id is as it was");
    answer.expect_err("the order is an error")
}

async fn an_order_without_shares_is_refused(bench: Bench) {
    bench.fund("alice", 100).await;
    let error = fails(&bench, 1, order("key", 100, 0)).await;
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
}

async fn an_order_of_less_than_one_for_each_share_is_refused(bench: Bench) {
    bench.fund("alice", 100).await;
    for (total, shares) in [(0, 1), (2, 3), (99, 100), (1, u32::MAX)] {
        let error = fails(&bench, 1, order("key", total, shares)).await;
        assert!(matches!(error, StoreError::Refused(_)), "{total} for {shares} is refused, not {error:?}");
    }
    let enough = bench.record(1, order("key", 100, 100), 0).await;
    assert_eq!(enough, Recorded::Recorded(receipt(1, LIFE)));
}

async fn an_order_of_more_than_its_shares_can_hold_is_refused(bench: Bench) {
    bench.fund("alice", 100).await;
    for (total, shares, most) in [(100, 3, 33), (100, 1, 99), (1, 1, 0)] {
        let order = Order { max_share: amount(most), ..order("key", total, shares) };
        let error = fails(&bench, 1, order).await;
        assert!(matches!(error, StoreError::Refused(_)), "{total} by {most} for {shares}: {error:?}");
    }
    let enough = Order { max_share: amount(34), ..order("key", 100, 3) };
    assert_eq!(bench.record(1, enough, 0).await, Recorded::Recorded(receipt(1, LIFE)));
}

async fn the_largest_packet_can_be_sent(bench: Bench) {
    let largest = Amount::MAX.get();
    let key = bench.sent(1, largest, u32::MAX).await;
    let standing = bench.standing(&key).await;
    assert_eq!((standing.remaining(), standing.order.shares), (Amount::MAX, u32::MAX));
    assert_eq!(bench.audit().await.escrow, i128::from(largest));
}

async fn an_id_that_is_taken_is_refused(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.take(&key, &[("bob", 10)]).await;
    bench.fund("alice", 50).await;
    fails(&bench, 1, order("another key", 50, 2)).await;
    assert_eq!(bench.balance("alice").await, 50);
    assert_eq!(bench.claims(&key).await, [claim("bob", 10, 1)], "the packet that was there stays whole");
}

async fn the_same_id_of_another_tenant_is_another_packet(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    let (key, other) = (bench.sent(1, 100, 3).await, elsewhere.sent(1, 50, 2).await);
    assert_eq!(key.packet, other.packet);
    elsewhere.take(&other, &[("bob", 20)]).await;
    assert_eq!(bench.loaded(&key, &["bob"]).await.claims, []);
    assert_eq!(bench.standing(&key).await.remaining(), amount(100));
    assert_eq!(bench.take(&key, &[("bob", 1)]).await, 1, "one claim on each is not twice");
    assert_eq!(elsewhere.claims(&other).await, [claim("bob", 20, 1)]);
    elsewhere.expire(&other, 30).await;
    assert_eq!(bench.standing(&key).await.status, Status::Open);
    assert_eq!((bench.balance("alice").await, elsewhere.balance("alice").await), (0, 30));
}
