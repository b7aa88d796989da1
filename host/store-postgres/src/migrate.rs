//! The schema and its versions.
//!
//! Everything is in the schema `hongbao` of the database, beside whatever else is there. Its table
//! `migrations` lists what was applied. All that a database lacks is applied in one transaction, which ends with a
//! look at every [guard](super::guards): books that then are not as they should be stay as they were. A lock keeps
//! two programs from migrating at once.

use tokio_postgres::{Client, Transaction};

use super::error::Error;
use super::{guards, places};

/// Every change of the schema there ever was, in order. One that has been released is final.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_books.sql"),
    include_str!("migrations/0002_lists.sql"),
    include_str!("migrations/0003_users.sql"),
    include_str!("migrations/0004_registry.sql"),
    include_str!("migrations/0005_guards.sql"),
    include_str!("migrations/0006_health.sql"),
    include_str!("migrations/0007_quotas.sql"),
    include_str!("migrations/0008_seal.sql"),
    include_str!("migrations/0009_max_share.sql"),
    include_str!("migrations/0010_withdrawals.sql"),
    include_str!("migrations/0011_money_events.sql"),
    include_str!("migrations/0012_webhooks.sql"),
];

/// How a database stands to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// It has no books.
    Missing,
    /// It has had so many of our migrations, and we know more.
    Older(usize),
    /// It is of our version.
    Current,
    /// It was migrated by a newer version of this program, to this version.
    Newer(usize),
    /// It has a schema of our name that we did not make.
    Damaged,
}

/// How the database stands, by its version alone.
pub(super) async fn schema(client: &Client) -> Result<Schema, Error> {
    const THERE: &str =
        "SELECT to_regnamespace('hongbao') IS NOT NULL, to_regclass('hongbao.migrations') IS NOT NULL";
    let row = client.query_one(THERE, &[]).await?;
    match (row.get::<_, bool>(0), row.get::<_, bool>(1)) {
        (false, _) => return Ok(Schema::Missing),
        (true, false) => return Ok(Schema::Damaged),
        (true, true) => {}
    }
    let last = "SELECT coalesce(max(version), 0) FROM hongbao.migrations";
    let version: i64 = client.query_one(last, &[]).await?.get(0);
    Ok(match usize::try_from(version).unwrap_or_default() {
        0 => Schema::Damaged,
        version if version > known() => Schema::Newer(version),
        version if version < known() => Schema::Older(version),
        _ => Schema::Current,
    })
}

/// The last version that this program knows.
pub(super) const fn known() -> usize {
    MIGRATIONS.len()
}

/// Applies the migrations that a database has not had, all or none. Gives how the database stood before; one that
/// is newer or not ours stays as it is.
pub(super) async fn migrate(client: &mut Client) -> Result<Schema, Error> {
    // What takes long may take long. A table is one of PostgreSQL's own kind, wherever others would be.
    const PREPARE: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;
        SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL default_table_access_method = heap;
        SET LOCAL check_function_bodies = on;
        SELECT pg_advisory_xact_lock(1215262311)";
    // The number is "Hong" in ASCII. Whoever waited for it finds what was done meanwhile.
    let transaction = client.transaction().await?;
    transaction.batch_execute(PREPARE).await?;
    let before = schema(transaction.client()).await?;
    let done = match before {
        Schema::Missing => 0,
        Schema::Older(version) => version,
        Schema::Newer(_) | Schema::Damaged => return Ok(before),
        Schema::Current => MIGRATIONS.len(),
    };
    for (version, migration) in (0_i64..).zip(MIGRATIONS).skip(done) {
        apply(&transaction, version + 1, migration).await?;
    }
    transaction.batch_execute("SET LOCAL search_path = pg_catalog").await?;
    if guards::lag(transaction.client()).await? {
        places::start(transaction.client()).await?;
    }
    guards::intact(transaction.client()).await?;
    transaction.commit().await?;
    Ok(before)
}

async fn apply(transaction: &Transaction<'_>, version: i64, migration: &str) -> Result<(), Error> {
    const PREPARE: &str = "CREATE SCHEMA IF NOT EXISTS hongbao;
        SET LOCAL search_path = hongbao, pg_catalog;
        CREATE TABLE IF NOT EXISTS migrations (
            version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()
        );
        -- Earlier versions counted the guards here; the program knows each by itself.
        ALTER TABLE migrations DROP COLUMN IF EXISTS guards";
    transaction.batch_execute(PREPARE).await?;
    transaction.batch_execute(migration).await?;
    let applied = format!("INSERT INTO migrations (version) VALUES ({version})");
    Ok(transaction.batch_execute(&applied).await?)
}
