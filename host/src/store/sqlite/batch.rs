//! Jobs and transactions: what the threads of the ledger do with what has gathered.

use std::sync::Arc;

use rusqlite::Connection;

use crate::store::committer::Job;

/// Carries out writes in one transaction and answers once it is on the disk.
pub(super) fn write(db: &Connection, mut jobs: Vec<Job<Connection>>) {
    let committed = commit(db, &mut jobs);
    let outcome = committed.map_err(|error| Arc::new(error) as _);
    for job in jobs {
        job.answer(&outcome);
    }
}

/// Whether an operation failed after it had written something.
#[derive(PartialEq, Eq)]
enum Ran {
    Whole,
    InPart,
}

/// A savepoint for each operation costs as much as a cheap operation, and is needed only where
/// one fails after its first write, which the checks before all but exclude. So a batch runs
/// without them first, and anew with them where that was wrong.
fn commit(db: &Connection, jobs: &mut [Job<Connection>]) -> Result<(), rusqlite::Error> {
    let attempt = |jobs: &mut [_], run| transaction(db, || each(db, jobs, run));
    match attempt(jobs, plainly)? {
        Ran::Whole => Ok(()),
        Ran::InPart => attempt(jobs, guarded).map(drop),
    }
}

/// Commits what was run whole, and undoes everything else.
fn transaction(
    db: &Connection,
    run: impl FnOnce() -> Result<Ran, rusqlite::Error>,
) -> Result<Ran, rusqlite::Error> {
    // The lock is taken before the first read, so no other process can come between what an
    // operation sees and what it writes.
    begin(db, "BEGIN IMMEDIATE")?;
    let ran = run().and_then(|ran| match ran {
        Ran::Whole => execute(db, "COMMIT").map(|()| ran),
        Ran::InPart => Ok(ran),
    });
    if !db.is_autocommit() {
        // If that fails too, the next transaction tries it again.
        let _ = execute(db, "ROLLBACK");
    }
    ran
}

type Run = fn(&Connection, &mut Job<Connection>) -> Result<Ran, rusqlite::Error>;

/// Stops where an operation was run in part.
fn each(db: &Connection, jobs: &mut [Job<Connection>], run: Run) -> Result<Ran, rusqlite::Error> {
    for job in jobs {
        if run(db, job)? == Ran::InPart {
            return Ok(Ran::InPart);
        }
    }
    Ok(Ran::Whole)
}

/// Runs a job. Where its first write was refused, SQLite has undone that statement and nothing
/// is left to undo.
fn plainly(db: &Connection, job: &mut Job<Connection>) -> Result<Ran, rusqlite::Error> {
    let before = db.total_changes();
    let whole = job.run(db) || db.total_changes() == before;
    still_open(db)?;
    Ok(if whole { Ran::Whole } else { Ran::InPart })
}

/// Runs a job so that it can be undone alone.
fn guarded(db: &Connection, job: &mut Job<Connection>) -> Result<Ran, rusqlite::Error> {
    execute(db, "SAVEPOINT job")?;
    if !job.run(db) {
        still_open(db)?;
        execute(db, "ROLLBACK TO job")?;
    }
    execute(db, "RELEASE job")?;
    Ok(Ran::Whole)
}

/// Some errors (a full disk) end the whole transaction. What the batch has done is then undone,
/// and what it went on to do would be committed piece by piece.
fn still_open(db: &Connection) -> Result<(), rusqlite::Error> {
    if db.is_autocommit() {
        Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
            None,
        ))
    } else {
        Ok(())
    }
}

/// Answers reads, all from one snapshot: whatever was acknowledged before they were asked is in.
pub(super) fn read(db: &Connection, mut jobs: Vec<Job<Connection>>) {
    let begun = begin(db, "BEGIN").map_err(|error| Arc::new(error) as _);
    for mut job in jobs.drain(..) {
        // A read that fails has nothing to undo.
        let _ = begun.is_ok() && job.run(db);
        job.answer(&begun);
    }
    // A read transaction has nothing to lose.
    let _ = execute(db, "COMMIT");
}

fn begin(db: &Connection, sql: &str) -> Result<(), rusqlite::Error> {
    if !db.is_autocommit() {
        execute(db, "ROLLBACK")?;
    }
    execute(db, sql)
}

fn execute(db: &Connection, sql: &str) -> Result<(), rusqlite::Error> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}
