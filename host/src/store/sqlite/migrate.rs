//! The schema and its versions.
//!
//! `user_version` counts the migrations that a database has had, and `application_id` says that
//! it is ours. Both are written in the transaction that migrates, so a database is either as it
//! was or whole. Whoever opens at the same time waits for that transaction and then finds
//! nothing left to do.

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// "Hong" in ASCII: what `file(1)` and we know our databases by.
pub(super) const APPLICATION_ID: i32 = 0x486f_6e67;

/// Every change of the schema there ever was, in order. One that has been released is final.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_books.sql"),
    include_str!("migrations/0002_settlement.sql"),
    include_str!("migrations/0003_lists.sql"),
    include_str!("migrations/0004_users.sql"),
];

/// Why a database cannot be brought to our version.
#[derive(Debug)]
pub(super) enum MigrateError {
    /// It is at this version, past ours.
    Newer(i64),
    /// It carries this application id and is not empty, or not ours.
    Foreign(i32),
    /// SQLite failed.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for MigrateError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// How many of the migrations a database has had, 0 for an empty one. Reads only, so that a
/// file which is not ours stays as it is.
pub(super) fn version(db: &Connection, known: usize) -> Result<usize, MigrateError> {
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let objects: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_empty = application == 0 && version == 0 && objects == 0;
    if !is_empty && application != APPLICATION_ID {
        return Err(MigrateError::Foreign(application));
    }
    usize::try_from(version).ok().filter(|version| *version <= known).ok_or(MigrateError::Newer(version))
}

/// Applies the migrations that a database has not had, all in one transaction.
pub(super) fn migrate(db: &mut Connection, migrations: &[&str]) -> Result<(), MigrateError> {
    if version(db, migrations.len())? == migrations.len() {
        return Ok(());
    }
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Asked again, now that nobody else can migrate.
    let done = version(&transaction, migrations.len())?;
    apply(&transaction, migrations.get(done..).unwrap_or_default())?;
    transaction.pragma_update(None, "user_version", migrations.len() as i64)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(transaction.commit()?)
}

fn apply(transaction: &Transaction<'_>, migrations: &[&str]) -> Result<(), rusqlite::Error> {
    migrations.iter().try_for_each(|migration| transaction.execute_batch(migration))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_half_done() {
        let mut db = Connection::open_in_memory().unwrap();
        let broken = ["CREATE TABLE one (a)", "CREATE TABLE two (a); CREATE TABLE two (a)"];
        assert!(matches!(migrate(&mut db, &broken), Err(MigrateError::Sql(_))));
        assert_eq!(objects(&db), 0);
        assert_eq!(version(&db, 2).unwrap(), 0);
    }

    #[test]
    fn a_database_gets_the_migrations_it_has_not_had_and_each_once() {
        let mut db = Connection::open_in_memory().unwrap();
        let all = ["CREATE TABLE one (a)", "CREATE TABLE two (a)"];
        migrate(&mut db, &all[..1]).unwrap();
        assert_eq!(objects(&db), 1);
        migrate(&mut db, &all).unwrap();
        migrate(&mut db, &all).unwrap();
        assert_eq!(objects(&db), 2);
        assert!(matches!(migrate(&mut db, &all[..1]), Err(MigrateError::Newer(2))));
    }
}
