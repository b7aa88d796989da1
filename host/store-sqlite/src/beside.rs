//! Books that are new beside records that are not: then the books were lost, and not begun.
//!
//! Who began anew would say that nobody has anything, and repeat answers about packets that do not exist. Records
//! know of books as soon as there is a tenant or a call that has a key, and both come after the books.

use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::migrate::{BOOKS, RECORDS, Series};
use super::open_error::OpenError;
use hongbao_store::patience;

/// Refuses to begin books in a directory whose records know of some.
pub(super) fn begin(
    directory: &Path,
    series: Series<'_>,
    is_new: impl Fn() -> bool,
) -> Result<(), OpenError> {
    // Looked at once more: somebody else may just have made both.
    match series.file == BOOKS.file && is_new() && know_of_books(directory)? && is_new() {
        true => {
            Err(OpenError::Lost { path: directory.join(series.file), records: directory.join(RECORDS.file) })
        }
        false => Ok(()),
    }
}

/// Whether nothing was ever written to a file, or it is not there.
pub(super) fn is_unwritten(path: &Path) -> bool {
    match path.metadata() {
        Ok(file) => file.is_file() && file.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn know_of_books(directory: &Path) -> Result<bool, OpenError> {
    let path = directory.join(RECORDS.file);
    if is_unwritten(&path) {
        return Ok(false);
    }
    let failed = |error| OpenError::from_sql(&path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(&path, flags).map_err(failed)?;
    db.busy_timeout(patience::LOCK).map_err(failed)?;
    let known = RECORDS.migrations.len();
    match RECORDS.version(&db).map_err(|error| OpenError::from_migration(&path, known, error))? {
        0 => Ok(false),
        _ => have_something(&db).map_err(failed),
    }
}

fn have_something(db: &Connection) -> Result<bool, rusqlite::Error> {
    const SQL: &str = "SELECT EXISTS (SELECT 1 FROM tenants) OR EXISTS (SELECT 1 FROM requests)";
    db.query_row(SQL, [], |row| row.get(0))
}
