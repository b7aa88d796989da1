//! Lists for users. Each list is a walk along one index, from its cursor to its limit.

use rusqlite::{Connection, Params, Row};

use super::error::Error;
use super::rows::{self, Columns, packet_columns};
use hongbao_domain::{Claim, Name, Packet, PacketId, TenantId, UserId};
use hongbao_store::{Entry, Place, Received};

// Each names its index: of its own accord SQLite goes by the key at times, through all that is the tenant's.

pub(super) const RECENT: &str = "SELECT id FROM packets INDEXED BY packets_recent
                                  WHERE tenant = ?1 AND room = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4";
pub(super) const RECENT_PACKETS: &str = concat!(
    "SELECT ",
    packet_columns!(),
    " FROM packets INDEXED BY packets_recent
      WHERE tenant = ?1 AND room = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4"
);
pub(super) const SENT: &str = concat!(
    "SELECT ",
    packet_columns!(),
    " FROM packets INDEXED BY packets_sent
      WHERE tenant = ?1 AND sender = ?2 AND id < ?3 ORDER BY id DESC LIMIT ?4"
);
// A cross join is carried out as it stands: claims first, then each one's packet by its key.
pub(super) const RECEIVED: &str =
    "SELECT packet, room, sender, greeting, user, amount, sequence, claimed_at_ms
       FROM claims INDEXED BY claims_received
            CROSS JOIN packets ON packets.tenant = claims.tenant AND packets.id = claims.packet
      WHERE claims.tenant = ?1 AND user = ?2 AND (claimed_at_ms, packet) < (?3, ?4) AND amount > 0
      ORDER BY claimed_at_ms DESC, packet DESC LIMIT ?5";
pub(super) const STATEMENT: &str = "SELECT id, kind, packet, withdrawal, amount, at_ms
                                      FROM movements INDEXED BY movements_of_a_wallet
                                     WHERE tenant = ?1 AND user = ?2 AND id < ?3 AND amount > 0
                                       AND kind <> 'complete'
                                     ORDER BY id DESC LIMIT ?4";

/// A number to compare with: past what a column holds, everything is below it.
fn bound(number: Option<u64>) -> i64 {
    number.and_then(|number| i64::try_from(number).ok()).unwrap_or(i64::MAX)
}

/// An id to compare with. After every id is a longer one.
fn before_id(before: Option<PacketId>) -> Vec<u8> {
    before.map_or(vec![0xff; 17], |before| before.to_bytes().to_vec())
}

fn list<T>(
    db: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T, rusqlite::Error>,
) -> Result<Vec<T>, Error> {
    Ok(db.prepare_cached(sql)?.query_map(params, read)?.collect::<Result<_, _>>()?)
}

/// Ids of a room's packets before an id, the latest first.
pub(super) fn recent(
    db: &Connection,
    tenant: &TenantId,
    room: &Name,
    before: Option<PacketId>,
    limit: u32,
) -> Result<Vec<PacketId>, Error> {
    let params = (tenant.as_str(), room.as_str(), before_id(before), limit);
    list(db, RECENT, params, |row| Columns::of(row).id())
}

/// A room's packets before an id, the latest first.
pub(super) fn recent_packets(
    db: &Connection,
    tenant: &TenantId,
    room: &Name,
    before: Option<PacketId>,
    limit: u32,
) -> Result<Vec<(PacketId, Packet)>, Error> {
    list(db, RECENT_PACKETS, (tenant.as_str(), room.as_str(), before_id(before), limit), rows::packet)
}

/// Packets that a user sent before an id, the latest first.
pub(super) fn sent(
    db: &Connection,
    tenant: &TenantId,
    user: &UserId,
    before: Option<PacketId>,
    limit: u32,
) -> Result<Vec<(PacketId, Packet)>, Error> {
    list(db, SENT, (tenant.as_str(), user.as_str(), before_id(before), limit), rows::packet)
}

/// A user's claims before a place, the latest first.
pub(super) fn received(
    db: &Connection,
    tenant: &TenantId,
    user: &UserId,
    before: Option<Place>,
    limit: u32,
) -> Result<Vec<Received>, Error> {
    let (time, id) = (before.map(|before| before.claimed_at_ms), before.map(|before| before.packet));
    let params = (tenant.as_str(), user.as_str(), bound(time), before_id(id), limit);
    list(db, RECEIVED, params, |row| {
        let mut columns = Columns::of(row);
        Ok(Received {
            packet: columns.id()?,
            room: columns.name()?,
            sender: columns.user()?,
            greeting: columns.text()?,
            claim: Claim {
                user: columns.user()?,
                amount: columns.amount()?,
                sequence: columns.number()?,
                claimed_at_ms: columns.number()?,
            },
        })
    })
}

/// Movements of a wallet before a place in the books, the latest first.
pub(super) fn statement(
    db: &Connection,
    tenant: &TenantId,
    user: &UserId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    list(db, STATEMENT, (tenant.as_str(), user.as_str(), bound(before), limit), |row| {
        let mut columns = Columns::of(row);
        let (id, kind) = (columns.number()?, columns.kind()?);
        let (packet, withdrawal) = (columns.optional_id()?, columns.optional_withdrawal_id()?);
        let amount = kind.to_wallet(columns.amount()?);
        Ok(Entry { id, kind, packet, withdrawal, amount, at_ms: columns.number()? })
    })
}

/// Reads a page of the books.
pub(super) fn check(db: &Connection) -> Result<(), Error> {
    db.prepare_cached("SELECT 1 FROM packets LIMIT 1")?.exists([]).map(drop)?;
    Ok(())
}
