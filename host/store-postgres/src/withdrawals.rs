//! Withdrawals: written, ended and listed. What they move is the database's: triggers post it as a row is written and
//! as it ends, and the functions look whether they did.

use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::error::Error;
use super::rows::{Columns, stored};
use super::sessions::Client;
use hongbao_domain::{Name, TenantId, UserId, Withdrawal, WithdrawalId, WithdrawalState};
use hongbao_store::{End, Ended, Held, NewWithdrawal, StoreError, Withdrawn, checks};

/// What [`withdrawal`] reads, in its order.
macro_rules! withdrawal_columns {
    () => {
        "id, user_id, key, amount, reference, state, requested_at_ms, ended_at_ms"
    };
}

fn withdrawal(mut columns: Columns<'_>) -> Result<Withdrawal, Error> {
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

const fn uuid(id: WithdrawalId) -> Uuid {
    Uuid::from_bytes(id.to_bytes())
}

/// Takes money out of a wallet.
pub(super) async fn withdraw(
    client: &Client,
    tenant: &TenantId,
    new: NewWithdrawal,
    now_ms: u64,
) -> Result<Withdrawn, Error> {
    const SQL: &str = "SELECT outcome, held FROM hongbao.withdraw($1, $2, $3, $4, $5, $6, $7)";
    let statement = client.prepare_cached(SQL).await?;
    let (id, amount, now) = (uuid(new.id), new.amount.as_i64(), stored(now_ms)?);
    let (tenant_name, key, user, reference) =
        (tenant.as_str(), new.key.as_str(), new.user.as_str(), new.reference.as_str());
    let params: [&(dyn ToSql + Sync); 7] = [&id, &tenant_name, &key, &user, &amount, &reference, &now];
    let answer = client.query_one(&statement, &params).await.map_err(Error::from);
    let row =
        answer.map_err(|error| match error.is_taken() || new.amount.is_zero() && error.is_unchecked() {
            true => checks::refused_withdrawal(new.id, new.amount).into(),
            false => error,
        })?;
    let mut columns = Columns::of(&row);
    let outcome: &str = columns.get()?;
    let held = columns.amount()?;
    match outcome {
        "held" => Ok(Withdrawn::Held(new.held(now_ms), held)),
        "funds" => Ok(Withdrawn::InsufficientFunds(held)),
        _ => match by_key(client, tenant, &new.key).await? {
            Some(before) if new.is(&before) => Ok(Withdrawn::Replayed(before, held)),
            Some(_) => Ok(Withdrawn::KeyReused),
            None => {
                Err(StoreError::Corrupt(format!("the withdrawal of key {} is not there", new.key)).into())
            }
        },
    }
}

async fn by_key(client: &Client, tenant: &TenantId, key: &Name) -> Result<Option<Withdrawal>, Error> {
    // Said in this way, the tenant leads to no index but that of keys.
    const SQL: &str = concat!(
        "SELECT ",
        withdrawal_columns!(),
        " FROM hongbao.withdrawals
          WHERE key = $1 AND CASE tenant WHEN $2 THEN true ELSE false END AND amount > 0"
    );
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_opt(&statement, &[&key.as_str(), &tenant.as_str()]).await?;
    row.map(|row| withdrawal(Columns::of(&row))).transpose()
}

/// A withdrawal of this user.
pub(super) async fn find(
    client: &Client,
    tenant: &TenantId,
    user: &UserId,
    id: WithdrawalId,
) -> Result<Option<Withdrawal>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        withdrawal_columns!(),
        " FROM hongbao.withdrawals WHERE user_id = $1 AND tenant = $2 AND id = $3"
    );
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_opt(&statement, &[&user.as_str(), &tenant.as_str(), &uuid(id)]).await?;
    row.map(|row| withdrawal(Columns::of(&row))).transpose()
}

/// Ends a withdrawal that is held.
pub(super) async fn end(
    client: &Client,
    tenant: &TenantId,
    user: &UserId,
    id: WithdrawalId,
    end: End,
    now_ms: u64,
) -> Result<Ended, Error> {
    const SQL: &str = "SELECT hongbao.end_withdrawal($1, $2, $3, $4, $5)";
    let statement = client.prepare_cached(SQL).await?;
    let (tenant_name, user_name, state, now) =
        (tenant.as_str(), user.as_str(), end.state().name(), stored(now_ms)?);
    let params: [&(dyn ToSql + Sync); 5] = [&uuid(id), &tenant_name, &user_name, &state, &now];
    let answer = client.query_one(&statement, &params).await.map_err(Error::from);
    let row = answer.map_err(|error| match error.is_overflow() {
        true => checks::refused_cancel(id).into(),
        false => error,
    })?;
    let before: Option<&str> = Columns::of(&row).get()?;
    // What has ended never changes, so a look at it now says how it ended.
    let Some(found) = find(client, tenant, user, id).await? else { return Ok(Ended::NotFound) };
    if before == Some(WithdrawalState::Held.name()) {
        return Ok(Ended::Ended(found));
    }
    let held = || StoreError::Corrupt(format!("withdrawal {id} is held, and did not end"));
    Ok(Ended::before(found, end).ok_or_else(held)?)
}

const OF_A_USER: &str = concat!(
    "SELECT ",
    withdrawal_columns!(),
    " FROM hongbao.withdrawals
      WHERE user_id = $1 AND tenant = $2 AND id < $3 ORDER BY id DESC LIMIT $4"
);
const HELD: &str = concat!(
    "SELECT ",
    withdrawal_columns!(),
    " FROM hongbao.withdrawals
      WHERE tenant = $1 AND id > $2 AND state = 'held' ORDER BY id LIMIT $3"
);

/// A user's withdrawals before an id, the latest first.
pub(super) async fn of_user(
    client: &Client,
    tenant: &TenantId,
    user: &UserId,
    before: Option<WithdrawalId>,
    limit: u32,
) -> Result<Vec<Withdrawal>, Error> {
    let (before, limit) = (before.map_or(Uuid::max(), uuid), i64::from(limit));
    let statement = client.prepare_cached(OF_A_USER).await?;
    let rows = client.query(&statement, &[&user.as_str(), &tenant.as_str(), &before, &limit]).await?;
    rows.iter().map(|row| withdrawal(Columns::of(row))).collect()
}

/// A tenant's withdrawals that are held, after an id, the oldest first.
pub(super) async fn held(
    client: &Client,
    tenant: &TenantId,
    after: Option<WithdrawalId>,
    limit: u32,
) -> Result<Vec<Withdrawal>, Error> {
    let (after, limit) = (after.map_or(Uuid::nil(), uuid), i64::from(limit));
    let statement = client.prepare_cached(HELD).await?;
    let rows = client.query(&statement, &[&tenant.as_str(), &after, &limit]).await?;
    rows.iter().map(|row| withdrawal(Columns::of(row))).collect()
}

/// What is held of all tenants.
pub(super) async fn all_held(client: &Client) -> Result<Held, Error> {
    const SQL: &str = "SELECT count(*), min(requested_at_ms) FROM hongbao.withdrawals WHERE state = 'held'";
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_one(&statement, &[]).await?;
    let mut columns = Columns::of(&row);
    Ok(Held { withdrawals: columns.number()?, oldest_ms: columns.optional()? })
}
