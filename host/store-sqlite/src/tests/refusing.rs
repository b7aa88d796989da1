//! A file that can be read and not be written: its check says so and why, and it heals by itself.

use rusqlite::Connection;

use super::{Books, NOW, amount, user};
use crate::SqliteRegistry;
use crate::migrate::BOOKS;
use hongbao_domain::TenantId;
use hongbao_store::prelude::*;
use hongbao_store::{Registry, StoreError, WritesRefused};

fn reason<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    let error = answer.expect_err("it takes no writes");
    assert_eq!(error.code(), "unavailable", "{error}");
    error.writes_refused().map(WritesRefused::reason).unwrap_or_else(|| panic!("{error}")).to_owned()
}

/// Lets the file have no more pages than these.
async fn bounded(books: &Books, pages: i64) {
    let bound = move |db: &Connection| -> Result<(), super::super::error::Error> {
        db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        Ok(())
    };
    books.ledger.sessions.write(bound).await.unwrap();
}

#[tokio::test]
async fn a_file_that_cannot_grow_refuses_writes_and_says_so() {
    let books = Books::new();
    books.ledger.check().await.unwrap();
    bounded(&books, 1).await;
    // What is free within the file is used up first.
    let (tenant, mut number) = (TenantId::default(), 0);
    let refused = loop {
        number += 1;
        let user = user(&format!("user {number} {}", "x".repeat(200)));
        match books.ledger.fund(&tenant, &user, amount(1), None, NOW).await {
            Ok(_) => assert!(number < 2_000, "it grows without bounds"),
            refused => break refused,
        }
    };
    assert_eq!(reason(refused), "the disk is full");
    assert_eq!(reason(books.ledger.check().await), "the disk is full");
    assert_eq!(books.ledger.audit(&tenant).await.unwrap().movements, number - 1, "it can be read");
    bounded(&books, 1_000_000).await;
    books.ledger.check().await.unwrap();
    books.fund("alice", 1).await;
    books.assert_in_order().await;
}

#[tokio::test]
async fn a_file_that_somebody_keeps_locked_refuses_writes_and_says_so() {
    let books = Books::new();
    let registry = SqliteRegistry::open(books.directory.path()).unwrap();
    books.fund("alice", 100).await;
    let db = Connection::open(books.directory.path().join(BOOKS.file)).unwrap();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(reason(books.ledger.check().await), "another program keeps the file locked");
    assert!(begun.elapsed() < hongbao_store::CHECK_TIME, "{:?}", begun.elapsed());
    registry.check().await.unwrap();
    db.execute_batch("ROLLBACK").unwrap();
    books.ledger.check().await.unwrap();
}

#[tokio::test]
async fn checks_leave_nothing_behind() {
    let books = Books::new();
    let pages = async || {
        let count =
            |db: &Connection| Ok(db.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))?);
        books.ledger.sessions.write(count).await.unwrap()
    };
    for _ in 0..3 {
        books.ledger.check().await.unwrap();
    }
    let before = pages().await;
    for _ in 0..50 {
        books.ledger.check().await.unwrap();
    }
    assert_eq!(pages().await, before);
    books.assert_in_order().await;
}
