//! Many tenants on one host: what is shared, what never is, and what changes while it serves.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may stop anywhere"
)]

mod apart;
mod instances;
mod limits;
mod metrics;
mod upgrade;

use hongbao_host::domain::{Grants, PacketId, Request, Sent, TenantId};
use hongbao_host::runtime::{Host, Plugin, Tenant, TenantConfig};
use hongbao_tests::chat::{amount, plugin, request};

/// A tenant of this name with everything granted.
fn named(name: &str) -> TenantConfig {
    TenantConfig::new(TenantId::new(name).unwrap()).grants(Grants::ALL)
}

/// A host with nobody on it yet.
fn host() -> Host {
    Host::builder().engine(plugin().engine().clone()).build().unwrap()
}

/// The embedded plugin with other bytes: a custom section that says nothing.
fn another(version: u8) -> Plugin {
    let mut bytes = Plugin::EMBEDDED.to_vec();
    bytes.extend([0, 3, 1, b'v', version]);
    Plugin::from_bytes(plugin().engine(), &bytes).unwrap()
}

/// A packet of the tenant's, funded with just what it needs.
async fn sent(tenant: &Tenant, request: Request) -> PacketId {
    tenant.fund(&request.sender, amount(request.total)).await.unwrap();
    match tenant.send(request).await.unwrap() {
        Ok(Sent::Sent(packet)) => packet,
        other => panic!("{other:?}"),
    }
}

/// A lucky packet of the tenant's.
async fn lucky(tenant: &Tenant, total: u64, shares: u32) -> PacketId {
    sent(tenant, request(total, shares)).await
}

/// Fails unless every cent of the tenant's is accounted for.
async fn assert_conserved(tenant: &Tenant) {
    let audit = tenant.audit().await.unwrap();
    assert!(audit.is_conserved(), "{audit:?}");
    assert_eq!(tenant.verify().await.unwrap(), []);
}
