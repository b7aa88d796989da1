//! The sender's own key: the same key and content is the same packet, for ever.

use super::*;

checks! { Bench of Ledger:
    the_same_order_again_gives_the_same_packet_and_moves_nothing,
    a_replay_needs_no_money,
    a_replay_is_answered_after_the_packet_is_finished,
    a_replay_is_answered_after_the_packet_is_refunded,
    a_key_with_other_content_is_refused,
    a_reused_key_is_told_before_the_funds_are_looked_at,
    the_same_key_of_another_sender_is_another_packet,
    the_same_key_of_another_tenant_is_another_packet,
    a_packet_never_inherits_the_balance_of_another,
}

/// Records an order that was recorded before as the first packet, as if it were new.
async fn replays(bench: &Bench, order: Order, now: u64) {
    let audit = bench.audit().await;
    let receipt = receipt(1, order.expires_in_ms);
    let again = bench.record(99, order, now).await;
    assert_eq!(again, Recorded::Replayed(receipt), "the first packet's id and end, whatever is asked now");
    assert_eq!(bench.audit().await, audit, "nothing moved");
    assert_eq!(bench.load(&bench.packet(99), &[]).await, None, "there is no second packet");
}

async fn the_same_order_again_gives_the_same_packet_and_moves_nothing(bench: Bench) {
    bench.fund("alice", 500).await;
    bench.sent(1, 100, 3).await;
    replays(&bench, order("key 1", 100, 3), 0).await;
    replays(&bench, order("key 1", 100, 3), 1000).await;
    assert_eq!(bench.balance("alice").await, 500);
    let same_id = bench.record(1, order("key 1", 100, 3), 0).await;
    assert_eq!(same_id, Recorded::Replayed(receipt(1, LIFE)), "under the id it has, too");
}

async fn a_replay_needs_no_money(bench: Bench) {
    bench.sent(1, 100, 3).await;
    assert_eq!(bench.balance("alice").await, 0);
    replays(&bench, order("key 1", 100, 3), 0).await;
}

async fn a_replay_is_answered_after_the_packet_is_finished(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    bench.take(&key, &[("bob", 60), ("carol", 40)]).await;
    bench.settle(10).await;
    replays(&bench, order("key 1", 100, 2), 0).await;
    replays(&bench, order("key 1", 100, 2), 2 * LIFE).await;
}

async fn a_replay_is_answered_after_the_packet_is_refunded(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    replays(&bench, order("key 1", 100, 2), LIFE).await;
    bench.expire(&key, 100).await;
    replays(&bench, order("key 1", 100, 2), 2 * LIFE).await;
    assert_eq!(bench.balance("alice").await, 100, "the refund is not spent again");
}

async fn a_key_with_other_content_is_refused(bench: Bench) {
    bench.fund("alice", 1000).await;
    bench.sent(1, 100, 3).await;
    let first = order("key 1", 100, 3);
    let others = [
        Order { total: amount(101), ..first.clone() },
        Order { shares: 4, ..first.clone() },
        Order { max_share: amount(99), ..first.clone() },
        Order { room: text("another room"), ..first.clone() },
        Order { strategy: Strategy::EQUAL, ..first.clone() },
        Order { greeting: "another greeting".into(), ..first.clone() },
        Order { audience: Audience::EveryoneBut(user("alice")), ..first.clone() },
        Order { audience: Audience::Only(users(&["bob"]).into()), ..first.clone() },
        Order { expires_in_ms: LIFE + 1, ..first.clone() },
    ];
    let audit = bench.audit().await;
    for other in others {
        let answer = bench.record(2, other.clone(), 0).await;
        assert_eq!(answer, Recorded::KeyReused, "{other:?} is not the order of this key");
    }
    assert_eq!(bench.audit().await, audit, "nothing moved");
    assert_eq!(bench.load(&bench.packet(2), &[]).await, None);
    replays(&bench, first, 0).await;
}

async fn a_reused_key_is_told_before_the_funds_are_looked_at(bench: Bench) {
    bench.sent(1, 100, 3).await;
    assert_eq!(bench.balance("alice").await, 0);
    assert_eq!(bench.record(2, order("key 1", 200, 3), 0).await, Recorded::KeyReused);
}

async fn the_same_key_of_another_sender_is_another_packet(bench: Bench) {
    bench.send(1, order("key", 100, 3)).await;
    bench.send(2, Order { sender: user("bob"), ..order("key", 100, 3) }).await;
    assert_eq!(bench.audit().await.packets, 2);
    assert_eq!((bench.balance("alice").await, bench.balance("bob").await), (0, 0));
}

async fn the_same_key_of_another_tenant_is_another_packet(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    bench.send(1, order("key", 100, 3)).await;
    elsewhere.send(2, order("key", 100, 3)).await;
    assert_eq!(elsewhere.audit().await.packets, 1);
    assert_eq!(bench.load(&bench.packet(2), &[]).await, None);
}

async fn a_packet_never_inherits_the_balance_of_another(bench: Bench) {
    let first = bench.sent(1, 100, 2).await;
    bench.take(&first, &[("bob", 30)]).await;
    bench.expire(&first, 70).await;
    assert_eq!(bench.record(2, order("key 1", 50, 2), LIFE).await, Recorded::KeyReused);
    let second = bench.send(2, order("another key", 100, 2)).await;
    let loaded = bench.loaded(&second, &["bob"]).await;
    assert_eq!((loaded.packet.remaining(), loaded.claims), (amount(100), Vec::new()));
    bench.refuses(&second, &[("bob", 101)], Refusal::TooMuch).await;
    bench.take(&second, &[("bob", 60), ("carol", 40)]).await;
    assert_eq!(bench.standing(&first).await.refunded, amount(70));
}
