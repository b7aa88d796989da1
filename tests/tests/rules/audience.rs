//! Whom a packet is for.

use hongbao_host::domain::{Grabbed, Opened};

use crate::stage::{chat, equal, only, sent, take};

#[tokio::test]
async fn an_exclusive_packet_is_for_the_named_alone() {
    let chat = chat().await;
    let packet = sent(&chat, only(equal(200, 2), &["bob", "carol"])).await;
    assert_eq!(chat.grab(packet, "dave").await, Grabbed::NotEligible);
    assert_eq!(chat.open(packet, "dave").await, Opened::NotGrabbed);
    assert_eq!(chat.grab(packet, "alice").await, Grabbed::NotEligible);
    assert_eq!(take(&chat, packet, "bob").await, 100);
    assert_eq!(take(&chat, packet, "carol").await, 100);
    assert_eq!(chat.grab(packet, "dave").await, Grabbed::NotEligible);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_lost_cache_lets_no_stranger_into_an_exclusive_packet() {
    let chat = chat().await;
    let packet = sent(&chat, only(equal(200, 2), &["bob", "carol"])).await;
    take(&chat, packet, "bob").await;
    chat.host.lose_cache().await.unwrap();
    assert_eq!(chat.open(packet, "dave").await, Opened::NotGrabbed);
    assert_eq!(chat.grab(packet, "dave").await, Grabbed::NotEligible);
    assert_eq!(take(&chat, packet, "carol").await, 100);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn more_may_be_named_than_there_are_shares() {
    let chat = chat().await;
    let packet = sent(&chat, only(equal(100, 1), &["bob", "carol"])).await;
    take(&chat, packet, "carol").await;
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Exhausted);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn senders_may_take_a_share_of_their_own() {
    let chat = chat().await;
    let packet = sent(&chat, equal(200, 2)).await;
    assert_eq!(take(&chat, packet, "alice").await, 100);
    chat.assert_conserved().await;
}
