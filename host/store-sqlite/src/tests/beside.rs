//! Books that are gone, beside records that know of them.

use std::fs::{self, File};
use std::path::Path;

use rusqlite::Connection;

use crate::migrate::{BOOKS, RECORDS};
use crate::{OpenError, SqliteLedger, SqliteRegistry};
use hongbao_domain::{Name, TenantId};
use hongbao_store::{Registry as _, RequestKey, TenantRecord};

const NOW: u64 = 1_750_000_000_000;

/// Books and records that nobody has used.
fn both(directory: &Path) -> SqliteRegistry {
    SqliteLedger::open(directory).unwrap();
    SqliteRegistry::open(directory).unwrap()
}

async fn with_a_tenant(directory: &Path) {
    let tenant = TenantRecord::new(TenantId::new("acme").unwrap(), "{}".into(), NOW);
    both(directory).put_tenant(tenant).await.unwrap();
}

async fn with_an_answer(directory: &Path) {
    let request = RequestKey { tenant: None, key: Name::new("key").unwrap() };
    both(directory).begin(&request, [0; 32], NOW).await.unwrap();
}

/// All files of the books.
fn take_away(directory: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(directory.join(format!("{}{suffix}", BOOKS.file)));
    }
}

#[track_caller]
fn is_refused(directory: &Path) {
    match SqliteLedger::open(directory) {
        Err(error @ OpenError::Lost { .. }) => {
            let told = error.to_string();
            assert_eq!(error.code(), "ledger-missing");
            assert!(told.contains(BOOKS.file) && told.contains(RECORDS.file), "{told}");
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("new books were begun"),
    }
}

#[tokio::test]
async fn books_that_are_gone_are_not_begun_anew() {
    for is_tenant in [true, false] {
        let home = tempfile::tempdir().unwrap();
        match is_tenant {
            true => with_a_tenant(home.path()).await,
            false => with_an_answer(home.path()).await,
        }
        SqliteLedger::open(home.path()).unwrap();
        take_away(home.path());
        is_refused(home.path());
        assert!(!home.path().join(BOOKS.file).exists(), "nothing is made");
        File::create(home.path().join(BOOKS.file)).unwrap();
        is_refused(home.path());
    }
}

#[tokio::test]
async fn a_log_that_lies_beside_an_empty_file_stays_for_whoever_can_use_it() {
    let home = tempfile::tempdir().unwrap();
    with_a_tenant(home.path()).await;
    let log = home.path().join("hongbao.db-wal");
    take_away(home.path());
    File::create(home.path().join(BOOKS.file)).unwrap();
    fs::write(&log, "what was not copied yet").unwrap();
    is_refused(home.path());
    assert_eq!(fs::read_to_string(&log).unwrap(), "what was not copied yet");
}

#[tokio::test]
async fn a_file_whose_log_is_gone_with_all_that_was_in_it_is_no_book() {
    let home = tempfile::tempdir().unwrap();
    with_a_tenant(home.path()).await;
    take_away(home.path());
    // What a file is before its log was ever copied into it.
    let db = Connection::open(home.path().join(BOOKS.file)).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    drop(db);
    assert!(fs::metadata(home.path().join(BOOKS.file)).unwrap().len() > 0);
    is_refused(home.path());
}

#[tokio::test]
async fn a_directory_that_is_new_or_whose_records_know_of_nothing_gets_books() {
    let home = tempfile::tempdir().unwrap();
    // As `hongbao key create` does before anything was served.
    drop(SqliteRegistry::open(home.path()).unwrap());
    SqliteLedger::open(home.path()).unwrap();
    with_a_tenant(home.path()).await;
    // The way out: without its records a directory is new.
    take_away(home.path());
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(home.path().join(format!("{}{suffix}", RECORDS.file)));
    }
    SqliteLedger::open(home.path()).unwrap();
}

#[tokio::test]
async fn records_that_cannot_be_read_are_not_taken_for_new_ones() {
    let home = tempfile::tempdir().unwrap();
    with_a_tenant(home.path()).await;
    take_away(home.path());
    fs::write(home.path().join(RECORDS.file), "not a database at all. ".repeat(100)).unwrap();
    assert!(matches!(SqliteLedger::open(home.path()), Err(OpenError::Damaged { .. })));
}
