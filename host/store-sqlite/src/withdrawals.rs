//! Withdrawals: written, ended and listed. What they move is the database's: triggers post it as a row is written and
//! as it ends.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::Error;
use super::rows::{self, Columns, stored};
use hongbao_domain::{Name, TenantId, UserId, Withdrawal, WithdrawalId};
use hongbao_store::{End, Ended, Held, NewWithdrawal, StoreError, Withdrawn, checks};

/// What [`withdrawal`] reads, in its order.
macro_rules! withdrawal_columns {
    () => {
        "id, user, key, amount, reference, state, requested_at_ms, ended_at_ms"
    };
}

fn withdrawal(row: &Row<'_>) -> Result<Withdrawal, rusqlite::Error> {
    let mut columns = Columns::of(row);
    Ok(Withdrawal {
        id: columns.withdrawal_id()?,
        user: columns.user()?,
        key: columns.name()?,
        amount: columns.amount()?,
        reference: columns.reference()?,
        state: columns.withdrawal_state()?,
        requested_at_ms: columns.number()?,
        ended_at_ms: columns.optional()?,
    })
}

/// Takes money out of a wallet. The key is looked at first: a repeated withdrawal is the same one, even where the
/// wallet is empty by now.
pub(super) fn withdraw(
    db: &Connection,
    tenant: &TenantId,
    new: &NewWithdrawal,
    now_ms: u64,
) -> Result<Withdrawn, Error> {
    let held = rows::balance(db, tenant, &new.user)?;
    if let Some(before) = by_key(db, tenant, &new.key)? {
        return Ok(match new.is(&before) {
            true => Withdrawn::Replayed(before, held),
            false => Withdrawn::KeyReused,
        });
    }
    let Some(left) = held.checked_sub(new.amount) else {
        return Ok(Withdrawn::InsufficientFunds(held));
    };
    if new.amount.is_zero() || by_id(db, tenant, new.id)?.is_some() {
        return Err(checks::refused_withdrawal(new.id, new.amount).into());
    }
    insert(db, tenant, new, now_ms)?;
    Ok(Withdrawn::Held(new.clone().held(now_ms), left))
}

fn insert(db: &Connection, tenant: &TenantId, new: &NewWithdrawal, now_ms: u64) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO withdrawals (tenant, id, user, key, amount, reference, requested_at_ms)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    db.prepare_cached(SQL)?.execute(params![
        tenant.as_str(),
        new.id.to_bytes(),
        new.user.as_str(),
        new.key.as_str(),
        new.amount.as_i64(),
        new.reference.as_str(),
        stored(now_ms)?,
    ])?;
    Ok(())
}

fn by_key(db: &Connection, tenant: &TenantId, key: &Name) -> Result<Option<Withdrawal>, Error> {
    const SQL: &str =
        concat!("SELECT ", withdrawal_columns!(), " FROM withdrawals WHERE tenant = ?1 AND key = ?2");
    let mut statement = db.prepare_cached(SQL)?;
    Ok(statement.query_row((tenant.as_str(), key.as_str()), withdrawal).optional()?)
}

fn by_id(db: &Connection, tenant: &TenantId, id: WithdrawalId) -> Result<Option<Withdrawal>, Error> {
    const SQL: &str =
        concat!("SELECT ", withdrawal_columns!(), " FROM withdrawals WHERE tenant = ?1 AND id = ?2");
    let mut statement = db.prepare_cached(SQL)?;
    Ok(statement.query_row((tenant.as_str(), id.to_bytes()), withdrawal).optional()?)
}

/// A withdrawal of this user.
pub(super) fn find(
    db: &Connection,
    tenant: &TenantId,
    user: &UserId,
    id: WithdrawalId,
) -> Result<Option<Withdrawal>, Error> {
    Ok(by_id(db, tenant, id)?.filter(|found| found.user == *user))
}

/// Ends a withdrawal that is held.
pub(super) fn end(
    db: &Connection,
    tenant: &TenantId,
    user: &UserId,
    id: WithdrawalId,
    end: End,
    now_ms: u64,
) -> Result<Ended, Error> {
    const SQL: &str = "UPDATE withdrawals SET state = ?3, ended_at_ms = ?4
                       WHERE tenant = ?1 AND id = ?2 AND state = 'held'";
    let Some(found) = find(db, tenant, user, id)? else { return Ok(Ended::NotFound) };
    if let Some(before) = Ended::before(found.clone(), end) {
        return Ok(before);
    }
    let mut statement = db.prepare_cached(SQL)?;
    let changed = statement.execute((tenant.as_str(), id.to_bytes(), end.state().name(), stored(now_ms)?));
    let changed =
        changed.map_err(Error::from).map_err(|error| match error.is_refusal() && end == End::Cancel {
            true => checks::refused_cancel(id).into(),
            false => error,
        })?;
    match changed {
        1 => Ok(Ended::Ended(Withdrawal { state: end.state(), ended_at_ms: Some(now_ms), ..found })),
        _ => Err(StoreError::Corrupt(format!("{changed} rows of withdrawal {id} changed")).into()),
    }
}

pub(super) const OF_A_USER: &str = concat!(
    "SELECT ",
    withdrawal_columns!(),
    " FROM withdrawals INDEXED BY withdrawals_of_a_user
      WHERE tenant = ?1 AND user = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4"
);
pub(super) const HELD: &str = concat!(
    "SELECT ",
    withdrawal_columns!(),
    " FROM withdrawals INDEXED BY withdrawals_held
      WHERE tenant = ?1 AND id > ?2 AND state = 'held' ORDER BY id LIMIT ?3"
);

/// A user's withdrawals before an id, the latest first.
pub(super) fn of_user(
    db: &Connection,
    tenant: &TenantId,
    user: &UserId,
    before: Option<WithdrawalId>,
    limit: u32,
) -> Result<Vec<Withdrawal>, Error> {
    // After every id is a longer one, and before each an empty one.
    let before = before.map_or(vec![0xff; 17], |before| before.to_bytes().to_vec());
    let mut statement = db.prepare_cached(OF_A_USER)?;
    let rows = statement.query_map((tenant.as_str(), user.as_str(), before, limit), withdrawal)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A tenant's withdrawals that are held, after an id, the oldest first.
pub(super) fn held(
    db: &Connection,
    tenant: &TenantId,
    after: Option<WithdrawalId>,
    limit: u32,
) -> Result<Vec<Withdrawal>, Error> {
    let after = after.map_or(Vec::new(), |after| after.to_bytes().to_vec());
    let mut statement = db.prepare_cached(HELD)?;
    let rows = statement.query_map((tenant.as_str(), after, limit), withdrawal)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What is held of all tenants.
pub(super) fn all_held(db: &Connection) -> Result<Held, Error> {
    const SQL: &str = "SELECT count(*), min(requested_at_ms) FROM withdrawals WHERE state = 'held'";
    let held = db.query_row(SQL, [], |row| {
        let mut columns = Columns::of(row);
        Ok(Held { withdrawals: columns.number()?, oldest_ms: columns.optional()? })
    });
    Ok(held?)
}
