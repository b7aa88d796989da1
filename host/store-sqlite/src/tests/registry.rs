//! The registry as a whole, and what only this one has: a file beside the ledger's.

use std::fs;
use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::migrate::{BOOKS, RECORDS};
use crate::{OpenError, SqliteLedger, SqliteRegistry, open};
use hongbao_domain::{KeyId, Suspension, TenantId};
use hongbao_store::{AdminEntry, Registry, TenantRecord, conformance};

const NOW: u64 = 1_750_000_000_000;

fn opened() -> (SqliteRegistry, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    (SqliteRegistry::open(directory.path()).unwrap(), directory)
}

fn tenant(number: usize) -> TenantRecord {
    TenantRecord {
        id: TenantId::new(&format!("tenant {number}")).unwrap(),
        revision: 0,
        settings: "{}".into(),
        plugin: None,
        former: None,
        suspension: Suspension::default(),
        declared: None,
        created_at_ms: NOW,
    }
}

fn entry() -> AdminEntry {
    AdminEntry {
        at_ms: NOW,
        by: Some(KeyId::new(1)),
        tenant: None,
        action: "key.create".into(),
        subject: "a key".into(),
        outcome: "ok".into(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_does_what_every_registry_does() {
    conformance::registry(async || {
        let (registry, directory) = opened();
        (Arc::new(registry) as _, directory)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_on_one_directory_are_one_and_it_is_the_same_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    conformance::durable_registry(async || Arc::new(SqliteRegistry::open(directory.path()).unwrap()) as _)
        .await;
}

#[tokio::test]
async fn it_is_a_file_beside_the_ledgers() {
    let directory = tempfile::tempdir().unwrap();
    let registry = SqliteRegistry::open(directory.path()).unwrap();
    assert!(!SqliteLedger::exists(directory.path()), "who keeps records has no books yet");
    let _ledger = SqliteLedger::open(directory.path()).unwrap();
    registry.check().await.unwrap();
    // Neither is taken for the other.
    drop(registry);
    let home = tempfile::tempdir().unwrap();
    fs::copy(directory.path().join(RECORDS.file), home.path().join(BOOKS.file)).unwrap();
    assert!(matches!(SqliteLedger::open(home.path()), Err(OpenError::Foreign { .. })));
}

#[tokio::test]
async fn whoever_keeps_the_lock_for_a_while_is_waited_for() {
    let (registry, directory) = opened();
    let other = open::writer(directory.path(), RECORDS).unwrap().0;
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        // Reads never wait.
        let before = registry.revision().await.unwrap();
        other.execute_batch("COMMIT").unwrap();
        before
    };
    let (written, before) = tokio::join!(registry.put_tenant(tenant(1)), waiting);
    assert_eq!((written.unwrap(), before), (Some(1), 0));
}

#[tokio::test]
async fn the_database_keeps_what_must_not_change() {
    let (registry, directory) = opened();
    registry.note(entry()).await.unwrap();
    registry.put_tenant(tenant(1)).await.unwrap();
    let db = open::writer(directory.path(), RECORDS).unwrap().0;
    db.execute_batch(
        "INSERT INTO api_keys VALUES (x'0000000000000001', '', NULL, 'ci', 1, zeroblob(32), 1, NULL, 5)",
    )
    .unwrap();
    let whole: &[(&str, &str)] = &[
        ("UPDATE notes SET outcome = 'ok'", "never changes"),
        ("DELETE FROM notes", "is kept"),
        ("UPDATE revision SET value = 0", "only rises"),
        ("UPDATE api_keys SET scopes = 15", "only by being revoked"),
        ("UPDATE api_keys SET revoked_at_ms = NULL", "stays revoked"),
        ("UPDATE tenants SET former = 'a'", "CHECK constraint failed"),
        ("INSERT INTO requests VALUES ('', 'k', zeroblob(32), 1, 1, 200, NULL)", "an_answer_is_whole"),
    ];
    for (sql, rule) in whole {
        let refused = db.execute_batch(sql).unwrap_err().to_string();
        assert!(refused.contains(rule), "{sql}: {refused}");
    }
}

/// The steps of a plan, one a line.
fn plan(db: &Connection, sql: &str) -> String {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let steps = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
    steps.collect::<Result<Vec<_>, _>>().unwrap().join("\n")
}

#[test]
fn lists_are_read_from_indexes_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let db = open::writer(directory.path(), RECORDS).unwrap().0;
    for sql in [
        "SELECT * FROM api_keys WHERE tenant = 'a' AND id > x'' ORDER BY id LIMIT 5",
        "SELECT * FROM notes WHERE place < 7 ORDER BY place DESC LIMIT 5",
        "SELECT * FROM notes WHERE tenant = 'a' AND place < 7 ORDER BY place DESC LIMIT 5",
        "SELECT * FROM plugins WHERE tenant = 'a' ORDER BY place",
        "DELETE FROM api_keys WHERE expires_at_ms < 7",
        "DELETE FROM requests WHERE begun_at_ms < 7",
    ] {
        let plan = plan(&db, sql);
        assert!(plan.starts_with("SEARCH") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
}
