//! From what the command line names to a host.

use std::path::Path;
use std::sync::Arc;

use super::exit::InputError;
use super::stores::Stores;
use crate::imports::{Clock, Entropy};
use crate::runtime::{Engine, Host, HostBuilder, Plugin};

/// Starts a host with the embedded plugin or the one in `plugin`.
pub(super) fn builder(plugin: Option<&Path>) -> anyhow::Result<HostBuilder> {
    let engine = Engine::new()?;
    let plugin = match plugin {
        None => Plugin::embedded(&engine)?,
        Some(file) => Plugin::from_bytes(&engine, &read(file)?)?,
    };
    Ok(Host::builder().plugin(plugin))
}

fn read(file: &Path) -> Result<Vec<u8>, InputError> {
    std::fs::read(file).map_err(|source| InputError::File { file: file.display().to_string(), source })
}

/// A host on these stores, which draws from `seed` if there is one. The plugin comes first, as a
/// builder, so that one that does not fit is refused before a ledger is made.
pub(super) async fn host(
    builder: HostBuilder,
    stores: &Stores,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
) -> anyhow::Result<Host> {
    // The counter first: connecting to it makes nothing.
    let builder = builder.counter(stores.counter().await?).ledger(stores.ledger().await?);
    let builder = builder.tenant(stores.tenant.clone()).clock(clock);
    let builder = match seed {
        Some(seed) => builder.entropy(Entropy::seeded(seed)),
        None => builder,
    };
    Ok(builder.build()?)
}

/// A host on books that must be there already, in real time.
pub(super) async fn books(plugin: Option<&Path>, stores: &Stores) -> anyhow::Result<Host> {
    let ledger = stores.existing_ledger().await?;
    let builder = builder(plugin)?.counter(stores.counter().await?).ledger(ledger);
    Ok(builder.tenant(stores.tenant.clone()).build()?)
}
