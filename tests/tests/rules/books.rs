//! The books: where every cent is, and what is found where they do not agree.

use std::sync::Arc;

use hongbao_host::domain::{Grabbed, Policy, Sent};
use hongbao_host::runtime::{CounterMismatch, Reconciliation};
use hongbao_host::store::Audit;
use hongbao_host::store::memory::MemoryCounter;
use hongbao_tests::chat::Chat;

use crate::stage::{
    both, chat, equal, filed, fund, funded, keyed, lasting, later, opened_before, sent, settle, take,
};

/// The sums of a chat in which everything happens once, after each step of it.
async fn audits(chat: &Chat) -> Vec<Audit> {
    let audit = async || chat.tenant.audit().await.unwrap();
    let mut audits = vec![audit().await];
    fund(chat, "alice", 1_000).await;
    let packet = sent(chat, lasting(equal(300, 3), 1_000)).await;
    audits.push(audit().await);
    take(chat, packet, "bob").await;
    take(chat, packet, "carol").await;
    audits.push(audit().await);
    settle(chat).await;
    audits.push(audit().await);
    later(chat, 1_000).await;
    audits.push(audit().await);
    audits
}

fn audit(sums: [i128; 9], [packets, claims, movements]: [u64; 3]) -> Audit {
    let [funded, sent, claimed, refunded, remaining, wallets, escrow, unsettled, postings] = sums;
    Audit {
        funded,
        sent,
        claimed,
        refunded,
        remaining,
        wallets,
        escrow,
        unsettled,
        postings,
        packets,
        claims,
        movements,
        ..Audit::default()
    }
}

#[tokio::test]
async fn the_audit_follows_every_cent_in_either_ledger() {
    let expected = [
        audit([0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0]),
        audit([1_000, 300, 0, 0, 300, 700, 300, 0, 0], [1, 0, 2]),
        audit([1_000, 300, 200, 0, 100, 700, 300, 200, 0], [1, 2, 2]),
        audit([1_000, 300, 200, 0, 100, 900, 100, 0, 0], [1, 2, 4]),
        audit([1_000, 300, 200, 100, 0, 1_000, 0, 0, 0], [1, 2, 5]),
    ];
    assert!(expected.iter().all(Audit::is_conserved));
    let (_directory, chats) = both();
    for chat in chats {
        assert_eq!(audits(&chat).await, expected);
        chat.assert_conserved().await;
    }
}

/// What is found where everything agrees.
fn clean(packets: u64, counters: u64) -> Reconciliation {
    Reconciliation { packets, counters, ..Reconciliation::default() }
}

#[tokio::test]
async fn reconciliation_of_books_that_agree_finds_nothing() {
    let chat = chat().await;
    assert!(clean(0, 0).is_clean());
    assert_eq!(chat.tenant.reconcile(true).await.unwrap(), clean(0, 0));
    let packet = sent(&chat, equal(300, 3)).await;
    take(&chat, packet, "bob").await;
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Admitted);
    assert_eq!(chat.tenant.reconcile(true).await.unwrap(), clean(1, 1));
    chat.host.lose_cache().await.unwrap();
    assert_eq!(chat.tenant.reconcile(true).await.unwrap(), clean(1, 0));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn reconciliation_repairs_a_counter_that_missed_a_claim() {
    let directory = tempfile::tempdir().unwrap();
    let one = funded(filed(directory.path())).await;
    let wanted = keyed(equal(200, 2), "k1");
    let packet = sent(&one, wanted.clone()).await;
    // Another host on the same ledger, with a cache of its own.
    let other = Chat::new(Arc::new(MemoryCounter::new()), Arc::clone(&one.ledger), Policy::default());
    assert_eq!(other.try_send(wanted).await, Ok(Sent::Replayed(packet)));
    take(&other, packet, "bob").await;

    let mismatch =
        CounterMismatch { packet, unclaimed: 1, counted: 2, seats: 1, is_damaged: false, repaired: true };
    let found = one.tenant.reconcile(true).await.unwrap();
    assert!(!found.is_clean());
    assert_eq!(found, Reconciliation { mismatches: vec![mismatch], ..clean(1, 1) });
    assert_eq!(one.tenant.reconcile(true).await.unwrap(), clean(1, 0));
    assert_eq!(one.grab(packet, "bob").await, opened_before(100));
    take(&one, packet, "carol").await;
    assert_eq!(one.grab(packet, "dave").await, Grabbed::Exhausted);
    one.assert_conserved().await;
}
