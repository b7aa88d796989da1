//! Grab: who gets a seat, and how long it is kept.

use hongbao_host::domain::{Grabbed, Opened, PacketId};

use crate::stage::{MINUTE_MS, chat, equal, lasting, later, opened_before, sent, share, take};

#[tokio::test]
async fn a_packet_without_free_slots_is_exhausted_for_those_who_come_late() {
    let chat = chat().await;
    let packet = sent(&chat, equal(100, 1)).await;
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Exhausted);
    assert_eq!(chat.open(packet, "carol").await, Opened::NotGrabbed);
    assert_eq!(chat.open(packet, "bob").await, Opened::Opened(share(100, 1)));
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Exhausted);
    assert_eq!(chat.grab(packet, "bob").await, opened_before(100));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_packet_that_nobody_sent_is_not_found() {
    let chat = chat().await;
    // The id of a packet that never was.
    let id: PacketId = "01900000-0000-7000-8000-000000000000".parse().unwrap();
    assert_eq!(chat.grab(id, "bob").await, Grabbed::NotFound);
    assert_eq!(chat.open(id, "bob").await, Opened::NotFound);
    assert_eq!(chat.tenant.details(id).await.unwrap(), None);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_seat_lasts_a_minute_and_then_its_slot_is_free_again() {
    let chat = chat().await;
    let packet = sent(&chat, equal(100, 1)).await;
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Admitted);
    assert_eq!(later(&chat, MINUTE_MS - 1).await.0, 0);
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Exhausted);
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::AlreadyGrabbed);
    assert_eq!(later(&chat, 1).await.0, 1);
    assert_eq!(chat.open(packet, "bob").await, Opened::NotGrabbed);
    assert_eq!(take(&chat, packet, "carol").await, 100);
    assert_eq!(chat.grab(packet, "bob").await, Grabbed::Exhausted);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_finished_packet_is_exhausted_rather_than_expired() {
    let chat = chat().await;
    let packet = sent(&chat, lasting(equal(100, 1), 1_000)).await;
    take(&chat, packet, "bob").await;
    later(&chat, 1_000).await;
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Exhausted);
    assert_eq!(chat.grab(packet, "bob").await, opened_before(100));
    chat.assert_conserved().await;
}
