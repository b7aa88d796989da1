//! Which stores a command works on: from the command line, then from the environment, then from a
//! configuration file. The first that names a ledger decides where the ledger is, and so on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::args::StoreArgs;
use super::exit::InputError;
use super::serve::ServeTable;
use crate::domain::TenantId;
use crate::runtime::TenantsFile;
use crate::store::finished::FinishedCache;
use crate::store::memory::{MemoryCounter, MemoryLedger};
use crate::store::memory::{MemoryEvents, MemoryRegistry};
use crate::store::postgres::PostgresRegistry;
use crate::store::postgres::{self, PostgresLedger};
use crate::store::redis::RedisCounter;
use crate::store::redis::RedisEvents;
use crate::store::sqlite::SqliteLedger;
use crate::store::sqlite::SqliteRegistry;
use crate::store::{Counter, Events, Ledger, Registry};

/// Tenant and namespace of commands that move the clock: what they do concerns nobody else.
const SANDBOX: &str = "sandbox";

/// Where a ledger is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Books {
    /// In this process.
    Memory,
    /// In a directory: SQLite.
    Directory(PathBuf),
    /// In PostgreSQL, at this URL.
    Server(String),
}

/// The stores of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stores {
    pub(super) books: Books,
    /// The URL of the counter; in this process where there is none.
    pub(super) counter: Option<String>,
    pub(super) tenant: TenantId,
    /// What the configuration file says of tenants and plugins.
    pub(super) tenants: TenantsFile,
    /// What it says of `hongbao serve`.
    pub(super) serve: ServeTable,
}

/// What one source says. The same names on the command line, in the environment (`HONGBAO_…`) and
/// in the file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Said {
    ledger: Option<String>,
    data: Option<PathBuf>,
    counter: Option<String>,
    tenant: Option<String>,
    /// Read by themselves.
    #[serde(rename = "plugins")]
    _plugins: Option<IgnoredAny>,
    #[serde(rename = "tenants")]
    _tenants: Option<IgnoredAny>,
    serve: ServeTable,
}

impl Said {
    fn on_the_command_line(args: &StoreArgs) -> Self {
        Self {
            ledger: args.ledger.clone(),
            data: args.data.clone(),
            counter: args.counter.clone(),
            tenant: args.tenant.clone(),
            ..Self::default()
        }
    }

    fn in_the_environment() -> Self {
        let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            ledger: named("HONGBAO_LEDGER"),
            data: named("HONGBAO_DATA").map(PathBuf::from),
            counter: named("HONGBAO_COUNTER"),
            tenant: named("HONGBAO_TENANT"),
            ..Self::default()
        }
    }

    fn in_a_file(file: &Path) -> Result<(Self, TenantsFile), InputError> {
        let name = || file.display().to_string();
        let text = fs::read_to_string(file).map_err(|source| InputError::File { file: name(), source })?;
        let invalid = |error: toml::de::Error| {
            InputError::Invalid(format!("{} is no configuration: {}", name(), error.to_string().trim_end()))
        };
        let mut said: Self = toml::from_str(&text).map_err(invalid)?;
        let mut tables: toml::Table = toml::from_str(&text).map_err(invalid)?;
        tables.retain(|key, _| key == "plugins" || key == "tenants");
        let mut tenants = TenantsFile::deserialize(tables).map_err(invalid)?;
        // Paths of plugins begin where the file is.
        let folder = file.parent().unwrap_or(Path::new(""));
        tenants.plugins.values_mut().for_each(|path| *path = folder.join(&*path));
        said.data.iter_mut().for_each(|path| *path = folder.join(&*path));
        said.serve.paths_from(folder);
        Ok((said, tenants))
    }

    fn books(self) -> Result<Option<Books>, InputError> {
        match (self.ledger, self.data) {
            (Some(_), Some(_)) => Err(InputError::Usage("a ledger is either in a directory or at a URL")),
            (Some(url), None) => Ok(Some(Books::Server(url))),
            (None, Some(directory)) => Ok(Some(Books::Directory(directory))),
            (None, None) => Ok(None),
        }
    }
}

impl Stores {
    /// None that outlive the process, for the default tenant.
    pub(super) fn in_memory() -> Self {
        let (tenant, tenants) = (TenantId::default(), TenantsFile::default());
        Self { books: Books::Memory, counter: None, tenant, tenants, serve: ServeTable::default() }
    }

    /// The stores of a command that runs in real time.
    pub(super) fn named(args: &StoreArgs) -> Result<Self, InputError> {
        let environment = Said::in_the_environment();
        let file = args.config.clone().or_else(|| std::env::var_os("HONGBAO_CONFIG").map(PathBuf::from));
        let (mut file, tenants) = match file {
            Some(file) => Said::in_a_file(&file)?,
            None => <(Said, TenantsFile)>::default(),
        };
        let serve = std::mem::take(&mut file.serve);
        let stores = Self::from([Said::on_the_command_line(args), environment, file])?;
        Ok(Self { tenants, serve, ..stores })
    }

    fn from(sources: [Said; 3]) -> Result<Self, InputError> {
        let (mut books, mut counter, mut tenant) = (None, None, None);
        for mut said in sources {
            counter = counter.or(said.counter.take());
            tenant = tenant.or(said.tenant.take());
            let said = said.books()?;
            books = books.or(said);
        }
        let tenant = tenant.map(|name| TenantId::new(&name)).transpose();
        let tenant = tenant.map_err(|error| InputError::Invalid(format!("the name of a tenant {error}")))?;
        let (books, tenant) = (books.unwrap_or(Books::Memory), tenant.unwrap_or_default());
        let (tenants, serve) = (TenantsFile::default(), ServeTable::default());
        Ok(Self { books, counter, tenant, tenants, serve })
    }

    /// The stores of a command that moves the clock. On servers it keeps to a tenant and a
    /// namespace of its own, unless others are named: a leap of a day would expire the packets
    /// and end the leases of people who are really there.
    pub(super) fn sandboxed(args: &StoreArgs) -> Result<Self, InputError> {
        let mut stores = Self::named(args)?;
        if matches!(stores.books, Books::Server(_)) && stores.tenant == TenantId::default() {
            stores.tenant = TenantId::new(SANDBOX).map_err(|error| InputError::Invalid(error.to_string()))?;
        }
        if let Some(url) = stores.counter.as_mut().filter(|url| !url.contains("namespace=")) {
            let joint = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{joint}namespace=hongbao-{SANDBOX}"));
        }
        Ok(stores)
    }

    /// Connects to the counter, which has to be there.
    pub(super) async fn counter(&self) -> anyhow::Result<Arc<dyn Counter>> {
        Ok(match &self.counter {
            Some(url) => cached(RedisCounter::connect(url).await?),
            None => Arc::new(MemoryCounter::new()),
        })
    }

    /// Connects to the counter. A service starts without it too: an outage of the cache must not become
    /// one of the service with the next restart.
    pub(super) async fn counter_or_later(&self) -> anyhow::Result<Arc<dyn Counter>> {
        Ok(match &self.counter {
            Some(url) => cached(RedisCounter::join(url).await?),
            None => Arc::new(MemoryCounter::new()),
        })
    }

    /// Opens the ledger, and makes the books where there are none. Books of an older version in a
    /// database that others may be using are not touched: `hongbao migrate` does that.
    pub(super) async fn ledger(&self) -> anyhow::Result<Arc<dyn Ledger>> {
        Ok(match &self.books {
            Books::Memory => Arc::new(MemoryLedger::new()),
            Books::Directory(directory) => Arc::new(SqliteLedger::open(directory)?),
            Books::Server(url) => match PostgresLedger::open(url).await {
                Err(postgres::OpenError::Missing { .. }) => {
                    PostgresLedger::migrate(url).await?;
                    Arc::new(PostgresLedger::open(url).await?)
                }
                opened => Arc::new(opened?),
            },
        })
    }

    /// Opens the service's own records, which are where the ledger is. The ledger is opened first: it
    /// makes the tables of both.
    pub(super) async fn registry(&self) -> anyhow::Result<Arc<dyn Registry>> {
        Ok(match &self.books {
            Books::Memory => Arc::new(MemoryRegistry::new()),
            Books::Directory(directory) => Arc::new(SqliteRegistry::open(directory)?),
            Books::Server(url) => Arc::new(PostgresRegistry::open(url).await?),
        })
    }

    /// Connects to where events go: beside the counter, and as late as it.
    pub(super) async fn events_or_later(&self) -> anyhow::Result<Arc<dyn Events>> {
        Ok(match &self.counter {
            Some(url) => Arc::new(RedisEvents::join(url).await?),
            None => Arc::new(MemoryEvents::new()),
        })
    }

    /// Opens a ledger that must be there already: looking at books must not make new ones.
    pub(super) async fn existing_ledger(&self) -> anyhow::Result<Arc<dyn Ledger>> {
        match &self.books {
            Books::Memory => Err(InputError::Usage(NO_BOOKS).into()),
            Books::Directory(directory) if !SqliteLedger::exists(directory) => {
                Err(InputError::NoLedger(directory.display().to_string()).into())
            }
            Books::Directory(_) => self.ledger().await,
            Books::Server(url) => Ok(Arc::new(PostgresLedger::open(url).await?)),
        }
    }

    /// Brings the books to this program's version; gives a sentence about what was done.
    pub(super) async fn migrate(&self) -> anyhow::Result<&'static str> {
        match &self.books {
            Books::Memory => Err(InputError::Usage(NO_BOOKS).into()),
            Books::Directory(directory) => {
                let there = SqliteLedger::exists(directory);
                SqliteLedger::open(directory)?;
                Ok(if there { "The books are at the present version." } else { "The books are made." })
            }
            Books::Server(url) => Ok(match PostgresLedger::migrate(url).await? {
                postgres::Schema::Missing => "The books are made.",
                postgres::Schema::Older(_) => "The books are brought to the present version.",
                _ => "The books were at the present version already.",
            }),
        }
    }
}

/// Most taps of a busy hour are on packets that are finished: these ask nobody.
fn cached(counter: RedisCounter) -> Arc<dyn Counter> {
    Arc::new(FinishedCache::new(Arc::new(counter)))
}

const NO_BOOKS: &str = "which ledger? Name a directory with --data or a database with --ledger";

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Said {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn the_first_source_that_names_something_decides() {
        let stores = Stores::from([
            said("data = 'here'"),
            said("ledger = 'postgres://b'\ncounter = 'redis://b'"),
            said("ledger = 'postgres://c'\ncounter = 'redis://c'\ntenant = 'acme'"),
        ])
        .unwrap();
        assert_eq!(stores.books, Books::Directory("here".into()));
        assert_eq!(stores.counter.as_deref(), Some("redis://b"));
        assert_eq!(stores.tenant, TenantId::new("acme").unwrap());
    }

    #[test]
    fn one_source_names_one_ledger() {
        let both = said("data = 'here'\nledger = 'postgres://b'");
        assert!(Stores::from([Said::default(), both, Said::default()]).is_err());
    }

    #[test]
    fn nothing_said_is_in_memory() {
        let stores = Stores::from([Said::default(), Said::default(), Said::default()]).unwrap();
        assert_eq!((stores.books, stores.counter, stores.tenant), (Books::Memory, None, TenantId::default()));
    }

    #[test]
    fn what_moves_the_clock_keeps_to_itself_on_servers() {
        let args = |ledger: &str, counter: &str, tenant: Option<&str>| StoreArgs {
            ledger: Some(ledger.into()),
            counter: Some(counter.into()),
            tenant: tenant.map(str::to_owned),
            ..StoreArgs::default()
        };
        let stores = Stores::sandboxed(&args("postgres://a", "redis://a", None)).unwrap();
        assert_eq!(stores.tenant.as_str(), "sandbox");
        assert_eq!(stores.counter.as_deref(), Some("redis://a?namespace=hongbao-sandbox"));
        let named = args("postgres://a", "redis://a?namespace=mine", Some("acme"));
        let stores = Stores::sandboxed(&named).unwrap();
        assert_eq!(stores.tenant.as_str(), "acme");
        assert_eq!(stores.counter.as_deref(), Some("redis://a?namespace=mine"));
    }
}
