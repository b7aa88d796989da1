//! Ending and funding: one statement each, which is one transaction.

use tokio_postgres::types::ToSql;

use super::error::Error;
use super::rows::{Columns, packet_columns, stored, uuid};
use super::sessions::Client;
use hongbao_domain::{Amount, Name, Packet, PacketId, PacketKey, TenantId, UserId};
use hongbao_store::{Closed, Funded, StoreError, checks};

/// The packet of this key of its sender.
pub(super) async fn recorded(
    client: &Client,
    tenant: &TenantId,
    sender: &UserId,
    key: &Name,
) -> Result<Option<(PacketId, Packet)>, Error> {
    const SQL: &str = "SELECT packet FROM hongbao.orders WHERE sender = $1 AND tenant = $2 AND key = $3";
    let statement = client.prepare_cached(SQL).await?;
    let found = client.query_opt(&statement, &[&sender.as_str(), &tenant.as_str(), &key.as_str()]).await?;
    let Some(row) = found else { return Ok(None) };
    let id = Columns::of(&row).id()?;
    let there = packet(client, &PacketKey { tenant: tenant.clone(), packet: id }).await?;
    match there {
        Some(packet) => Ok(Some((id, packet))),
        None => Err(StoreError::Corrupt(format!("packet {id} is not there")).into()),
    }
}

pub(super) async fn packet(client: &Client, key: &PacketKey) -> Result<Option<Packet>, Error> {
    const SQL: &str =
        concat!("SELECT ", packet_columns!(), " FROM hongbao.packets WHERE id = $1 AND tenant = $2");
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_opt(&statement, &[&uuid(key.packet), &key.tenant.as_str()]).await?;
    row.map(|row| Columns::of(&row).packet()).transpose()
}

/// Ends a packet. The refund is the database's: a trigger posts it as the packet ends, and the function looks
/// whether it did.
pub(super) async fn close(
    client: &Client,
    key: &PacketKey,
    expected_version: u64,
    now_ms: u64,
) -> Result<Closed, Error> {
    const SQL: &str =
        "SELECT given_back FROM hongbao.close_packet($1, $2, $3, $4) WHERE given_back IS NOT NULL";
    // Past what a column holds, no packet ever is.
    let expected = i64::try_from(expected_version).unwrap_or(-1);
    let statement = client.prepare_cached(SQL).await?;
    let ended = client
        .query_opt(&statement, &[&uuid(key.packet), &key.tenant.as_str(), &expected, &stored(now_ms)?])
        .await;
    let ended = ended.map_err(Error::from).map_err(|error| match error.is_overflow() {
        true => checks::refused_refund(key).into(),
        false => error,
    })?;
    if let Some(row) = ended {
        return Ok(Closed::Refunded(Columns::of(&row).amount()?));
    }
    // Whatever changes a packet after this look only makes the answer older.
    let Some(packet) = packet(client, key).await? else {
        return Ok(Closed::NotFound);
    };
    Ok(checks::close(&packet, expected_version, now_ms).unwrap_or(Closed::Stale))
}

/// Credits a wallet from outside.
pub(super) async fn fund(
    client: &Client,
    tenant: &TenantId,
    user: &UserId,
    amount: Amount,
    key: Option<&Name>,
    now_ms: u64,
) -> Result<Funded, Error> {
    const PLAIN: &str = "SELECT 'funded', hongbao.fund_wallet($1, $2, $3, $4)";
    const KEYED: &str = "SELECT outcome, held FROM hongbao.fund_wallet_once($1, $5, $2, $3, $4)";
    let statement = client.prepare_cached(if key.is_some() { KEYED } else { PLAIN }).await?;
    let (tenant, user, amount_minor, now) =
        (tenant.as_str(), user.as_str(), amount.as_i64(), stored(now_ms)?);
    let key = key.map(Name::as_str);
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&tenant, &user, &amount_minor, &now];
    params.extend(key.as_ref().map(|key| key as &(dyn ToSql + Sync)));
    let funded = client.query_one(&statement, &params).await.map_err(Error::from);
    let row =
        funded.map_err(|error| match error.is_overflow() || amount.is_zero() && error.is_unchecked() {
            true => checks::refused_funding(amount).into(),
            false => error,
        })?;
    let mut columns = Columns::of(&row);
    let outcome: &str = columns.get()?;
    let held = columns.amount()?;
    Ok(match outcome {
        "funded" => Funded::Funded(held),
        "replayed" => Funded::Replayed(held),
        _ => Funded::KeyReused,
    })
}

/// What a wallet holds; nothing where there is none.
pub(super) async fn balance(client: &Client, tenant: &TenantId, user: &UserId) -> Result<Amount, Error> {
    const SQL: &str = "SELECT balance FROM hongbao.wallets WHERE user_id = $1 AND tenant = $2";
    let statement = client.prepare_cached(SQL).await?;
    let row = client.query_opt(&statement, &[&user.as_str(), &tenant.as_str()]).await?;
    row.map_or(Ok(Amount::ZERO), |row| Columns::of(&row).amount())
}
