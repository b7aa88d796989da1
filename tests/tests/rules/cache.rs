//! What becomes of seats when the cache is lost.

use hongbao_host::domain::{Grabbed, Opened};

use crate::stage::{MINUTE_MS, chat, equal, later, opened_before, sent, share, take};

#[tokio::test]
async fn a_lost_cache_lets_seat_holders_through_and_loses_nothing() {
    let chat = chat().await;
    let packet = sent(&chat, equal(300, 3)).await;
    take(&chat, packet, "bob").await;
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Admitted);
    chat.host.lose_cache().await.unwrap();
    assert_eq!(chat.open(packet, "carol").await, Opened::Opened(share(100, 2)));
    assert_eq!(chat.grab(packet, "bob").await, opened_before(100));
    assert_eq!(chat.open(packet, "bob").await, Opened::AlreadyOpened(share(100, 1)));
    assert_eq!(take(&chat, packet, "dave").await, 100);
    assert_eq!(chat.grab(packet, "erin").await, Grabbed::Exhausted);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn who_grabbed_before_the_cache_was_lost_may_find_it_exhausted() {
    let chat = chat().await;
    let packet = sent(&chat, equal(100, 1)).await;
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    chat.host.lose_cache().await.unwrap();
    // The cache knows nothing of bob's seat, so carol gets the only slot.
    assert_eq!(take(&chat, packet, "carol").await, 100);
    assert_eq!(chat.open(packet, "bob").await, Opened::Exhausted);
    assert_eq!(chat.open(packet, "carol").await, Opened::AlreadyOpened(share(100, 1)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_minute_after_the_cache_was_lost_seats_are_asked_for_again() {
    let chat = chat().await;
    let packet = sent(&chat, equal(200, 2)).await;
    chat.host.lose_cache().await.unwrap();
    take(&chat, packet, "bob").await;
    later(&chat, MINUTE_MS).await;
    assert_eq!(chat.open(packet, "carol").await, Opened::NotGrabbed);
    take(&chat, packet, "carol").await;
    chat.assert_conserved().await;
}
