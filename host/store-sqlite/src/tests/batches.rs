//! One transaction for many, and each by itself in it.

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use crate::guard::Guard;
use crate::migrate::{BOOKS, Series};
use crate::{batch, error::Error};
use hongbao_store::StoreError;
use hongbao_store::gatherer::{Bounds, Gatherer};
use hongbao_store::job::Job;

/// A table `t` of numbers in a file, and a gatherer over it.
struct Bench {
    directory: TempDir,
    gatherer: Gatherer<Job<Connection>>,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut db = connect(&directory);
        db.execute_batch("PRAGMA journal_mode = WAL").unwrap();
        let series =
            Series { migrations: &["CREATE TABLE t (n INTEGER PRIMARY KEY, parent REFERENCES t)"], ..BOOKS };
        series.migrate(&mut db).unwrap();
        let mut guard = Guard::new(Path::new(db.path().unwrap()), series).unwrap();
        let limits = Bounds { queue: 8, batch: 8 };
        let write = move |jobs| batch::write(&db, &mut guard, jobs);
        let gatherer = Gatherer::on_thread("test", limits, write).unwrap();
        Self { directory, gatherer }
    }

    fn rows(&self) -> Vec<i64> {
        let db = connect(&self.directory);
        let mut statement = db.prepare("SELECT n FROM t ORDER BY n").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    /// Runs each of these texts as one operation, all in one batch, and gives their answers.
    async fn run(&self, operations: &[&'static str]) -> Vec<&'static str> {
        let (taken, started) = channel();
        let (open, gate) = channel::<()>();
        let first = self.gatherer.run(move |_| {
            // While it is carried out, alone, the others gather.
            taken.send(()).unwrap();
            let _ = gate.recv();
            Ok(())
        });
        let others = async {
            started.recv().unwrap();
            let answers = operations.iter().map(|sql| self.gatherer.run(|db| Ok(execute(db, sql)?)));
            let mut answers = Box::pin(futures::future::join_all(answers));
            assert!(futures::poll!(&mut answers).is_pending());
            drop(open);
            answers.await
        };
        let (first, others) = futures::join!(first, others);
        first.unwrap();
        others.iter().map(|answer| answer.as_ref().map_or_else(StoreError::code, |()| "ok")).collect()
    }
}

fn connect(directory: &TempDir) -> Connection {
    let db = Connection::open(directory.path().join("db")).unwrap();
    db.busy_timeout(Duration::ZERO).unwrap();
    db
}

fn execute(db: &Connection, sql: &str) -> Result<(), Error> {
    sql.split(';').try_for_each(|sql| db.execute(sql, []).map(drop).map_err(Error::from))
}

#[tokio::test]
async fn operations_of_one_batch_are_all_there() {
    let bench = Bench::new();
    assert_eq!(
        bench.run(&["INSERT INTO t VALUES (1, 1)", "INSERT INTO t VALUES (2, 1)"]).await,
        ["ok", "ok"]
    );
    assert_eq!(bench.rows(), [1, 2]);
}

#[tokio::test]
async fn a_refused_operation_is_undone_alone() {
    let refused = [
        "INSERT INTO t VALUES (1, 1)",
        "INSERT INTO t VALUES (8, 8); INSERT INTO t VALUES (9, 9); INSERT INTO t VALUES (1, 1)",
    ];
    for refused in refused {
        let bench = Bench::new();
        let answers =
            bench.run(&["INSERT INTO t VALUES (1, 1)", refused, "INSERT INTO t VALUES (2, 1)"]).await;
        assert_eq!(answers, ["ok", "refused", "ok"], "{refused}");
        assert_eq!(bench.rows(), [1, 2], "{refused}");
    }
}

#[tokio::test]
async fn an_operation_that_ends_the_transaction_acknowledges_nobody() {
    let bench = Bench::new();
    let ends = "INSERT INTO t VALUES (8, 8); ROLLBACK; INSERT INTO t VALUES (1, 2, 3)";
    let answers = bench.run(&["INSERT INTO t VALUES (1, 1)", ends, "INSERT INTO t VALUES (2, 1)"]).await;
    assert_eq!(answers, ["unavailable"; 3]);
    assert!(bench.rows().is_empty());
    assert_eq!(bench.run(&["INSERT INTO t VALUES (1, 1)"]).await, ["ok"]);
}

#[tokio::test]
async fn a_commit_that_fails_acknowledges_nobody() {
    let bench = Bench::new();
    let orphan = "PRAGMA defer_foreign_keys = ON; INSERT INTO t VALUES (8, 9)";
    let answers = bench.run(&["INSERT INTO t VALUES (1, 1)", orphan]).await;
    assert_eq!(answers, ["unavailable"; 2]);
    assert!(bench.rows().is_empty());
    assert_eq!(bench.run(&["INSERT INTO t VALUES (1, 1)"]).await, ["ok"]);
}

#[tokio::test]
async fn a_lock_that_another_process_keeps_is_unavailable() {
    let bench = Bench::new();
    let other = connect(&bench.directory);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let insert = || bench.gatherer.run(|db| Ok(execute(db, "INSERT INTO t VALUES (1, 1)")?));
    assert_eq!(insert().await.unwrap_err().code(), "unavailable");
    other.execute_batch("COMMIT").unwrap();
    insert().await.unwrap();
    assert_eq!(bench.rows(), [1]);
}
