//! What a command works with: a plugin, stores, and a tenant on them.

use std::path::Path;
use std::sync::Arc;

use super::stores::Stores;
use crate::domain::{Grants, TenantId};
use crate::imports::{Clock, Entropy, SystemClock};
use crate::runtime::{Engine, Host, HostBuilder, Plugin, PluginSource, Plugins, Tenant, TenantConfig};

/// A host with one tenant.
pub(super) struct Session {
    pub(super) host: Host,
    pub(super) tenant: Tenant,
}

/// The embedded plugin, or the one in a file or a plugin directory. It comes first, so that one that does not fit is refused
/// before a ledger is made.
pub(super) async fn plugin(at: Option<&Path>) -> anyhow::Result<Plugin> {
    let source = at.map_or(PluginSource::Embedded, PluginSource::at);
    Ok(Plugins::new(Engine::new()?).load(source).await?)
}

/// A host on these stores, which draws from `seed` if there is one.
pub(super) async fn session(
    plugin: Plugin,
    stores: &Stores,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
) -> anyhow::Result<Session> {
    // The counter first: connecting to it makes nothing.
    let builder = Host::builder().counter(stores.counter().await?).ledger(stores.ledger().await?);
    serve(seeded(builder, seed).clock(clock), plugin, stores.tenant.clone()).await
}

/// A host on books that must be there already, in real time.
pub(super) async fn books(file: Option<&Path>, stores: &Stores) -> anyhow::Result<Session> {
    let ledger = stores.existing_ledger().await?;
    let builder = Host::builder().counter(stores.counter().await?).ledger(ledger);
    serve(builder, plugin(file).await?, stores.tenant.clone()).await
}

/// A host without any books.
pub(super) async fn in_memory(plugin: Plugin, seed: Option<u64>) -> anyhow::Result<Session> {
    serve(seeded(Host::builder(), seed).clock(Arc::new(SystemClock)), plugin, TenantId::default()).await
}

fn seeded(builder: HostBuilder, seed: Option<u64>) -> HostBuilder {
    match seed {
        Some(seed) => builder.entropy(Entropy::seeded(seed)),
        None => builder,
    }
}

/// Whoever runs a command on a plugin grants it what it asks for: the stores are theirs.
async fn serve(builder: HostBuilder, plugin: Plugin, tenant: TenantId) -> anyhow::Result<Session> {
    let host = builder.engine(plugin.engine().clone()).build()?;
    let tenant = host.add(TenantConfig::new(tenant).grants(Grants::ALL), plugin).await?;
    Ok(Session { host, tenant })
}
