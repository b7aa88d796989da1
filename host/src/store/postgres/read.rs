//! Lists: the claims of a packet, and the packets that somebody has to look after.

use deadpool_postgres::Client;

use super::error::Error;
use super::rows::{Columns, claim_columns, uuid};
use crate::domain::{Claim, PacketId, PacketKey, TenantId};
use crate::store::Due;

/// A number that a statement compares with: past what a column holds, everything is below it.
fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
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
        " FROM hongbao.claims WHERE packet = $1 AND tenant = $2 AND sequence > $3 ORDER BY sequence LIMIT $4"
    );
    let statement = client.prepare_cached(SQL).await?;
    let (packet, tenant) = (uuid(key.packet), key.tenant.as_str());
    let rows = client.query(&statement, &[&packet, &tenant, &i64::from(cursor), &i64::from(limit)]).await?;
    rows.iter().map(|row| Columns::of(row).claim()).collect()
}

/// Open packets past their time, the oldest first.
pub(super) async fn due(
    client: &Client,
    tenant: &TenantId,
    now_ms: u64,
    cursor: Option<Due>,
    limit: u32,
) -> Result<Vec<Due>, Error> {
    const SQL: &str = "SELECT expires_at_ms, id FROM hongbao.packets
                       WHERE tenant = $1 AND status = 'open' AND expires_at_ms <= $2
                         AND (expires_at_ms, id) > ($3, $4)
                       ORDER BY expires_at_ms, id LIMIT $5";
    let (after, id) =
        cursor.map_or((-1, uuid::Uuid::nil()), |cursor| (bound(cursor.expires_at_ms), uuid(cursor.packet)));
    let statement = client.prepare_cached(SQL).await?;
    let rows =
        client.query(&statement, &[&tenant.as_str(), &bound(now_ms), &after, &id, &i64::from(limit)]).await?;
    let due = |row| {
        let mut columns = Columns::of(row);
        Ok(Due { expires_at_ms: columns.number()?, packet: columns.id()? })
    };
    rows.iter().map(due).collect()
}

/// Open packets of a tenant after an id, in the order of their ids.
pub(super) async fn open_packets(
    client: &Client,
    tenant: &TenantId,
    cursor: Option<PacketId>,
    limit: u32,
) -> Result<Vec<PacketId>, Error> {
    const SQL: &str = "SELECT id FROM hongbao.packets
                       WHERE tenant = $1 AND status = 'open' AND id > $2 ORDER BY id LIMIT $3";
    let after = cursor.map_or(uuid::Uuid::nil(), uuid);
    let statement = client.prepare_cached(SQL).await?;
    let rows = client.query(&statement, &[&tenant.as_str(), &after, &i64::from(limit)]).await?;
    rows.iter().map(|row| Columns::of(row).id()).collect()
}
