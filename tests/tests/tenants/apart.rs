//! What one tenant has is not there for another.

use hongbao_host::domain::{Expired, Grabbed, Message, Opened, Presser, Reply};
use hongbao_host::runtime::{CallError, TenantError};
use hongbao_tests::chat::{amount, plugin, request, user};

use super::{assert_conserved, host, lucky, named};

#[tokio::test]
async fn a_packet_is_there_for_its_own_tenant_alone() {
    let host = host();
    let one = host.add(named("one"), plugin()).await.unwrap();
    let other = host.add(named("other"), plugin()).await.unwrap();
    let packet = lucky(&one, 1_000, 3).await;
    assert_eq!(other.grab(packet, user("bob")).await.unwrap(), Grabbed::NotFound);
    assert_eq!(other.open(packet, user("bob")).await.unwrap(), Opened::NotFound);
    assert_eq!(other.details(packet).await.unwrap(), None);
    assert_eq!(other.expire(packet).await.unwrap(), Expired::NotFound);
    let bob = Presser { user: user("bob"), language: "en".into() };
    let pressed = other.action(packet, "open".into(), bob).await.unwrap();
    assert!(matches!(&pressed[..], [Reply::Problem(problem)] if problem.code == "not-found"), "{pressed:?}");
    assert_eq!(one.grab(packet, user("bob")).await.unwrap(), Grabbed::Admitted);
    assert_eq!(other.audit().await.unwrap().packets, 0);
}

#[tokio::test]
async fn users_rooms_and_keys_of_the_same_name_are_different_ones() {
    let host = host();
    let one = host.add(named("one"), plugin()).await.unwrap();
    let other = host.add(named("other"), plugin()).await.unwrap();
    let request = request(500, 2);
    one.fund(&user("alice"), amount(500)).await.unwrap();
    let refused = other.send(request.clone()).await.unwrap().unwrap_err();
    assert_eq!(refused, hongbao_host::domain::SendError::InsufficientFunds(amount(0)));
    other.fund(&user("alice"), amount(500)).await.unwrap();
    let packets =
        [one.send(request.clone()).await, other.send(request).await].map(|sent| sent.unwrap().unwrap());
    assert_ne!(packets[0], packets[1], "the same key twice, once for each");
    for tenant in [&one, &other] {
        assert_eq!(tenant.balance(&user("alice")).await.unwrap(), amount(0));
        assert_conserved(tenant).await;
    }
}

#[tokio::test]
async fn the_latest_packet_of_a_room_is_that_of_the_tenants_own_room() {
    let host = host();
    let one = host.add(named("one"), plugin()).await.unwrap();
    let other = host.add(named("other"), plugin()).await.unwrap();
    lucky(&one, 1_000, 3).await;
    let best = Message {
        id: "m".into(),
        room: "room".into(),
        sender: user("bob"),
        text: "/hongbao best".into(),
        mentions: Vec::new(),
        language: "en".into(),
    };
    let there = one.command(best.clone()).await.unwrap();
    assert!(matches!(&there[..], [Reply::Card(card)] if card.private && card.packet.is_some()), "{there:?}");
    let elsewhere = other.command(best).await.unwrap();
    assert!(matches!(&elsewhere[..], [Reply::Notice(_)]), "{elsewhere:?}");
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let host = host();
    let tenant = host.add(named("one"), plugin()).await.unwrap();
    let error = host.add(named("one"), plugin()).await.err().unwrap();
    assert_eq!(error.to_string(), "there is a tenant one already");
    assert!(matches!(error, TenantError::Exists(_)));
    assert_eq!(host.tenants().len(), 1);
    assert_eq!(host.tenant(tenant.id()).unwrap().id(), tenant.id());
}

#[tokio::test]
async fn who_is_removed_is_served_no_more_and_keeps_the_books() {
    let host = host();
    let tenant = host.add(named("one"), plugin()).await.unwrap();
    let packet = lucky(&tenant, 1_000, 3).await;
    assert!(host.remove(tenant.id()));
    assert!(!host.remove(tenant.id()));
    let refused = tenant.grab(packet, user("bob")).await.unwrap_err();
    assert!(matches!(refused, CallError::Suspended { retry_after_ms: None }), "{refused}");
    let again = host.add(named("one"), plugin()).await.unwrap();
    assert_eq!(again.grab(packet, user("bob")).await.unwrap(), Grabbed::Admitted);
    assert_conserved(&again).await;
}
