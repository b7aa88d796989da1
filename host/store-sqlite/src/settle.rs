//! Settlement: claims that wait, credited to wallets in their order.

use rusqlite::{Connection, Row};

use super::error::Error;
use super::rows::{Columns, stored};
use super::withdrawals;
use hongbao_domain::PacketKey;
use hongbao_store::{Backlog, Parked, Queue, RETRY_MS, Settled};

/// What [`waiting`] reads, in its order.
macro_rules! waiting_columns {
    () => {
        "attempts, tenant, packet, user, amount, priority, claimed_at_ms"
    };
}

fn waiting(columns: &mut Columns<'_>) -> Result<Parked, rusqlite::Error> {
    let attempts = columns.number()?;
    let key = PacketKey { tenant: columns.tenant()?, packet: columns.id()? };
    let (user, amount, priority) = (columns.user()?, columns.amount()?, columns.priority()?);
    let claim = Settled { key, user, amount, priority, claimed_at_ms: columns.number()? };
    Ok(Parked { claim, attempts })
}

/// Credits claims that wait. What the database does not post is put off, and makes room for the
/// next.
pub(super) fn settle(db: &Connection, limit: u32, now_ms: u64) -> Result<Vec<Settled>, Error> {
    let (mut left, now) = (limit, stored(now_ms)?);
    let mut settled = Vec::new();
    while left > 0 {
        let waiting = due(db, left, now)?;
        if waiting.is_empty() {
            break;
        }
        for (sequence, Parked { claim, attempts }) in waiting {
            match post(db, sequence, now) {
                Ok(()) => settled.push(claim),
                Err(error) if error.is_refusal() => put_off(db, sequence, attempts, now)?,
                Err(error) => return Err(error),
            }
        }
        left = limit.saturating_sub(settled.len() as u32);
    }
    Ok(settled)
}

fn due(db: &Connection, limit: u32, now: i64) -> Result<Vec<(i64, Parked)>, Error> {
    const SQL: &str = concat!(
        "SELECT sequence, ",
        waiting_columns!(),
        " FROM outbox WHERE parked = 0 AND retry_at_ms <= ?2 ORDER BY rank_ms, sequence LIMIT ?1"
    );
    let mut statement = db.prepare_cached(SQL)?;
    let rows = statement.query_map((limit, now), |row: &Row<'_>| {
        let mut columns = Columns::of(row);
        Ok((columns.number()?, waiting(&mut columns)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Posting and taking the claim out of the outbox are the database's: a trigger does both, or
/// the statement is undone.
fn post(db: &Connection, sequence: i64, now: i64) -> Result<(), Error> {
    let mut statement = db.prepare_cached("UPDATE outbox SET settled_at_ms = ?2 WHERE sequence = ?1")?;
    statement.execute((sequence, now))?;
    Ok(())
}

fn put_off(db: &Connection, sequence: i64, attempts: u32, now: i64) -> Result<(), Error> {
    const SQL: &str =
        "UPDATE outbox SET attempts = attempts + 1, retry_at_ms = ?2, parked = ?3 WHERE sequence = ?1";
    let after = RETRY_MS.get(attempts as usize);
    let retry_at = now.saturating_add_unsigned(after.copied().unwrap_or_default());
    db.prepare_cached(SQL)?.execute((sequence, retry_at, after.is_none()))?;
    Ok(())
}

/// What waits, by class.
pub(super) fn backlog(db: &Connection) -> Result<Backlog, Error> {
    const SQL: &str = "SELECT count(*), min(claimed_at_ms) FROM outbox WHERE parked = 0 AND priority = ?1";
    let mut statement = db.prepare_cached(SQL)?;
    let mut queue = |priority: i64| {
        statement.query_row([priority], |row| {
            let mut columns = Columns::of(row);
            Ok(Queue { claims: columns.number()?, oldest_ms: columns.optional()? })
        })
    };
    let (normal, large) = (queue(0)?, queue(1)?);
    let parked =
        db.query_row("SELECT count(*) FROM outbox WHERE parked = 1", [], |row| Columns::of(row).number())?;
    Ok(Backlog { large, normal, parked, held: withdrawals::all_held(db)? })
}

/// Claims that wait for a person, in the order of claiming.
pub(super) fn parked(db: &Connection, limit: u32) -> Result<Vec<Parked>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        waiting_columns!(),
        " FROM outbox WHERE parked = 1 ORDER BY claimed_at_ms, sequence LIMIT ?1"
    );
    let mut statement = db.prepare_cached(SQL)?;
    let rows = statement.query_map([limit], |row| waiting(&mut Columns::of(row)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts every parked claim back in the queue.
pub(super) fn unpark(db: &Connection) -> Result<u64, Error> {
    const SQL: &str = "UPDATE outbox SET parked = 0, attempts = 0, retry_at_ms = 0 WHERE parked = 1";
    Ok(db.prepare_cached(SQL)?.execute([])? as u64)
}
