//! Wallets: what fills them, and what they pay for.

use hongbao_host::domain::{Amount, Grabbed, PacketId, SendError};
use hongbao_host::store::StoreError;
use hongbao_tests::chat::{Chat, amount, request, user};

use crate::stage::{FUNDED, both, by, chat, equal, fund, funded, keyed, sent, settle, take};

const MAX: u64 = i64::MAX as u64;

#[tokio::test]
async fn funding_adds_to_a_wallet_and_to_no_other() {
    let chat = Chat::default();
    assert_eq!(chat.balance("bob").await, 0);
    assert_eq!(fund(&chat, "bob", 10_000).await, 10_000);
    assert_eq!(fund(&chat, "bob", 1).await, 10_001);
    assert_eq!((chat.balance("bob").await, chat.balance("carol").await), (10_001, 0));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_funding_of_nothing_or_past_the_largest_amount_is_refused() {
    for minor in [MAX + 1, u64::MAX] {
        assert!(Amount::new(minor).is_err(), "{minor}");
    }
    let (_directory, chats) = both();
    for chat in chats {
        let chat = funded(chat).await;
        let before = chat.tenant.audit().await.unwrap();
        for minor in [0, MAX] {
            let refused = chat.tenant.fund(&user("alice"), amount(minor)).await;
            assert!(matches!(&refused, Err(StoreError::Refused(why)) if why.len() > 10), "{refused:?}");
        }
        assert_eq!(chat.tenant.audit().await.unwrap(), before);
        assert_eq!(chat.balance("alice").await, FUNDED);
    }
}

#[tokio::test]
async fn wallets_up_to_the_largest_amount_are_kept_exactly() {
    let (_directory, chats) = both();
    for chat in chats {
        for name in ["alice", "bob", "carol"] {
            assert_eq!(fund(&chat, name, MAX).await, MAX);
            let refused = chat.tenant.fund(&user(name), amount(1)).await;
            assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
            assert_eq!(chat.balance(name).await, MAX);
        }
        sent(&chat, equal(20_000, 1)).await;
        assert_eq!(chat.balance("alice").await, MAX - 20_000);
        chat.assert_conserved().await;
    }
}

#[tokio::test]
async fn the_sender_is_debited_at_once() {
    let chat = chat().await;
    let packet = sent(&chat, request(1_000, 10)).await;
    assert_eq!(chat.balance("alice").await, 999_000);
    let other = sent(&chat, request(500, 5)).await;
    assert_ne!(packet, other);
    assert_eq!(chat.balance("alice").await, 998_500);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn who_holds_too_little_sends_nothing() {
    let chat = Chat::default();
    let wanted = keyed(request(1_000, 10), "k1");
    let holds = |minor| Err(SendError::InsufficientFunds(amount(minor)));
    assert_eq!(chat.try_send(wanted.clone()).await, holds(0));
    assert_eq!(fund(&chat, "alice", 999).await, 999);
    assert_eq!(chat.try_send(wanted.clone()).await, holds(999));
    assert_eq!(chat.balance("alice").await, 999);
    assert_eq!(chat.tenant.audit().await.unwrap().packets, 0);
    // Nothing stands under the key, which is free.
    assert_eq!(fund(&chat, "alice", 1).await, 1_000);
    let packet = sent(&chat, wanted).await;
    assert_eq!(chat.balance("alice").await, 0);
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    assert_eq!(chat.grab(PacketId::from_halves(0, 1), "bob").await, Grabbed::NotFound);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn wallets_that_were_filled_by_claims_can_send() {
    let chat = Chat::default();
    fund(&chat, "alice", 100).await;
    let packet = sent(&chat, equal(100, 1)).await;
    assert_eq!(take(&chat, packet, "bob").await, 100);
    let from_bob = by(equal(100, 1), "bob");
    // What is claimed is his once it is settled.
    assert_eq!(chat.try_send(from_bob.clone()).await, Err(SendError::InsufficientFunds(amount(0))));
    settle(&chat).await;
    sent(&chat, from_bob).await;
    assert_eq!(chat.balance("bob").await, 0);
    chat.assert_conserved().await;
}
