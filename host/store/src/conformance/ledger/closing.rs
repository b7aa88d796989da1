//! The end of a packet: the rest goes back to the sender, once.

use super::*;

checks! { Bench of Ledger:
    a_packet_is_not_closed_before_its_time,
    closing_refunds_what_is_left,
    an_untouched_packet_is_refunded_whole,
    a_packet_is_refunded_once,
    a_close_at_another_version_is_stale_and_moves_nothing,
    a_finished_packet_has_nothing_to_refund,
    claims_made_before_the_close_are_settled_after_it,
    a_refund_can_be_spent_again,
}

/// Closes, which must be answered so and move nothing.
async fn answers(bench: &Bench, key: &PacketKey, version: u64, now: u64, answer: Closed) {
    let (audit, standing) = (bench.audit().await, bench.standing(key).await);
    assert_eq!(bench.close(key, version, now).await, answer);
    assert_eq!(bench.audit().await, audit, "nothing moved");
    assert_eq!(bench.standing(key).await, standing);
}

async fn a_packet_is_not_closed_before_its_time(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    let version = bench.standing(&key).await.version;
    for now in [0, LIFE - 1] {
        answers(&bench, &key, version, now, Closed::NotDue).await;
    }
    assert_eq!(
        bench.close(&key, version, LIFE).await,
        Closed::Refunded(amount(100)),
        "at its very end it is"
    );
}

async fn closing_refunds_what_is_left(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.take(&key, &[("bob", 10), ("carol", 25)]).await;
    let before = bench.standing(&key).await;
    bench.expire(&key, 65).await;
    let after = bench.standing(&key).await;
    assert!(after.version > before.version, "a close raises the version");
    assert_eq!((after.status, after.refunded), (Status::Expired, amount(65)));
    assert_eq!((after.claimed_amount, after.claimed_shares), (amount(35), 2));
    assert_eq!(after.remaining(), Amount::ZERO);
    assert_eq!(bench.balance("alice").await, 65);
    let audit = bench.audit().await;
    assert_eq!((audit.refunded, audit.remaining, audit.escrow), (65, 0, 35));
}

async fn an_untouched_packet_is_refunded_whole(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.expire(&key, 100).await;
    assert_eq!(bench.balance("alice").await, 100);
    assert_eq!(bench.audit().await.escrow, 0);
}

async fn a_packet_is_refunded_once(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    let version = bench.standing(&key).await.version;
    bench.take(&key, &[("bob", 10)]).await;
    bench.expire(&key, 90).await;
    let present = bench.standing(&key).await.version;
    for version in [version, present - 1, present, present + 1] {
        answers(&bench, &key, version, LIFE, Closed::Already(amount(90))).await;
        answers(&bench, &key, version, 2 * LIFE, Closed::Already(amount(90))).await;
    }
    answers(&bench, &key, present, 0, Closed::Already(amount(90))).await;
    assert_eq!(bench.balance("alice").await, 90, "the wallet is credited once");
}

async fn a_close_at_another_version_is_stale_and_moves_nothing(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    let first = bench.standing(&key).await.version;
    bench.take(&key, &[("bob", 10)]).await;
    let present = bench.standing(&key).await.version;
    for version in [first, present + 1, 0] {
        answers(&bench, &key, version, LIFE, Closed::Stale).await;
    }
    assert_eq!(bench.balance("alice").await, 0);
    bench.expire(&key, 90).await;
}

async fn a_finished_packet_has_nothing_to_refund(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    bench.take(&key, &[("bob", 60), ("carol", 40)]).await;
    let version = bench.standing(&key).await.version;
    for now in [0, LIFE, 2 * LIFE] {
        answers(&bench, &key, version, now, Closed::Already(Amount::ZERO)).await;
        answers(&bench, &key, version + 1, now, Closed::Already(Amount::ZERO)).await;
    }
    assert_eq!(bench.standing(&key).await.status, Status::Finished);
}

async fn claims_made_before_the_close_are_settled_after_it(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.take(&key, &[("bob", 10)]).await;
    bench.expire(&key, 90).await;
    assert_eq!(bench.settle(10).await.len(), 1);
    assert_eq!((bench.balance("alice").await, bench.balance("bob").await), (90, 10));
    assert_eq!(bench.audit().await.escrow, 0);
}

async fn a_refund_can_be_spent_again(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.expire(&key, 100).await;
    let again = bench.record(2, order("another key", 100, 3), LIFE).await;
    assert!(matches!(again, Recorded::Recorded(_)), "{again:?}");
    assert_eq!(bench.balance("alice").await, 0);
}
