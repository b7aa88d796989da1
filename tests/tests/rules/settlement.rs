//! Settlement: when what was claimed reaches a wallet.

use std::sync::Arc;

use hongbao_host::store::{Discrepancy, RETRY_MS};
use hongbao_tests::chat::Chat;

use crate::stage::{
    at_once, both, chat, credit, equal, filed, fund, funded, later, people, sent, settle, take,
};

/// An equal packet with one share for each of these users, who take them in this order.
async fn give(chat: &Chat, share: u64, names: &[impl AsRef<str>]) {
    let packet = sent(chat, equal(share * names.len() as u64, names.len() as u32)).await;
    for name in names {
        assert_eq!(take(chat, packet, name.as_ref()).await, share);
    }
}

#[tokio::test]
async fn large_claims_are_settled_first_then_in_the_order_of_claiming() {
    let chat = chat().await;
    give(&chat, 9_999, &["zoe", "bob"]).await;
    give(&chat, 10_000, &["yan", "carol"]).await;
    give(&chat, 1, &["xi"]).await;
    give(&chat, 20_000, &["dave"]).await;
    assert_eq!(chat.balance("dave").await, 0);
    let order =
        [("yan", 10_000), ("carol", 10_000), ("dave", 20_000), ("zoe", 9_999), ("bob", 9_999), ("xi", 1)];
    assert_eq!(settle(&chat).await, order.map(|(name, minor)| credit(name, minor)));
    assert_eq!(settle(&chat).await, []);
    assert_eq!((chat.balance("dave").await, chat.balance("xi").await), (20_000, 1));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_settlement_drains_hundreds_of_claims() {
    let chat = chat().await;
    let names = people(600);
    for names in names.chunks(100) {
        give(&chat, 2, names).await;
    }
    let expected: Vec<_> = names.iter().map(|name| credit(name, 2)).collect();
    assert_eq!(settle(&chat).await, expected);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn what_one_host_claimed_another_settles_once() {
    let directory = tempfile::tempdir().unwrap();
    let first = funded(filed(directory.path())).await;
    give(&first, 100, &["bob", "carol"]).await;
    drop(first);
    let second = filed(directory.path());
    assert_eq!(settle(&second).await, [credit("bob", 100), credit("carol", 100)]);
    drop(second);
    let last = filed(directory.path());
    assert_eq!(settle(&last).await, []);
    assert_eq!(last.balance("bob").await, 100);
    last.assert_conserved().await;
}

#[tokio::test]
async fn a_claim_that_cannot_be_credited_waits_and_holds_up_no_other() {
    let (_directory, chats) = both();
    for chat in chats {
        let chat = funded(chat).await;
        fund(&chat, "rich", i64::MAX as u64).await;
        let packet = sent(&chat, equal(200, 2)).await;
        take(&chat, packet, "rich").await;
        take(&chat, packet, "bob").await;
        assert_eq!(settle(&chat).await, [credit("bob", 100)]);
        assert!(chat.tenant.reconcile(true).await.unwrap().is_clean(), "it will be tried again");
        for after in RETRY_MS {
            later(&chat, after).await;
            assert_eq!(settle(&chat).await, []);
        }
        let found = chat.tenant.reconcile(true).await.unwrap();
        let waits = Discrepancy {
            subject: format!("claim of rich on packet {packet}"),
            rule: "a claim can be settled",
            expected: 100,
            found: 0,
        };
        assert!(!found.is_clean());
        assert_eq!(found.discrepancies, [waits]);
        let audit = chat.tenant.audit().await.unwrap();
        assert_eq!((audit.unsettled, audit.is_conserved()), (100, true));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn settlements_at_once_credit_each_claim_once() {
    let chat = Arc::new(chat().await);
    let names = people(100);
    give(&chat, 100, &names).await;
    let settlements = (0..10).map(|_| {
        let chat = Arc::clone(&chat);
        async move { settle(&chat).await }
    });
    let mut credits = at_once(settlements).await.concat();
    credits.sort_unstable();
    assert_eq!(credits, names.iter().map(|name| credit(name, 100)).collect::<Vec<_>>());
    assert_eq!(chat.balance(&names[99]).await, 100);
    chat.assert_conserved().await;
}
