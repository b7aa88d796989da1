//! The selection of a command's stores: from the command line, then from the environment, then from a
//! configuration file. The first that names a ledger decides where the ledger is, and so on.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::args::StoreArgs;
use super::exit::InputError;
use super::lock::{DirectoryLock, Use};
use super::serve_table::ServeTable;
use super::setting::Setting;
use hongbao_domain::TenantId;
use hongbao_domain::decode::{self, DecodeError, Misfit};
use hongbao_runtime::TenantsFile;
use hongbao_runtime::imports::{Clock as _, SystemClock};
use hongbao_store::finished::FinishedCache;
use hongbao_store::memory::{MemoryCounter, MemoryLedger};
use hongbao_store::memory::{MemoryEvents, MemoryRegistry};
use hongbao_store::{Counter, Events, Ledger, Registry, patience};
use hongbao_store_postgres::{self as postgres, PostgresLedger, PostgresRegistry};
use hongbao_store_redis::{self as redis, RedisCounter, RedisEvents};
use hongbao_store_sqlite::{SqliteLedger, SqliteRegistry};

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
    /// Which setting named the tenant; None where it is the default.
    pub(super) tenant_named_by: Option<String>,
    /// What the configuration file says of tenants and plugins.
    pub(super) tenants: TenantsFile,
    /// What it says of `hongbao serve`.
    pub(super) serve: ServeTable,
    /// The file itself, to tell the line of what is wrong.
    file: Option<Document>,
}

/// A configuration file as it was read.
#[derive(Clone, PartialEq, Eq)]
struct Document {
    name: PathBuf,
    text: String,
}

impl fmt::Debug for Document {
    /// The text may have passwords in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

impl Document {
    fn read(file: &Path) -> Result<Self, InputError> {
        let text = decode::read_text(file);
        let text = text.map_err(|source| InputError::File { file: file.display().to_string(), source })?;
        Ok(Self { name: file.to_owned(), text })
    }

    fn is_wrong(&self, why: impl fmt::Display) -> InputError {
        InputError::Invalid(format!("{} is no configuration: {why}", self.name.display()))
    }
}

/// What one source says: the command line, the environment or a file.
#[derive(Debug, Default)]
struct Said {
    ledger: Option<Setting>,
    data: Option<PathBuf>,
    /// What `data` is called here.
    data_name: String,
    counter: Option<Setting>,
    tenant: Option<Setting>,
    serve: ServeTable,
}

/// The file's keys, named as the options are.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
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
    fn on_the_command_line(args: &StoreArgs) -> Result<Self, InputError> {
        Ok(Self {
            ledger: Setting::given("--ledger", args.ledger.as_deref())?,
            data: Setting::path("--data", args.data.as_deref())?,
            data_name: "--data".into(),
            counter: Setting::given("--counter", args.counter.as_deref())?,
            tenant: Setting::given("--tenant", args.tenant.as_deref())?,
            ..Self::default()
        })
    }

    fn in_the_environment() -> Result<Self, InputError> {
        Ok(Self {
            ledger: Setting::in_the_environment("HONGBAO_LEDGER")?,
            data: Setting::path_in_the_environment("HONGBAO_DATA")?,
            data_name: "HONGBAO_DATA".into(),
            counter: Setting::in_the_environment("HONGBAO_COUNTER")?,
            tenant: Setting::in_the_environment("HONGBAO_TENANT")?,
            ..Self::default()
        })
    }

    /// What the keys of a file say. A path begins where the file is.
    fn of_keys(keys: Keys, file: &Path) -> Result<Self, InputError> {
        let folder = file.parent().unwrap_or(Path::new(""));
        let named = |key: &str| format!("{key} in {}", file.display());
        let data = Setting::path(&named("data"), keys.data.as_deref())?;
        let mut serve = keys.serve;
        serve.paths_from(folder);
        Ok(Self {
            ledger: Setting::given(&named("ledger"), keys.ledger.as_deref())?,
            data: data.map(|path| folder.join(path)),
            data_name: named("data"),
            counter: Setting::given(&named("counter"), keys.counter.as_deref())?,
            tenant: Setting::given(&named("tenant"), keys.tenant.as_deref())?,
            serve,
        })
    }

    fn in_a_file(document: &Document) -> Result<(Self, TenantsFile), InputError> {
        /// What [`Keys`] reads.
        const OURS: [&str; 5] = ["ledger", "data", "counter", "tenant", "serve"];
        let invalid = |error: DecodeError| document.is_wrong(error);
        let keys: Keys = decode::toml(&document.text).map_err(invalid)?;
        let mut tenants = TenantsFile::read(&document.text, &OURS).map_err(invalid)?;
        // Paths of plugins begin where the file is.
        let folder = document.name.parent().unwrap_or(Path::new(""));
        tenants.plugins.values_mut().for_each(|path| *path = folder.join(&*path));
        Ok((Self::of_keys(keys, &document.name)?, tenants))
    }

    fn books(self) -> Result<Option<Books>, InputError> {
        match (self.ledger, self.data) {
            (Some(url), Some(_)) => {
                let setting = format!("{} and {}", self.data_name, url.name);
                let why =
                    "a ledger is either in a directory or at a URL; leave one of the two out".to_owned();
                Err(InputError::Setting { code: "usage", setting, why })
            }
            (Some(url), None) => {
                let checked = postgres::check_url(&url.value);
                checked.map_err(|error| url.unusable(error.code(), error))?;
                Ok(Some(Books::Server(url.value)))
            }
            (None, Some(directory)) => Ok(Some(Books::Directory(directory))),
            (None, None) => Ok(None),
        }
    }
}

impl Stores {
    /// None that outlive the process, for the default tenant.
    pub(super) fn in_memory() -> Self {
        let (tenant, tenants) = (TenantId::default(), TenantsFile::default());
        let serve = ServeTable::default();
        let (counter, tenant_named_by, file) = (None, None, None);
        Self { books: Books::Memory, counter, tenant, tenant_named_by, tenants, serve, file }
    }

    /// The stores of a command that runs in real time.
    pub(super) fn named(args: &StoreArgs) -> Result<Self, InputError> {
        let environment = Said::in_the_environment()?;
        let file = match Setting::path("--config", args.config.as_deref())? {
            None => Setting::path_in_the_environment("HONGBAO_CONFIG")?,
            named => named,
        };
        let document = file.as_deref().map(Document::read).transpose()?;
        let (mut said, tenants) = match &document {
            Some(document) => Said::in_a_file(document)?,
            None => <(Said, TenantsFile)>::default(),
        };
        let serve = std::mem::take(&mut said.serve);
        let stores = Self::from([Said::on_the_command_line(args)?, environment, said])?;
        Ok(Self { tenants, serve, file: document, ..stores })
    }

    /// Whether what the file says of `hongbao serve` can be kept.
    pub(super) fn validate_serve(&self) -> Result<(), InputError> {
        let told = |misfit: Misfit| match &self.file {
            Some(file) => file.is_wrong(DecodeError::misfit(&file.text, &misfit)),
            None => InputError::Invalid(misfit.to_string()),
        };
        self.serve.validate(&self.tenants).map_err(told)
    }

    fn from(sources: [Said; 3]) -> Result<Self, InputError> {
        let (mut books, mut counter, mut tenant) = (None, None, None);
        for mut said in sources {
            counter = counter.or(said.counter.take());
            tenant = tenant.or(said.tenant.take());
            let said = said.books()?;
            books = books.or(said);
        }
        let name = |name: Setting| {
            let named = TenantId::new(&name.value);
            named.map_err(|error| name.unusable("invalid-argument", format!("the name of a tenant {error}")))
        };
        let tenant_named_by = tenant.as_ref().map(|tenant| tenant.name.clone());
        let tenant = tenant.map(name).transpose()?;
        let url = |url: Setting| match redis::check_url(&url.value) {
            Ok(()) => Ok(url.value),
            Err(error) => Err(url.unusable(error.code(), error)),
        };
        let counter = counter.map(url).transpose()?;
        let (books, tenant) = (books.unwrap_or(Books::Memory), tenant.unwrap_or_default());
        let (tenants, serve) = (TenantsFile::default(), ServeTable::default());
        Ok(Self { books, counter, tenant, tenant_named_by, tenants, serve, file: None })
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

    /// Keeps others from the data directory, where there is one.
    pub(super) fn lock(&self, how: Use) -> anyhow::Result<Option<DirectoryLock>> {
        match &self.books {
            Books::Directory(directory) => Ok(Some(DirectoryLock::take(directory, how)?)),
            Books::Memory | Books::Server(_) => Ok(None),
        }
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

    /// The same for a service, which is the only one on its directory: what others counted of the books that were
    /// there before is not theirs.
    pub(super) async fn served_ledger(&self) -> anyhow::Result<Arc<dyn Ledger>> {
        let Books::Directory(directory) = &self.books else { return self.ledger().await };
        let ledger = SqliteLedger::open(directory)?;
        ledger.begin_history().await?;
        let (latest, now) = (ledger.latest_ms().await?.unwrap_or_default(), SystemClock.now_ms());
        if Duration::from_millis(latest.saturating_sub(now)) > patience::CLOCKS_APART {
            // No reason to refuse: it may be that entry which is wrong, and nobody could ever change it.
            tracing::warn!(
                "this machine's clock is {} s behind the last entry of the books: one of the two was written by a \
                 clock that was wrong. Packets live as much longer",
                (latest - now) / 1000
            );
        }
        Ok(Arc::new(ledger))
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

    /// The records where there are some: looking at books must not make new ones.
    pub(super) async fn existing_registry(&self) -> anyhow::Result<Option<Arc<dyn Registry>>> {
        match &self.books {
            Books::Memory => Ok(None),
            Books::Directory(directory) if !SqliteRegistry::exists(directory) => Ok(None),
            Books::Directory(_) | Books::Server(_) => self.registry().await.map(Some),
        }
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
                let (at, is_file) = (directory.display().to_string(), directory.is_file());
                Err(if is_file { InputError::NoDirectory(at) } else { InputError::NoLedger(at) }.into())
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
                let _alone = self.lock(Use::Alone)?;
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
        Said::of_keys(decode::toml(text).unwrap(), Path::new("hongbao.toml")).unwrap()
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
