//! Opening a database: whose file it is, and how its connections behave.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::migrate::{MigrateError, Series};

/// How long to wait for another process that holds the lock.
const BUSY: Duration = Duration::from_secs(5);
/// More than there are statements, so that each is compiled once for a connection.
const STATEMENTS: usize = 64;
/// Memory of a connection for pages.
const CACHE_KIB: i64 = 32 * 1024;
/// So long the log grows before it is copied into the database: 16 MB. At the default of 4 MB, a
/// busy ledger copies after every other commit.
const LOG_PAGES: i64 = 4000;

/// Why a ledger cannot be opened. Whatever was there before stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made, or not written.
    #[error("the ledger's directory {} cannot be made or written: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file is no database, or a damaged one.
    #[error("{} is not a database or is damaged: {source}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A newer version of this program has migrated the database.
    #[error("{} is at schema version {found}, and this program knows only up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The last version this program knows.
        known: usize,
    },
    /// The database belongs to another program.
    #[error("{} is a database of another program (application id {found:#010x})", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Its application id.
        found: i32,
    },
    /// Something else, such as a lock that another process keeps.
    #[error("{} cannot be opened: {source}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OpenError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "ledger-directory",
            Self::Damaged { .. } => "ledger-damaged",
            Self::Newer { .. } => "ledger-newer",
            Self::Foreign { .. } => "ledger-foreign",
            Self::Other { .. } => "ledger-unavailable",
        }
    }

    pub(super) fn other(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Other { path: path.into(), source: source.into() }
    }

    fn directory(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Directory { path: path.into(), source: source.into() }
    }

    fn from_sql(path: &Path, error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
                Self::Damaged { path: path.into(), source: error.into() }
            }
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                Self::directory(path.parent().unwrap_or(path), error)
            }
            _ => Self::other(path, error),
        }
    }

    fn from_migration(path: &Path, known: usize, error: MigrateError) -> Self {
        match error {
            MigrateError::Newer(found) => Self::Newer { path: path.into(), found, known },
            MigrateError::Foreign(found) => Self::Foreign { path: path.into(), found },
            MigrateError::Sql(error) => Self::from_sql(path, error),
        }
    }
}

/// Opens the database of a directory for writing, migrated to our version, and makes both where
/// they are missing. Also gives the file, for [`reader`].
pub(super) fn writer(directory: &Path, series: Series<'_>) -> Result<(Connection, PathBuf), OpenError> {
    fs::create_dir_all(directory).map_err(|error| OpenError::directory(directory, error))?;
    let path = directory.join(series.file);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut db = connect(&path, flags)?;
    if db.is_readonly(MAIN_DB).map_err(|error| OpenError::from_sql(&path, error))? {
        // SQLite falls back to reading where the system lets it do no more.
        return Err(OpenError::directory(directory, "the database is read-only"));
    }
    prepare(&mut db, &path, series)?;
    Ok((db, path))
}

/// Opens the file that [`writer`] gave, for reading.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    // A connection belongs to one thread at a time, so SQLite needs no lock around it.
    let opened = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let db = opened.map_err(|error| OpenError::from_sql(path, error))?;
    configure(&db).map_err(|error| OpenError::from_sql(path, error))?;
    Ok(db)
}

/// Settings of a connection. None of them writes to the file.
fn configure(db: &Connection) -> Result<(), rusqlite::Error> {
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "foreign_keys", true)?;
    // Without it, REPLACE would take a row away and no trigger would hear of it.
    db.pragma_update(None, "recursive_triggers", true)?;
    // What is acknowledged is on the disk: the log is flushed at every commit, on macOS by the
    // call that really flushes.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "fullfsync", true)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)
}

/// Makes the database ours. It is looked at first, so that a file of somebody else is not
/// changed by as much as its journal mode.
fn prepare(db: &mut Connection, path: &Path, series: Series<'_>) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_migration(path, series.migrations.len(), error);
    series.version(db).map_err(failed)?;
    let mode = log_ahead(db).map_err(|error| OpenError::from_sql(path, error))?;
    if mode != "wal" {
        return Err(OpenError::other(path, "write-ahead logging does not work there"));
    }
    series.migrate(db).map_err(failed)
}

/// Switches to write-ahead logging, so that readers and the writer do not wait for each other;
/// gives the mode that it is then in. SQLite does not wait for its lock here as it does
/// elsewhere, so we do.
fn log_ahead(db: &Connection) -> Result<String, rusqlite::Error> {
    let until = Instant::now() + BUSY;
    loop {
        match db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)) {
            Err(error) if is_busy(&error) && Instant::now() < until => thread::sleep(BUSY / 500),
            answer => return answer,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}
