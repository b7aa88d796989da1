//! Whose directory it is, and whose file.

use std::path::Path;
use std::{fs, thread};

use rusqlite::Connection;

use crate::migrate::BOOKS;
use crate::{OpenError, SqliteLedger};

const FILE: &str = BOOKS.file;

/// What opening fails with.
fn refused(directory: &Path) -> OpenError {
    match SqliteLedger::open(directory) {
        Ok(_) => panic!("{} was opened", directory.display()),
        Err(error) => error,
    }
}

/// Makes a database with these statements and gives what is in the file.
fn made_of(directory: &Path, sql: &str) -> Vec<u8> {
    let file = directory.join(FILE);
    Connection::open(&file).unwrap().execute_batch(sql).unwrap();
    fs::read(file).unwrap()
}

#[test]
fn a_directory_is_made_where_there_is_none() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("a/b");
    assert!(!SqliteLedger::exists(&directory));
    SqliteLedger::open(&directory).unwrap();
    assert!(SqliteLedger::exists(&directory));
}

#[test]
fn a_directory_that_cannot_be_made_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refused(&file.join("books"));
    assert_eq!(error.code(), "ledger-directory", "{error}");
}

#[test]
fn a_directory_in_the_place_of_the_file_is_refused() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(FILE)).unwrap();
    let error = refused(home.path());
    assert_eq!(error.code(), "ledger-directory", "{error}");
}

#[test]
fn a_file_that_is_no_database_is_refused_and_stays() {
    let home = tempfile::tempdir().unwrap();
    for content in ["short", &"long enough to have a header. ".repeat(1000)] {
        fs::write(home.path().join(FILE), content).unwrap();
        let error = refused(home.path());
        assert_eq!(error.code(), "ledger-damaged", "{error}");
        assert_eq!(fs::read_to_string(home.path().join(FILE)).unwrap(), content);
    }
}

#[test]
fn a_damaged_database_is_refused() {
    let home = tempfile::tempdir().unwrap();
    drop(SqliteLedger::open(home.path()).unwrap());
    let file = home.path().join(FILE);
    let mut bytes = fs::read(&file).unwrap();
    bytes[100..4096].fill(0xff);
    fs::write(&file, bytes).unwrap();
    let error = refused(home.path());
    assert_eq!(error.code(), "ledger-damaged", "{error}");
}

#[test]
fn a_database_of_another_program_is_refused_and_stays() {
    let cases = [
        "CREATE TABLE theirs (a); INSERT INTO theirs VALUES (1)",
        "PRAGMA application_id = 7",
        "PRAGMA user_version = 1",
    ];
    for sql in cases {
        let home = tempfile::tempdir().unwrap();
        let before = made_of(home.path(), sql);
        let error = refused(home.path());
        assert_eq!(error.code(), "ledger-foreign", "{sql}: {error}");
        assert_eq!(fs::read(home.path().join(FILE)).unwrap(), before, "{sql}");
    }
}

#[test]
fn a_newer_database_is_refused_with_both_versions_and_stays() {
    let home = tempfile::tempdir().unwrap();
    drop(SqliteLedger::open(home.path()).unwrap());
    let before = made_of(home.path(), "PRAGMA user_version = 1000");
    let error = refused(home.path());
    assert_eq!(error.code(), "ledger-newer");
    let versions =
        format!("schema version 1000, and this program knows only up to {}", BOOKS.migrations.len());
    assert!(error.to_string().contains(&versions), "{error}");
    assert_eq!(fs::read(home.path().join(FILE)).unwrap(), before);
}

#[test]
fn an_empty_file_becomes_a_ledger() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join(FILE), "").unwrap();
    SqliteLedger::open(home.path()).unwrap();
}

#[test]
fn many_open_a_new_ledger_at_once() {
    let home = tempfile::tempdir().unwrap();
    let opened = thread::scope(|scope| {
        let open = || SqliteLedger::open(home.path()).map(drop);
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<Vec<()>, _>>()
    });
    opened.unwrap();
}
