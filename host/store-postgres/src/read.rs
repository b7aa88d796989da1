//! Lists for the host: the claims of a packet, and the packets that somebody has to look after.

use tokio_postgres::types::ToSql;

use super::error::Error;
use super::rows::{Columns, claim_columns, uuid};
use super::sessions::Client;
use hongbao_domain::{Claim, PacketId, PacketKey, TenantId};
use hongbao_store::Due;

/// A number that a statement compares with: past what a column holds, everything is below it.
pub(super) fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What the server's clock shows, in milliseconds since the Unix epoch. For nobody who keeps books: a host
/// compares its own clock with it.
pub(super) async fn clock(client: &tokio_postgres::Client) -> Result<i64, Error> {
    const SQL: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    Ok(client.query_one(SQL, &[]).await?.try_get(0)?)
}

/// The same, as a ledger tells it.
pub(super) async fn server_ms(client: &Client) -> Result<u64, Error> {
    Ok(u64::try_from(clock(client).await?).unwrap_or_default())
}

/// Claims after a sequence, in their order.
pub(super) async fn claims(
    client: &Client,
    key: &PacketKey,
    cursor: u32,
    limit: u32,
) -> Result<Vec<Claim>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        claim_columns!(),
        " FROM hongbao.claims WHERE packet = $1 AND tenant = $2 AND sequence > $3 AND amount > 0
          ORDER BY sequence LIMIT $4"
    );
    let statement = client.prepare_cached(SQL).await?;
    let (packet, tenant) = (uuid(key.packet), key.tenant.as_str());
    let rows = client.query(&statement, &[&packet, &tenant, &i64::from(cursor), &i64::from(limit)]).await?;
    rows.iter().map(|row| Columns::of(row).claim()).collect()
}

/// Packets past their time that have not ended. Not by their status: then the index of open packets
/// would be a choice, and a plan by it goes through all of a tenant's.
macro_rules! due {
    ($of:literal) => {
        concat!(
            "SELECT expires_at_ms, tenant, id FROM hongbao.packets
             WHERE ended_at_ms IS NULL AND expires_at_ms <= $1 AND (expires_at_ms, tenant, id) > ($2, $3, $4)",
            $of,
            " ORDER BY expires_at_ms, tenant, id LIMIT $5"
        )
    };
}

/// Open packets past their time, of one tenant or of all, the oldest first.
pub(super) async fn due(
    client: &Client,
    tenant: Option<&TenantId>,
    now_ms: u64,
    cursor: Option<&Due>,
    limit: u32,
) -> Result<Vec<Due>, Error> {
    const OF_ALL: &str = due!("");
    const OF_ONE: &str = due!(" AND tenant = $6");
    let after = cursor.map_or(-1, |cursor| bound(cursor.expires_at_ms));
    let after_tenant = cursor.map_or("", |cursor| cursor.key.tenant.as_str());
    let after_id = cursor.map_or(uuid::Uuid::nil(), |cursor| uuid(cursor.key.packet));
    let (now, limit, of) = (bound(now_ms), i64::from(limit), tenant.map(TenantId::as_str));
    let mut params: Vec<&(dyn ToSql + Sync)> = vec![&now, &after, &after_tenant, &after_id, &limit];
    if of.is_some() {
        params.push(&of);
    }
    let statement = client.prepare_cached(if of.is_some() { OF_ONE } else { OF_ALL }).await?;
    let rows = client.query(&statement, &params).await?;
    let due = |row| {
        let mut columns = Columns::of(row);
        let expires_at_ms = columns.number()?;
        Ok(Due { expires_at_ms, key: PacketKey { tenant: columns.tenant()?, packet: columns.id()? } })
    };
    rows.iter().map(due).collect()
}

/// Open packets of a tenant after an id, in the order of their ids. Said and ordered in this way, only the
/// index of open packets can answer it, and not the primary key, through all that are over.
pub(super) async fn open_packets(
    client: &Client,
    tenant: &TenantId,
    cursor: Option<PacketId>,
    limit: u32,
) -> Result<Vec<PacketId>, Error> {
    const SQL: &str = "SELECT id FROM hongbao.packets
                       WHERE tenant <= $1 AND (tenant, id) > ($1, $2) AND status = 'open'
                       ORDER BY tenant, id LIMIT $3";
    let after = cursor.map_or(uuid::Uuid::nil(), uuid);
    let statement = client.prepare_cached(SQL).await?;
    let rows = client.query(&statement, &[&tenant.as_str(), &after, &i64::from(limit)]).await?;
    rows.iter().map(|row| Columns::of(row).id()).collect()
}
