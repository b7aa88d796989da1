//! The setup of a command: a plugin, stores, and a tenant on them.

use std::path::Path;
use std::sync::Arc;

use super::lock::{DirectoryLock, Use};
use super::stores::Stores;
use hongbao_domain::{Grants, TenantId};
use hongbao_runtime::imports::{Clock, Entropy, SystemClock};
use hongbao_runtime::{Engine, Host, HostBuilder, Plugin, PluginSource, Plugins, Tenant, TenantConfig};

/// A host with one tenant.
pub(super) struct Session {
    pub(super) host: Host,
    pub(super) tenant: Tenant,
    /// Of the data directory, for a command that moves the clock.
    pub(super) lock: Option<DirectoryLock>,
}

/// The plugin that is named, in a file or a directory; otherwise the tenant's own by the configuration
/// file; otherwise the embedded one. It comes first, so that one that does not fit is refused
/// before a ledger is made.
pub(super) async fn plugin(at: Option<&Path>, stores: &Stores) -> anyhow::Result<Plugin> {
    let entry = stores.tenants.tenant(&stores.tenant);
    let by_default = || entry.map_or(PluginSource::Embedded, |entry| stores.tenants.plugin(entry));
    let source = at.map_or_else(by_default, PluginSource::at);
    Ok(Plugins::new(Engine::new()?).load(source).await?)
}

/// A host on these stores, which draws from `seed` if there is one.
pub(super) async fn session(
    plugin: Plugin,
    stores: &Stores,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
) -> anyhow::Result<Session> {
    // Nobody's clock is to be moved who is served from the same directory.
    let lock = stores.lock(Use::Shared)?;
    // The counter first: connecting to it makes nothing.
    let builder = Host::builder().counter(stores.counter().await?).ledger(stores.ledger().await?);
    serve(seeded(builder, seed).clock(clock), plugin, config(stores), lock).await
}

/// A host on books that must be there already, in real time.
pub(super) async fn books(file: Option<&Path>, stores: &Stores) -> anyhow::Result<Session> {
    let ledger = stores.existing_ledger().await?;
    let builder = Host::builder().counter(stores.counter().await?).ledger(ledger);
    let plugin = plugin(file, stores).await?;
    serve(builder, plugin, config(stores), None).await
}

/// A host without any books.
pub(super) async fn in_memory(plugin: Plugin, seed: Option<u64>) -> anyhow::Result<Session> {
    let config = TenantConfig::new(TenantId::default()).grants(Grants::ALL);
    serve(seeded(Host::builder(), seed).clock(Arc::new(SystemClock)), plugin, config, None).await
}

fn seeded(builder: HostBuilder, seed: Option<u64>) -> HostBuilder {
    match seed {
        Some(seed) => builder.entropy(Entropy::seeded(seed)),
        None => builder,
    }
}

/// What the configuration file says of the tenant. Where it says nothing, whoever runs a command on a
/// plugin grants it what it asks for: the stores are theirs.
fn config(stores: &Stores) -> TenantConfig {
    let entry = stores.tenants.tenant(&stores.tenant);
    let by_default = || TenantConfig::new(stores.tenant.clone()).grants(Grants::ALL);
    entry.map_or_else(by_default, |entry| entry.config.clone())
}

async fn serve(
    builder: HostBuilder,
    plugin: Plugin,
    config: TenantConfig,
    lock: Option<DirectoryLock>,
) -> anyhow::Result<Session> {
    let host = builder.engine(plugin.engine().clone()).build()?;
    let tenant = host.add(config, plugin).await?;
    Ok(Session { host, tenant, lock })
}
