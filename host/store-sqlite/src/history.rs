//! The name of a file's history, and its last moment.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::error::Error;
use super::open;
use super::open_error::OpenError;
use super::rows::Columns;
use hongbao_store::History;

/// The history that a file is in.
pub(super) fn of(path: &Path) -> Result<History, OpenError> {
    let name = open::reader(path)?.query_row("SELECT name FROM history", [], |row| row.get::<_, String>(0));
    let history = History::default();
    history.goes_on_as(&name.map_err(|error| OpenError::other(path, error))?);
    Ok(history)
}

/// When money was last moved.
pub(super) fn latest(db: &Connection) -> Result<Option<u64>, Error> {
    const SQL: &str = "SELECT at_ms FROM movements ORDER BY id DESC LIMIT 1";
    let latest = db.prepare_cached(SQL)?.query_row([], |row| Columns::of(row).number()).optional()?;
    Ok(latest)
}

/// Gives it another one; gives its name.
pub(super) fn begin(db: &Connection) -> Result<String, Error> {
    const SQL: &str = "UPDATE history SET name = lower(hex(randomblob(8))) RETURNING name";
    Ok(db.prepare_cached(SQL)?.query_row([], |row| row.get(0))?)
}
