//! What a guest remembers of one call and tells in the next.

use hongbao_host::domain::{Limits, Reply};
use hongbao_host::runtime::Tenant;
use hongbao_tests::chat::Chat;

use crate::stage::{Stage, evil, guest, message};

async fn told(tenant: &Tenant, text: &str) -> String {
    match tenant.command(message(text)).await.unwrap().as_slice() {
        [Reply::Notice(told)] => told.clone(),
        other => panic!("{other:?}"),
    }
}

/// Instances are used again within a tenant, by design: a fresh one for each call would cost several
/// times as much. So a plugin can tell one user of a tenant what another typed, as it could by way of
/// a packet's greeting; what it tells of money is checked against the stores. What a host does
/// guarantee is that no instance ever serves two tenants, though they have the very same plugin.
#[tokio::test]
async fn what_a_plugin_remembers_never_reaches_another_tenant() {
    let stage = Stage::new("leaky").await;
    stage.chat.tenant.upgrade(guest("leaky")).await.unwrap();
    assert_eq!(told(&stage.evil, "/secret").await, "");
    assert_eq!(told(&stage.evil, "/again").await, "alice typed /secret", "within a tenant it is told");
    for text in ["/first", "/second", "/third"] {
        let told = told(&stage.chat.tenant, text).await;
        assert!(!told.contains("/secret") && !told.contains("/again"), "{told}");
    }
    assert_eq!(told(&stage.evil, "/more").await, "alice typed /again");
    stage.chat.tenant.rollback().await.unwrap();
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn what_a_plugin_remembers_ends_with_its_version_and_with_its_instance() {
    let stage = Stage::new("leaky").await;
    assert_eq!(told(&stage.evil, "/secret").await, "");
    stage.evil.upgrade(guest("leaky")).await.unwrap();
    assert_eq!(told(&stage.evil, "/after").await, "");
    // A tenant that wants no memory at all can have it so.
    let forgetful = Limits { calls_per_instance: 1, ..Limits::default() };
    stage.evil.configure(evil().limits(forgetful)).await.unwrap();
    for text in ["/one", "/two", "/three"] {
        assert_eq!(told(&stage.evil, text).await, "");
    }
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn tenants_of_the_same_plugin_have_packets_of_their_own() {
    let stage = Stage::on("leaky", Chat::default(), evil(), hongbao_tests::chat::request(100, 10)).await;
    let here = stage.chat.tenant.details(stage.packet).await.unwrap();
    assert_eq!(here, None, "the other tenant's packet is not there");
    stage.assert_unharmed().await;
}
