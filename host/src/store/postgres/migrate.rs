//! The schema and its versions.
//!
//! Everything is in the schema `hongbao` of the database, beside whatever else is there. Its table
//! `migrations` lists what was applied, written in the transaction that applied it; a session
//! lock keeps two programs from migrating at once. Beside each version stands how many tables,
//! constraints and enabled triggers there were after it: where some are missing, the books are
//! not guarded, and nobody may write to them.

use tokio_postgres::Client;

use super::error::Error;

/// Every change of the schema there ever was, in order. One that has been released is final.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_books.sql"),
    include_str!("migrations/0002_lists.sql"),
    include_str!("migrations/0003_users.sql"),
    include_str!("migrations/0004_registry.sql"),
    include_str!("migrations/0006_health.sql"),
];

/// How a database stands to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// It has no books.
    Missing,
    /// It has had so many of our migrations, and we know more.
    Older(usize),
    /// It is ours to use.
    Current,
    /// It was migrated by a newer version of this program, to this version.
    Newer(usize),
    /// It has a schema of our name that we did not make, or parts of ours are missing.
    Damaged,
}

/// What guards the books: tables, their constraints, and triggers that are enabled.
const GUARDS: &str = "SELECT
    (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('hongbao') AND relkind IN ('r', 'p', 'i', 'I'))
  + (SELECT count(*) FROM pg_constraint WHERE connamespace = to_regnamespace('hongbao'))
  + (SELECT count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE c.relnamespace = to_regnamespace('hongbao') AND NOT t.tgisinternal AND t.tgenabled = 'O')";

/// How the database stands.
pub(super) async fn schema(client: &Client) -> Result<Schema, Error> {
    const THERE: &str =
        "SELECT to_regnamespace('hongbao') IS NOT NULL, to_regclass('hongbao.migrations') IS NOT NULL";
    let row = client.query_one(THERE, &[]).await?;
    match (row.get::<_, bool>(0), row.get::<_, bool>(1)) {
        (false, _) => return Ok(Schema::Missing),
        (true, false) => return Ok(Schema::Damaged),
        (true, true) => {}
    }
    let last = "SELECT version, guards FROM hongbao.migrations ORDER BY version DESC LIMIT 1";
    let Some(last) = client.query_opt(last, &[]).await? else {
        return Ok(Schema::Damaged);
    };
    let version = usize::try_from(last.get::<_, i64>(0)).unwrap_or_default();
    if version > MIGRATIONS.len() {
        return Ok(Schema::Newer(version));
    }
    let guards: i64 = client.query_one(GUARDS, &[]).await?.get(0);
    if version == 0 || guards < last.get::<_, i64>(1) {
        return Ok(Schema::Damaged);
    }
    Ok(if version < MIGRATIONS.len() { Schema::Older(version) } else { Schema::Current })
}

/// The last version that this program knows.
pub(super) const fn known() -> usize {
    MIGRATIONS.len()
}

/// Applies the migrations that a database has not had, each in a transaction of its own. Gives
/// how the database stood before; one that is newer or damaged stays as it is.
pub(super) async fn migrate(client: &mut Client) -> Result<Schema, Error> {
    // Let go of by the end of the session at the latest. The number is "Hong" in ASCII.
    client
        .batch_execute("SET statement_timeout = 0; SET lock_timeout = 0; SELECT pg_advisory_lock(1215262311)")
        .await?;
    let before = schema(client).await?;
    let done = match before {
        Schema::Missing => 0,
        Schema::Older(version) => version,
        Schema::Current | Schema::Newer(_) | Schema::Damaged => MIGRATIONS.len(),
    };
    for (version, migration) in (0_i64..).zip(MIGRATIONS).skip(done) {
        apply(client, version + 1, migration).await?;
    }
    client.batch_execute("SELECT pg_advisory_unlock(1215262311)").await?;
    Ok(before)
}

async fn apply(client: &mut Client, version: i64, migration: &str) -> Result<(), Error> {
    const PREPARE: &str = "CREATE SCHEMA IF NOT EXISTS hongbao;
        SET LOCAL search_path = hongbao, pg_catalog;
        CREATE TABLE IF NOT EXISTS migrations (
            version bigint PRIMARY KEY, guards bigint NOT NULL, applied_at timestamptz NOT NULL DEFAULT now()
        )";
    let transaction = client.transaction().await?;
    transaction.batch_execute(PREPARE).await?;
    transaction.batch_execute(migration).await?;
    let guards: i64 = transaction.query_one(GUARDS, &[]).await?.get(0);
    transaction
        .execute("INSERT INTO migrations (version, guards) VALUES ($1, $2)", &[&version, &guards])
        .await?;
    Ok(transaction.commit().await?)
}
