//! Keys: a request that is repeated sends once.

use hongbao_host::domain::{Grabbed, Opened, Request, SendError, Sent, Strategy};
use hongbao_tests::chat::{Chat, request};

use crate::stage::{
    FUNDED, at_once, by, chat, equal, filed, fund, funded, keyed, lasting, later, only, opened_before, sent,
    share, take,
};

#[tokio::test]
async fn a_repeated_send_is_the_same_packet() {
    let chat = chat().await;
    let wanted = keyed(request(1_000, 10), "k1");
    let packet = sent(&chat, wanted.clone()).await;
    for _ in 0..2 {
        assert_eq!(chat.try_send(wanted.clone()).await, Ok(Sent::Replayed(packet)));
        assert_eq!(chat.balance("alice").await, 999_000);
    }
    take(&chat, packet, "bob").await;
    assert!(matches!(chat.grab(packet, "bob").await, Grabbed::AlreadyOpened(_)));
    assert_eq!(chat.tenant.audit().await.unwrap().packets, 1);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_repeated_send_is_replayed_when_the_wallet_is_empty_and_the_packet_over() {
    let chat = Chat::default();
    fund(&chat, "alice", 100).await;
    let wanted = keyed(lasting(equal(100, 1), 1_000), "k1");
    let packet = sent(&chat, wanted.clone()).await;
    assert_eq!(chat.try_send(wanted.clone()).await, Ok(Sent::Replayed(packet)));
    take(&chat, packet, "bob").await;
    assert_eq!(chat.try_send(wanted.clone()).await, Ok(Sent::Replayed(packet)));
    later(&chat, 1_000).await;
    assert_eq!(chat.try_send(wanted).await, Ok(Sent::Replayed(packet)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_key_that_stands_for_something_else_is_refused() {
    let chat = chat().await;
    let first = keyed(request(1_000, 10), "k1");
    sent(&chat, first.clone()).await;
    let others = [
        Request { total: 1_001, ..first.clone() },
        Request { shares: 9, ..first.clone() },
        Request { room: "r2".into(), ..first.clone() },
        Request { strategy: Some(Strategy::EQUAL), ..first.clone() },
        Request { strategy: Some(Strategy::LINE_CUT), ..first.clone() },
        Request { greeting: "hello".into(), ..first.clone() },
        lasting(first.clone(), 1_000),
        only(Request { shares: 2, ..first.clone() }, &["bob", "carol"]),
    ];
    for other in others {
        assert_eq!(chat.try_send(other.clone()).await, Err(SendError::KeyReused), "{other:?}");
    }
    assert_eq!(chat.balance("alice").await, 999_000);
    assert_eq!(chat.tenant.audit().await.unwrap().packets, 1);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_key_is_its_senders_own() {
    let chat = chat().await;
    fund(&chat, "bob", 1_000).await;
    let wanted = keyed(request(1_000, 10), "k1");
    let packet = sent(&chat, wanted.clone()).await;
    let other = sent(&chat, by(wanted, "bob")).await;
    assert_ne!(packet, other);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn the_same_request_under_another_key_is_another_packet() {
    let chat = chat().await;
    let wanted = request(1_000, 10);
    let packet = sent(&chat, keyed(wanted.clone(), "k1")).await;
    let other = sent(&chat, keyed(wanted, "k2")).await;
    assert_ne!(packet, other);
    assert_eq!(chat.balance("alice").await, 998_000);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_later_host_finds_the_packet_again_under_its_key() {
    let directory = tempfile::tempdir().unwrap();
    let wanted = keyed(equal(300, 3), "k1");
    let packet = {
        let first = funded(filed(directory.path())).await;
        let packet = sent(&first, wanted.clone()).await;
        assert_eq!(take(&first, packet, "bob").await, 100);
        assert_eq!(first.grab(packet, "carol").await, Grabbed::Admitted);
        first.assert_conserved().await;
        packet
    };
    let later = filed(directory.path());
    assert_eq!(later.try_send(wanted.clone()).await, Ok(Sent::Replayed(packet)));
    assert_eq!(later.grab(packet, "bob").await, opened_before(100));
    assert_eq!(later.open(packet, "bob").await, Opened::AlreadyOpened(share(100, 1)));
    // Her seat went with the first host's cache, and she is let through all the same.
    assert_eq!(later.open(packet, "carol").await, Opened::Opened(share(100, 2)));
    let other = Request { shares: 1, ..wanted };
    assert_eq!(later.try_send(other).await, Err(SendError::KeyReused));
    assert_eq!(later.details(packet).await.packet.claimed_shares, 2);
    assert_eq!(later.balance("alice").await, FUNDED - 300);
    later.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_send_from_many_phones_is_sent_once() {
    let chat = chat().await;
    let wanted = keyed(request(1_000, 10), "k1");
    let sends = at_once((0..50).map(|_| {
        let (tenant, wanted) = (chat.tenant.clone(), wanted.clone());
        async move { tenant.send(wanted).await.unwrap().unwrap() }
    }))
    .await;
    let first = sends.iter().filter(|sent| matches!(sent, Sent::Sent(_))).count();
    let packets: std::collections::BTreeSet<_> =
        sends.iter().map(|(Sent::Sent(packet) | Sent::Replayed(packet))| *packet).collect();
    assert_eq!((sends.len(), first, packets.len()), (50, 1, 1), "{sends:?}");
    assert_eq!(chat.balance("alice").await, 999_000);
    chat.assert_conserved().await;
}
