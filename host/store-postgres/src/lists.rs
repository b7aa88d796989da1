//! Lists for users. Each list is a walk along one index (of all partitions, where these
//! do not go by whom is asked about), from its cursor to its limit.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::error::Error;
use super::read::bound;
use super::rows::{Columns, packet_columns, uuid};
use super::sessions::Client;
use hongbao_domain::{Name, Packet, PacketId, TenantId, UserId};
use hongbao_store::{Entry, Place, Received};

/// Ids of packets, of a list that has a `packet` in each row.
macro_rules! listed {
    ($table:literal, $by:literal, $and:literal) => {
        concat!(
            "SELECT packet FROM hongbao.",
            $table,
            " WHERE ",
            $by,
            " = $1 AND tenant = $2 AND packet < $3 ",
            $and,
            " ORDER BY packet DESC LIMIT $4"
        )
    };
}

/// The packets themselves: each found by its key alone, after the list was cut off.
macro_rules! packets {
    ($listed:expr) => {
        concat!(
            "SELECT listed.packet, ",
            packet_columns!(),
            " FROM (",
            $listed,
            ") AS listed
              CROSS JOIN LATERAL (SELECT * FROM hongbao.packets WHERE id = listed.packet AND tenant = $2 OFFSET 0) AS p
             ORDER BY listed.packet DESC"
        )
    };
}

const RECENT: &str = listed!("rooms", "room", "");
const RECENT_PACKETS: &str = packets!(listed!("rooms", "room", ""));
const SENT: &str = packets!(listed!("orders", "sender", "AND key > ''"));
const RECEIVED: &str =
    "SELECT listed.packet, room, sender, greeting, user_id, amount, sequence, claimed_at_ms
     FROM (SELECT * FROM hongbao.claims
            WHERE user_id = $1 AND tenant = $2 AND (claimed_at_ms, packet) < ($3, $4) AND amount > 0
            ORDER BY claimed_at_ms DESC, packet DESC LIMIT $5) AS listed
     CROSS JOIN LATERAL (SELECT room, sender, greeting FROM hongbao.packets
                          WHERE id = listed.packet AND tenant = $2 OFFSET 0) AS p
    ORDER BY claimed_at_ms DESC, listed.packet DESC";
const STATEMENT: &str = "SELECT id, kind, packet, withdrawal, amount, at_ms FROM hongbao.movements
                         WHERE user_id = $1 AND tenant = $2 AND id < $3 AND amount > 0 AND kind <> 'complete'
                         ORDER BY id DESC LIMIT $4";

async fn list<T>(
    client: &Client,
    sql: &str,
    params: &[&(dyn ToSql + Sync)],
    read: impl Fn(Columns<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let statement = client.prepare_cached(sql).await?;
    let rows = client.query(&statement, params).await?;
    rows.iter().map(|row: &Row| read(Columns::of(row))).collect()
}

/// An id to compare with.
fn before_id(before: Option<PacketId>) -> uuid::Uuid {
    before.map_or(uuid::Uuid::max(), uuid)
}

fn packet(mut columns: Columns<'_>) -> Result<(PacketId, Packet), Error> {
    Ok((columns.id()?, columns.packet()?))
}

/// Ids of a room's packets before an id, the latest first.
pub(super) async fn recent(
    client: &Client,
    tenant: &TenantId,
    room: &Name,
    before: Option<PacketId>,
    limit: u32,
) -> Result<Vec<PacketId>, Error> {
    let (before, limit) = (before_id(before), i64::from(limit));
    list(client, RECENT, &[&room.as_str(), &tenant.as_str(), &before, &limit], |mut row| row.id()).await
}

/// A room's packets before an id, the latest first.
pub(super) async fn recent_packets(
    client: &Client,
    tenant: &TenantId,
    room: &Name,
    before: Option<PacketId>,
    limit: u32,
) -> Result<Vec<(PacketId, Packet)>, Error> {
    let (before, limit) = (before_id(before), i64::from(limit));
    list(client, RECENT_PACKETS, &[&room.as_str(), &tenant.as_str(), &before, &limit], packet).await
}

/// Packets that a user sent before an id, the latest first.
pub(super) async fn sent(
    client: &Client,
    tenant: &TenantId,
    user: &UserId,
    before: Option<PacketId>,
    limit: u32,
) -> Result<Vec<(PacketId, Packet)>, Error> {
    let (before, limit) = (before_id(before), i64::from(limit));
    list(client, SENT, &[&user.as_str(), &tenant.as_str(), &before, &limit], packet).await
}

/// A user's claims before a place, the latest first.
pub(super) async fn received(
    client: &Client,
    tenant: &TenantId,
    user: &UserId,
    before: Option<Place>,
    limit: u32,
) -> Result<Vec<Received>, Error> {
    let time = before.map_or(i64::MAX, |before| bound(before.claimed_at_ms));
    let (id, limit) = (before_id(before.map(|before| before.packet)), i64::from(limit));
    list(client, RECEIVED, &[&user.as_str(), &tenant.as_str(), &time, &id, &limit], |mut row| {
        Ok(Received {
            packet: row.id()?,
            room: row.name()?,
            sender: row.user()?,
            greeting: row.get()?,
            claim: row.claim()?,
        })
    })
    .await
}

/// Movements of a wallet before a place in the books, the latest first.
pub(super) async fn statement(
    client: &Client,
    tenant: &TenantId,
    user: &UserId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    let (before, limit) = (before.map_or(i64::MAX, bound), i64::from(limit));
    list(client, STATEMENT, &[&user.as_str(), &tenant.as_str(), &before, &limit], |mut row| {
        let (id, kind) = (row.number()?, row.kind()?);
        let (packet, withdrawal) = (row.optional_id()?, row.optional_withdrawal_id()?);
        let amount = kind.to_wallet(row.amount()?);
        Ok(Entry { id, kind, packet, withdrawal, amount, at_ms: row.number()? })
    })
    .await
}
