//! Guards that are gone, changed or switched off: refused when the file is opened, and noticed while it is
//! written to.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::{Books, NOW, amount, user};
use crate::migrate::{BOOKS, RECORDS, Series};
use crate::{OpenError, SqliteLedger, SqliteRegistry, guard, open};
use hongbao_domain::{Audience, TenantId};
use hongbao_store::prelude::*;
use hongbao_store::{Registry, StoreError};

/// A directory with books and records, one after the other made by these statements.
fn tampered(series: Series<'_>, sql: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    drop(SqliteLedger::open(home.path()).unwrap());
    drop(SqliteRegistry::open(home.path()).unwrap());
    tamper(home.path(), series, sql);
    home
}

/// As the `sqlite3` command would: no defence, no foreign keys.
fn tamper(home: &Path, series: Series<'_>, sql: &str) {
    let db = Connection::open(home.join(series.file)).unwrap();
    db.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
}

fn refused(home: &Path, series: Series<'_>) -> OpenError {
    let opened = match series.file == BOOKS.file {
        true => SqliteLedger::open(home).map(drop),
        false => SqliteRegistry::open(home).map(drop),
    };
    opened.expect_err("it lacks a guard")
}

/// Names of what there is of a kind in a database of ours.
fn names(series: Series<'_>, kind: &str) -> Vec<String> {
    let home = tampered(series, "");
    let db = Connection::open(home.path().join(series.file)).unwrap();
    let sql = "SELECT name FROM sqlite_schema WHERE type = ?1 AND sql IS NOT NULL ORDER BY name";
    let mut statement = db.prepare(sql).unwrap();
    statement.query_map([kind], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn without_any_one_of_its_triggers_and_indexes_a_database_is_refused() {
    let mut tried = 0;
    for series in [BOOKS, RECORDS] {
        for kind in ["trigger", "index", "view"] {
            for name in names(series, kind) {
                let home = tampered(series, &format!("DROP {kind} {name}"));
                let error = refused(home.path(), series);
                assert_eq!(error.code(), "ledger-damaged", "{error}");
                assert!(error.to_string().contains(&format!("the {kind} {name} is missing")), "{error}");
                assert!(error.to_string().contains("restore"), "{error}");
                tried += 1;
            }
        }
    }
    assert!(tried > 40, "all of them: {tried}");
}

/// The text of a table without the first of such constraints, if it has one.
fn without(sql: &str, word: &str) -> Option<String> {
    let at = sql.find(word)?;
    let (before, after) = (&sql[..at], &sql[at..]);
    Some(match word {
        "CHECK (" => sql.replacen(word, "CHECK (1 OR ", 1),
        ") STRICT" => sql.replacen(") STRICT, ", ") ", 1).replacen(") STRICT", ")", 1),
        "FOREIGN KEY" => {
            // A line, and where it is the last one the comma in front of it.
            let (line, rest) = after.split_once('\n')?;
            let before = before.trim_end();
            let before = if line.trim_end().ends_with(',') { before } else { before.trim_end_matches(',') };
            format!("{before}\n{rest}")
        }
        _ => sql.replacen(word, "", 1),
    })
}

#[test]
fn a_constraint_that_was_edited_out_is_missed() {
    let mut tried = 0;
    for series in [BOOKS, RECORDS] {
        for table in names(series, "table") {
            let home = tampered(series, "");
            let db = Connection::open(home.path().join(series.file)).unwrap();
            let text = "SELECT sql FROM sqlite_schema WHERE name = ?1";
            let sql: String = db.query_row(text, [&table], |row| row.get(0)).unwrap();
            let edits = ["CHECK (", "NOT NULL", ") STRICT", "FOREIGN KEY"];
            for edited in edits.into_iter().filter_map(|word| without(&sql, word)) {
                db.execute_batch("PRAGMA writable_schema = ON").unwrap();
                let set = "UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1";
                db.execute(set, (&table, edited)).unwrap();
                let error = refused(home.path(), series);
                assert_eq!(error.code(), "ledger-damaged", "{error}");
                assert!(error.to_string().contains(&format!("the table {table} was changed")), "{error}");
                db.execute(set, (&table, &sql)).unwrap();
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn other_ways_around_the_guards_are_refused() {
    let cases = [
        ("ALTER TABLE wallets RENAME TO kept; CREATE VIEW wallets AS SELECT * FROM kept", "the table wallets is missing"),
        (
            "CREATE TRIGGER quiet BEFORE INSERT ON movements BEGIN SELECT RAISE(IGNORE); END",
            "the trigger quiet on movements was added",
        ),
        ("CREATE UNIQUE INDEX one_each ON claims (tenant, user)", "the index one_each on claims was added"),
        (
            "DROP TRIGGER claims_are_kept;
             CREATE TRIGGER claims_are_kept BEFORE DELETE ON claims WHEN 0 BEGIN SELECT RAISE(ABORT, 'claims are kept'); END",
            "the trigger claims_are_kept was changed",
        ),
        ("PRAGMA user_version = 4", "the table movements was changed"),
        ("PRAGMA user_version = 1", "for its schema version, 1,"),
        ("PRAGMA user_version = 0", "was added"),
        ("PRAGMA user_version = -1", "its schema version is -1"),
    ];
    for (sql, why) in cases {
        let home = tampered(BOOKS, sql);
        let before = fs::read(home.path().join(BOOKS.file)).unwrap();
        let error = refused(home.path(), BOOKS);
        assert_eq!(error.code(), "ledger-damaged", "{sql}: {error}");
        assert!(error.to_string().contains(why), "{sql}: {error}");
        assert!(fs::read(home.path().join(BOOKS.file)).unwrap() == before, "{sql}: it stays as it was");
    }
}

#[test]
fn what_an_operator_may_add_does_no_harm() {
    let sql =
        "ANALYZE; CREATE TABLE notes (text TEXT); CREATE INDEX claims_by_time ON claims (claimed_at_ms);
               CREATE VIEW rich AS SELECT user FROM wallets WHERE balance > 1000";
    let home = tampered(BOOKS, sql);
    SqliteLedger::open(home.path()).unwrap();
}

#[test]
fn every_setting_that_guards_is_set_and_read_back() {
    let books = Books::new();
    let (writer, path) = open::writer(books.directory.path(), BOOKS).unwrap();
    let reader = open::reader(&path).unwrap();
    for db in [&writer, &reader] {
        for (name, wanted) in guard::SETTINGS {
            let found: i64 = db.pragma_query_value(None, name, |row| row.get(0)).unwrap();
            assert_eq!(found, wanted, "{name}");
        }
        for (switch, wanted, name) in guard::SWITCHES {
            assert_eq!(db.db_config(switch).unwrap(), wanted, "{name}");
        }
    }
    let mode: String = writer.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    // What somebody left behind on another connection is not in the file.
    tamper(
        books.directory.path(),
        BOOKS,
        "PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF; PRAGMA ignore_check_constraints = ON;
         PRAGMA synchronous = OFF; PRAGMA locking_mode = NORMAL; PRAGMA legacy_alter_table = ON",
    );
    drop(open::writer(books.directory.path(), BOOKS).unwrap());
}

async fn fund(ledger: &SqliteLedger) -> Result<(), StoreError> {
    ledger.fund(&TenantId::default(), &user("alice"), amount(100), None, NOW).await.map(drop)
}

async fn held(ledger: &SqliteLedger) -> u64 {
    ledger.balance(&TenantId::default(), &user("alice")).await.unwrap().get()
}

#[tokio::test]
async fn a_guard_that_is_dropped_while_it_is_open_stops_all_writes_until_it_is_back() {
    let trigger = "CREATE TRIGGER money_reaches_a_wallet AFTER INSERT ON movements
WHEN NEW.kind IN ('fund', 'settle', 'refund', 'cancel')
BEGIN
    INSERT INTO wallets (tenant, user, balance) VALUES (NEW.tenant, NEW.user, NEW.amount)
    ON CONFLICT (tenant, user) DO UPDATE SET balance = balance + excluded.balance;
END";
    let present = format!("PRAGMA user_version = {}", BOOKS.migrations.len());
    let cases = [
        ("DROP TRIGGER money_reaches_a_wallet", trigger, "the trigger money_reaches_a_wallet is missing"),
        (
            "CREATE TRIGGER quiet BEFORE INSERT ON movements BEGIN SELECT RAISE(IGNORE); END",
            "DROP TRIGGER quiet",
            "the trigger quiet on movements was added",
        ),
        (
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'balance >= 0', 'balance >= -9')",
            "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'balance >= -9', 'balance >= 0')",
            "the table wallets was changed",
        ),
        ("PRAGMA user_version = 99", &present, "its schema version is 99"),
    ];
    for (off, on, why) in cases {
        let books = Books::new();
        fund(&books.ledger).await.unwrap();
        tamper(books.directory.path(), BOOKS, off);
        for _ in 0..2 {
            let error = fund(&books.ledger).await.unwrap_err();
            assert_eq!(error.code(), "corrupt", "{off}: {error}");
            assert!(error.to_string().contains(why), "{off}: {error}");
        }
        assert_eq!(books.ledger.check().await.unwrap_err().code(), "corrupt", "{off}");
        assert_eq!(held(&books.ledger).await, 100, "{off}: nothing moved, and it reads");
        tamper(books.directory.path(), BOOKS, on);
        fund(&books.ledger).await.unwrap_or_else(|error| panic!("{on}: {error}"));
        books.ledger.check().await.unwrap();
        assert_eq!(held(&books.ledger).await, 200);
        books.assert_in_order().await;
    }
}

#[tokio::test]
async fn records_that_lose_a_guard_are_noticed_too() {
    let home = tempfile::tempdir().unwrap();
    let registry = SqliteRegistry::open(home.path()).unwrap();
    registry.check().await.unwrap();
    let name = names(RECORDS, "trigger").swap_remove(0);
    tamper(home.path(), RECORDS, &format!("DROP TRIGGER {name}"));
    let error = registry.check().await.unwrap_err();
    assert!(error.code() == "corrupt" && error.to_string().contains(&name), "{error}");
}

#[tokio::test]
async fn a_file_that_is_replaced_while_it_is_open_is_not_written_to() {
    let books = Books::new();
    fund(&books.ledger).await.unwrap();
    let (file, aside) = (books.directory.path().join(BOOKS.file), books.directory.path().join("aside"));
    fs::rename(&file, &aside).unwrap();
    let error = fund(&books.ledger).await.unwrap_err();
    assert!(error.code() == "corrupt" && error.to_string().contains("removed or replaced"), "{error}");
    fs::copy(&aside, &file).unwrap();
    let error = books.ledger.check().await.unwrap_err();
    assert!(error.to_string().contains("removed or replaced"), "{error}");
    fs::remove_file(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    fund(&books.ledger).await.unwrap();
    assert_eq!(held(&books.ledger).await, 200, "what was refused was not written");
}

#[tokio::test]
async fn what_others_write_by_the_rules_disturbs_nobody() {
    let books = Books::new();
    let other = SqliteLedger::open(books.directory.path()).unwrap();
    for _ in 0..20 {
        fund(&other).await.unwrap();
        fund(&books.ledger).await.unwrap();
    }
    assert_eq!(held(&books.ledger).await, 4_000);
    books.assert_in_order().await;
}

#[tokio::test]
async fn a_row_that_was_written_without_constraints_is_found() {
    let books = Books::new();
    books.fund("alice", 100).await;
    books.send(1, 100, 2, Audience::Everyone).await;
    tamper(
        books.directory.path(),
        BOOKS,
        "PRAGMA ignore_check_constraints = ON; UPDATE wallets SET balance = -5 WHERE user = 'alice'",
    );
    let found = books.ledger.verify(&TenantId::default()).await.unwrap();
    assert!(found.iter().any(|found| found.rule == "the file keeps its own constraints"), "{found:?}");
    assert!(found.iter().any(|found| found.rule == "a balance is the sum of its postings"), "{found:?}");
}
