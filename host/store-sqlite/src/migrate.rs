//! The schema and its versions.
//!
//! `user_version` counts the migrations that a database has had, and `application_id` says that
//! it is ours. Both are written in the transaction that migrates, so a database is either as it
//! was or whole. Whoever opens at the same time waits for that transaction and then finds
//! nothing left to do.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior};

/// A database of ours: its file, and how it came to be what it is.
#[derive(Clone, Copy)]
pub(super) struct Series<'m> {
    /// The file inside of the directory.
    pub(super) file: &'static str,
    /// What `file(1)` and we know it by.
    pub(super) application_id: i32,
    /// Every change of the schema there ever was, in order. One that has been released is final.
    pub(super) migrations: &'m [&'m str],
}

/// The ledger's. The id is "Hong" in ASCII.
pub(super) const BOOKS: Series<'static> =
    Series { file: "hongbao.db", application_id: 0x486f_6e67, migrations: MIGRATIONS };

/// The registry's. The id is "HReg" in ASCII.
pub(super) const RECORDS: Series<'static> = Series {
    file: "registry.db",
    application_id: 0x4852_6567,
    migrations: &[
        include_str!("registry/migrations/0001_records.sql"),
        include_str!("registry/migrations/0002_health.sql"),
        include_str!("registry/migrations/0003_suspension.sql"),
        include_str!("registry/migrations/0004_seal.sql"),
        include_str!("registry/migrations/0005_webhooks.sql"),
    ],
};

/// Of the ledger.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_books.sql"),
    include_str!("migrations/0002_settlement.sql"),
    include_str!("migrations/0003_lists.sql"),
    include_str!("migrations/0004_users.sql"),
    include_str!("migrations/0005_health.sql"),
    include_str!("migrations/0006_history.sql"),
    include_str!("migrations/0007_max_share.sql"),
    include_str!("migrations/0008_withdrawals.sql"),
    include_str!("migrations/0009_money_events.sql"),
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

impl Series<'_> {
    /// Whether a directory has such a database.
    pub(super) fn is_in(self, directory: &Path) -> bool {
        directory.join(self.file).metadata().is_ok_and(|file| file.is_file() && file.len() > 0)
    }

    /// How many of the migrations a database has had, 0 for an empty one. Reads only, so that a
    /// file which is not ours stays as it is.
    pub(super) fn version(self, db: &Connection) -> Result<usize, MigrateError> {
        let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let objects: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let is_empty = application == 0 && version == 0 && objects == 0;
        if !is_empty && application != self.application_id {
            return Err(MigrateError::Foreign(application));
        }
        let known = self.migrations.len();
        usize::try_from(version).ok().filter(|version| *version <= known).ok_or(MigrateError::Newer(version))
    }

    /// Applies the migrations that a database has not had, all in one transaction.
    pub(super) fn migrate(self, db: &mut Connection) -> Result<(), MigrateError> {
        let known = self.migrations.len();
        if self.version(db)? == known {
            return Ok(());
        }
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Asked again, now that nobody else can migrate.
        let done = self.version(&transaction)?;
        apply(&transaction, self.migrations.get(done..).unwrap_or_default())?;
        transaction.pragma_update(None, "user_version", known as i64)?;
        transaction.pragma_update(None, "application_id", self.application_id)?;
        Ok(transaction.commit()?)
    }
}

fn apply(transaction: &Transaction<'_>, migrations: &[&str]) -> Result<(), rusqlite::Error> {
    migrations.iter().try_for_each(|migration| transaction.execute_batch(migration))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series<'m>(migrations: &'m [&'m str]) -> Series<'m> {
        Series { migrations, ..BOOKS }
    }

    fn objects(db: &Connection) -> i64 {
        db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_migration_that_fails_leaves_nothing_half_done() {
        let mut db = Connection::open_in_memory().unwrap();
        let broken = ["CREATE TABLE one (a)", "CREATE TABLE two (a); CREATE TABLE two (a)"];
        assert!(matches!(series(&broken).migrate(&mut db), Err(MigrateError::Sql(_))));
        assert_eq!(objects(&db), 0);
        assert_eq!(series(&broken).version(&db).unwrap(), 0);
    }

    #[test]
    fn a_database_gets_the_migrations_it_has_not_had_and_each_once() {
        let mut db = Connection::open_in_memory().unwrap();
        let all = ["CREATE TABLE one (a)", "CREATE TABLE two (a)"];
        series(&all[..1]).migrate(&mut db).unwrap();
        assert_eq!(objects(&db), 1);
        series(&all).migrate(&mut db).unwrap();
        series(&all).migrate(&mut db).unwrap();
        assert_eq!(objects(&db), 2);
        assert!(matches!(series(&all[..1]).migrate(&mut db), Err(MigrateError::Newer(2))));
    }
}
