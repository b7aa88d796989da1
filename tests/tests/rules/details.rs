//! Details: a packet as the room sees it.

use hongbao_host::domain::{ClaimLine, Details, Status};
use hongbao_tests::chat::request;

use crate::stage::{chat, equal, lasting, later, people, sent, take};

/// Where it stands: its status, total and shares, and what was claimed of both and went back.
fn sums(Details { packet, .. }: &Details) -> (Status, u64, u32, u64, u32, u64) {
    let (claimed, refunded) = (packet.claimed_amount.get(), packet.refunded.get());
    (packet.status, packet.order.total.get(), packet.order.shares, claimed, packet.claimed_shares, refunded)
}

/// A claim without its moment: whose, how much, in which place, and whether it is the luckiest.
type Line<'a> = (&'a str, u64, u32, bool);

fn line(claim: &ClaimLine) -> Line<'_> {
    (claim.user.as_str(), claim.amount.get(), claim.sequence, claim.best_luck)
}

fn lines(details: &Details) -> Vec<Line<'_>> {
    details.claims.iter().map(line).collect()
}

#[tokio::test]
async fn a_packet_is_open_until_its_last_share_is_claimed() {
    let chat = chat().await;
    let packet = sent(&chat, equal(200, 2)).await;
    let shown = chat.details(packet).await;
    assert_eq!(sums(&shown), (Status::Open, 200, 2, 0, 0, 0));
    assert_eq!(shown.claims, []);
    take(&chat, packet, "bob").await;
    assert_eq!(sums(&chat.details(packet).await), (Status::Open, 200, 2, 100, 1, 0));
    take(&chat, packet, "carol").await;
    assert_eq!(sums(&chat.details(packet).await), (Status::Finished, 200, 2, 200, 2, 0));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_packet_past_its_time_is_expired() {
    let chat = chat().await;
    let packet = sent(&chat, lasting(equal(300, 3), 1_000)).await;
    take(&chat, packet, "bob").await;
    later(&chat, 1_000).await;
    let shown = chat.details(packet).await;
    assert_eq!(sums(&shown), (Status::Expired, 300, 3, 100, 1, 200));
    assert_eq!(lines(&shown), [("bob", 100, 1, true)]);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn claims_come_in_their_order_and_the_first_of_equal_ones_has_the_best_luck() {
    let chat = chat().await;
    let packet = sent(&chat, equal(300, 3)).await;
    // Not in the order of their names.
    for (name, ms) in [("dave", 5), ("bob", 10), ("carol", 0)] {
        take(&chat, packet, name).await;
        later(&chat, ms).await;
    }
    let shown = chat.details(packet).await;
    let expected = [("dave", 100, 1, true), ("bob", 100, 2, false), ("carol", 100, 3, false)];
    assert_eq!(lines(&shown), expected);
    let after = |claim: &ClaimLine| claim.claimed_at_ms - shown.packet.sent_at_ms;
    assert_eq!(shown.claims.iter().map(after).collect::<Vec<_>>(), [0, 5, 15]);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn the_largest_share_so_far_has_the_best_luck() {
    let chat = chat().await;
    let packet = sent(&chat, request(2_000, 20)).await;
    let (names, mut amounts) = (people(20), Vec::new());
    for name in &names {
        amounts.push(take(&chat, packet, name).await);
        let most = amounts.iter().max().unwrap();
        let best = amounts.iter().position(|amount| amount == most).unwrap();
        let expected = amounts.iter().zip(&names).enumerate();
        let expected = expected.map(|(at, (minor, name))| (name.as_str(), *minor, at as u32 + 1, at == best));
        assert_eq!(lines(&chat.details(packet).await), expected.collect::<Vec<_>>());
    }
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_hundred_claims_are_shown() {
    let chat = chat().await;
    let packet = sent(&chat, equal(100, 100)).await;
    let names = people(100);
    for name in &names {
        assert_eq!(take(&chat, packet, name).await, 1);
    }
    let shown = chat.details(packet).await;
    assert_eq!(shown.claims.len(), 100);
    assert_eq!(lines(&shown)[99], (names[99].as_str(), 1, 100, false));
    chat.assert_conserved().await;
}
