//! The write probe of a file: a small write that is committed, and that needs new pages.

use rusqlite::Connection;

use super::error::Error;

/// Some pages, which are taken before those of the row before are given back.
const FILLER_BYTES: i64 = 16 * 1024;

/// Writes one row in the place of the one before.
pub(super) fn write(db: &Connection) -> Result<(), Error> {
    db.prepare_cached("INSERT INTO health (filler) VALUES (zeroblob(?1))")?.execute([FILLER_BYTES])?;
    db.prepare_cached("DELETE FROM health WHERE id < last_insert_rowid()")?.execute([])?;
    Ok(())
}
