//! Open: a seat becomes a share, once and for good.

use hongbao_host::domain::{Grabbed, Opened};

use crate::stage::{MINUTE_MS, chat, equal, later, opened_before, sent, share};

#[tokio::test]
async fn a_share_is_grabbed_then_opened_and_both_stay_so() {
    let chat = chat().await;
    let packet = sent(&chat, equal(1_000, 2)).await;
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::AlreadyGrabbed);
    assert_eq!(chat.open(packet, "bob").await, Opened::Opened(share(500, 1)));
    assert_eq!(chat.open(packet, "bob").await, Opened::AlreadyOpened(share(500, 1)));
    assert_eq!(chat.grab(packet, "bob").await, opened_before(500));
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Admitted);
    assert_eq!(chat.open(packet, "carol").await, Opened::Opened(share(500, 2)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn who_has_not_grabbed_cannot_open() {
    let chat = chat().await;
    let packet = sent(&chat, equal(100, 1)).await;
    assert_eq!(chat.open(packet, "bob").await, Opened::NotGrabbed);
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_seat_that_is_opened_in_its_last_instant_counts() {
    let chat = chat().await;
    let packet = sent(&chat, equal(100, 1)).await;
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    later(&chat, MINUTE_MS - 1).await;
    assert_eq!(chat.open(packet, "bob").await, Opened::Opened(share(100, 1)));
    assert_eq!(later(&chat, MINUTE_MS).await.0, 0);
    assert_eq!(chat.open(packet, "bob").await, Opened::AlreadyOpened(share(100, 1)));
    chat.assert_conserved().await;
}
