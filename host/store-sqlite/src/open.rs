//! Opening a database: whose file it is, and how its connections behave.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{io, thread};

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};

use super::beside;
use super::guard::{self, Schema};
use super::migrate::Series;
use super::open_error::OpenError;
use hongbao_store::{patience, private};

/// How long to wait for another process that holds the lock.
const BUSY: Duration = patience::LOCK;
/// More than there are statements, so that each is compiled once for a connection.
const STATEMENTS: usize = 64;
/// Memory of a connection for pages.
const CACHE_KIB: i64 = 32 * 1024;
/// So long the log grows before it is copied into the database: 16 MB. At the default of 4 MB, a
/// busy ledger copies after every other commit.
const LOG_PAGES: i64 = 4000;

/// Opens the database of a directory for writing, migrated to our version, and makes both where
/// they are missing. Also gives the file, for [`reader`].
pub(super) fn writer(directory: &Path, series: Series<'_>) -> Result<(Connection, PathBuf), OpenError> {
    let path = directory.join(series.file);
    let unusable = |error| OpenError::directory(directory, error);
    private::make_directory(directory).map_err(unusable)?;
    if let Some(exposed) = private::exposed(directory).map_err(unusable)? {
        return Err(OpenError::Exposed { path: directory.into(), why: exposed.to_string() });
    }
    // Before the file is touched: SQLite throws a -wal away that lies beside an empty file.
    beside::begin(directory, series, || beside::is_unwritten(&path))?;
    private::make_file(&path).map_err(unusable)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut db = connect(&path, flags)?;
    if db.is_readonly(MAIN_DB).map_err(|error| OpenError::from_sql(&path, error))? {
        // SQLite falls back to reading where the system lets it do no more.
        return Err(OpenError::directory(directory, "the database is read-only"));
    }
    beside::begin(directory, series, || series.version(&db).is_ok_and(|version| version == 0))?;
    prepare(&mut db, &path, series)?;
    close_to_others(&path).map_err(unusable)?;
    Ok((db, path))
}

/// The books say who has how much: they are their user's alone. Files that SQLite makes beside the database get
/// its mode.
fn close_to_others(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        private::close_to_others(Path::new(&name))?;
    }
    Ok(())
}

/// Opens the file that [`writer`] gave, for reading.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Opens the file that [`writer`] gave, for questions about all of it. It could write and does not: to a
/// connection that is read-only SQLite tells nothing of rows that break a CHECK constraint.
pub(super) fn surveyor(path: &Path) -> Result<Connection, OpenError> {
    let db = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    db.pragma_update(None, "query_only", true).map_err(|error| OpenError::from_sql(path, error))?;
    Ok(db)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, OpenError> {
    // A connection belongs to one thread at a time, so SQLite needs no lock around it.
    let opened = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX);
    let db = opened.map_err(|error| OpenError::from_sql(path, error))?;
    match configure(&db).map_err(|error| OpenError::from_sql(path, error))? {
        None => Ok(db),
        Some(what) => Err(OpenError::Unguarded { path: path.into(), what }),
    }
}

/// Settings of a connection; gives what is wrong with those that guard the books. None of them writes
/// to the file.
fn configure(db: &Connection) -> Result<Option<String>, rusqlite::Error> {
    db.busy_timeout(BUSY)?;
    db.set_prepared_statement_cache_capacity(STATEMENTS);
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    guard::configure(db)
}

/// Makes the database ours. It is looked at first, so that a file of somebody else is not
/// changed by as much as its journal mode.
fn prepare(db: &mut Connection, path: &Path, series: Series<'_>) -> Result<(), OpenError> {
    let failed = |error| OpenError::from_migration(path, series.migrations.len(), error);
    examine(db, path, series)?;
    let mode = log_ahead(db).map_err(|error| OpenError::from_sql(path, error))?;
    if mode != "wal" {
        return Err(OpenError::other(path, "write-ahead logging does not work there"));
    }
    series.migrate(db).map_err(failed)?;
    examine(db, path, series)
}

/// Whether the database is ours, and its schema is the one that its migrations make. In one snapshot,
/// since somebody else may be migrating it.
fn examine(db: &mut Connection, path: &Path, series: Series<'_>) -> Result<(), OpenError> {
    let sql = |error| OpenError::from_sql(path, error);
    let snapshot = db.transaction().map_err(sql)?;
    let known = series.migrations.len();
    let version = series.version(&snapshot);
    let version = version.map_err(|error| OpenError::from_migration(path, known, error))?;
    let (made, latest) =
        (Schema::made(series, version).map_err(sql)?, Schema::made(series, known).map_err(sql)?);
    let found = Schema::of(&snapshot).map_err(sql)?;
    match made.differences(&found, &latest) {
        None => Ok(()),
        Some(what) if version == known => Err(OpenError::Unguarded { path: path.into(), what }),
        Some(what) => {
            let what = format!("for its schema version, {version}, {what}");
            Err(OpenError::Unguarded { path: path.into(), what })
        }
    }
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
