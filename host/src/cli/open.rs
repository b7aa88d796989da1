//! From what the command line names to a host.

use std::path::Path;
use std::sync::Arc;

use super::exit::InputError;
use crate::imports::{Clock, Entropy, SystemClock};
use crate::runtime::{Engine, Host, HostBuilder, Plugin};
use crate::store::Ledger;
use crate::store::memory::MemoryLedger;
use crate::store::sqlite::SqliteLedger;

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

/// A host that draws from `seed` if there is one. The plugin comes first, as a builder, so that one
/// that does not fit is refused before a ledger is made.
pub(super) fn host(
    builder: HostBuilder,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    seed: Option<u64>,
) -> anyhow::Result<Host> {
    let builder = builder.ledger(ledger).clock(clock);
    let builder = match seed {
        Some(seed) => builder.entropy(Entropy::seeded(seed)),
        None => builder,
    };
    Ok(builder.build()?)
}

/// The ledger in a directory, or one in memory where none is named.
pub(super) fn ledger(data: Option<&Path>) -> anyhow::Result<Arc<dyn Ledger>> {
    Ok(match data {
        Some(directory) => Arc::new(SqliteLedger::open(directory)?),
        None => Arc::new(MemoryLedger::new()),
    })
}

/// A host on books that must be there already: looking at them must not make new ones.
pub(super) fn books(plugin: Option<&Path>, data: &Path) -> anyhow::Result<Host> {
    if !SqliteLedger::exists(data) {
        return Err(InputError::NoLedger(data.display().to_string()).into());
    }
    host(builder(plugin)?, ledger(Some(data))?, Arc::new(SystemClock), None)
}
