//! Jobs and transactions: what the threads of the ledger do with what has gathered.

use std::sync::Arc;

use rusqlite::{Connection, ffi};

use super::error::Error;
use super::guard::Guard;
use hongbao_store::StoreError;
use hongbao_store::job::Job;

/// Carries out writes in one transaction and answers once it is on the disk.
pub(super) fn write(db: &Connection, guard: &mut Guard, mut jobs: Vec<Job<Connection>>) {
    let committed = commit(db, guard, &mut jobs);
    let outcome = committed.map_err(|error| Arc::new(lost(error)));
    for job in jobs {
        job.answer(&outcome);
    }
}

/// What everybody is told of a batch that is lost. That it was refused is no single caller's refusal.
fn lost(error: Error) -> StoreError {
    match error.into() {
        StoreError::Refused(why) => StoreError::Unavailable(why.into()),
        error => error,
    }
}

/// How far something was run.
#[derive(PartialEq, Eq)]
enum Ran {
    Whole,
    /// It failed after its first write.
    InPart,
}

type Run = fn(&Connection, &mut Job<Connection>) -> Result<Ran, Error>;

/// Only an operation that fails after its first write needs a savepoint to be undone alone, and
/// the checks before all but exclude that. While a savepoint is open, the journal of old pages
/// grows with it, and every statement walks that journal: settling a thousand claims took four
/// times as long. So a batch runs without savepoints first, and anew with them where that was
/// wrong.
fn commit(db: &Connection, guard: &mut Guard, jobs: &mut [Job<Connection>]) -> Result<(), Error> {
    match transaction(db, guard, jobs, plainly)? {
        Ran::Whole => Ok(()),
        Ran::InPart => transaction(db, guard, jobs, guarded).map(drop),
    }
}

/// Commits what was run whole, and undoes everything else. Nothing is run on a file that has lost a
/// guard.
fn transaction(
    db: &Connection,
    guard: &mut Guard,
    jobs: &mut [Job<Connection>],
    run: Run,
) -> Result<Ran, Error> {
    // The lock is taken before the first read, so no other process can come between what an
    // operation sees and what it writes.
    begin(db, "BEGIN IMMEDIATE")?;
    let ran = guard.look(db).map_err(Error::from).and_then(|()| match each(db, jobs, run)? {
        Ran::Whole => Ok(execute(db, "COMMIT").map(|()| Ran::Whole)?),
        Ran::InPart => Ok(Ran::InPart),
    });
    if !db.is_autocommit() {
        // If that fails too, the next transaction tries it again.
        let _ = execute(db, "ROLLBACK");
    }
    ran
}

fn each(db: &Connection, jobs: &mut [Job<Connection>], run: Run) -> Result<Ran, Error> {
    for job in jobs {
        if run(db, job)? == Ran::InPart {
            return Ok(Ran::InPart);
        }
    }
    Ok(Ran::Whole)
}

/// Runs a job. Where its first write was refused, SQLite has undone that statement, and nothing
/// is left to undo.
fn plainly(db: &Connection, job: &mut Job<Connection>) -> Result<Ran, Error> {
    let before = db.total_changes();
    let whole = job.run(db) || db.total_changes() == before;
    still_open(db, job)?;
    Ok(if whole { Ran::Whole } else { Ran::InPart })
}

/// Runs a job so that it can be undone alone.
fn guarded(db: &Connection, job: &mut Job<Connection>) -> Result<Ran, Error> {
    execute(db, "SAVEPOINT job")?;
    if !job.run(db) {
        still_open(db, job)?;
        execute(db, "ROLLBACK TO job")?;
    }
    execute(db, "RELEASE job")?;
    Ok(Ran::Whole)
}

/// Some errors, such as a full disk, end the transaction and undo what the batch has done. The
/// rest of the batch must then not run: each statement would be committed by itself.
fn still_open(db: &Connection, job: &Job<Connection>) -> Result<(), Error> {
    if !db.is_autocommit() {
        return Ok(());
    }
    let ended = || rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ABORT_ROLLBACK), None);
    let refused = job.failure().filter(|error| error.writes_refused().is_some());
    Err(refused.map_or_else(|| ended().into(), Error::from))
}

/// Answers reads, all from one snapshot: whatever was acknowledged before they were asked is in.
pub(super) fn read(db: &Connection, mut jobs: Vec<Job<Connection>>) {
    let begun = begin(db, "BEGIN").map_err(|error| Arc::new(Error::from(error).into()));
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
