//! Questions, each answered from one snapshot.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Error;
use super::rows::{self, Columns, claim_columns};
use hongbao_domain::{Claim, PacketId, PacketKey, TenantId, UserId};
use hongbao_store::{Due, Loaded};

/// A packet and the claims of these users.
pub(super) fn load(db: &Connection, key: &PacketKey, users: &[UserId]) -> Result<Option<Loaded>, Error> {
    let Some(packet) = rows::find_packet(db, key)? else {
        return Ok(None);
    };
    let claims = if packet.claimed_shares == 0 { Vec::new() } else { claims_of(db, key, users)? };
    Ok(Some(Loaded { packet, claims }))
}

/// The claims of these users, in the order of claiming.
pub(super) fn claims_of<'u>(
    db: &Connection,
    key: &PacketKey,
    users: impl IntoIterator<Item = &'u UserId>,
) -> Result<Vec<Claim>, Error> {
    const SQL: &str =
        concat!("SELECT ", claim_columns!(), " FROM claims WHERE tenant = ?1 AND packet = ?2 AND user = ?3");
    let mut statement = db.prepare_cached(SQL)?;
    let (tenant, packet) = (key.tenant.as_str(), key.packet.to_bytes());
    let mut claims = Vec::new();
    for user in users {
        claims.extend(statement.query_row((tenant, packet, user.as_str()), rows::claim).optional()?);
    }
    claims.sort_unstable_by_key(|claim| claim.sequence);
    // Whoever is asked for twice is still one.
    claims.dedup_by_key(|claim| claim.sequence);
    Ok(claims)
}

/// Claims after a sequence, in their order.
pub(super) fn claims(db: &Connection, key: &PacketKey, cursor: u32, limit: u32) -> Result<Vec<Claim>, Error> {
    const SQL: &str = concat!(
        "SELECT ",
        claim_columns!(),
        " FROM claims WHERE tenant = ?1 AND packet = ?2 AND sequence > ?3 ORDER BY sequence LIMIT ?4"
    );
    let mut statement = db.prepare_cached(SQL)?;
    let params = (key.tenant.as_str(), key.packet.to_bytes(), cursor, limit);
    let claims = statement.query_map(params, rows::claim)?.collect::<Result<_, _>>()?;
    Ok(claims)
}

/// Open packets past their time, of one tenant or of all, the oldest first.
pub(super) fn due(
    db: &Connection,
    tenant: Option<&TenantId>,
    now_ms: u64,
    cursor: Option<&Due>,
    limit: u32,
) -> Result<Vec<Due>, Error> {
    // Before every packet is one of no time, no tenant and the empty id: a shorter blob sorts first.
    const SQL: &str = "SELECT expires_at_ms, tenant, id FROM packets
                       WHERE status = 'open' AND expires_at_ms <= ?2 AND (?1 IS NULL OR tenant = ?1)
                         AND (expires_at_ms, tenant, id) > (?3, ?4, ?5)
                       ORDER BY expires_at_ms, tenant, id LIMIT ?6";
    let mut statement = db.prepare_cached(SQL)?;
    // Past what a column holds, everything is due.
    let bound = |number| i64::try_from(number).unwrap_or(i64::MAX);
    let packet = cursor.map(|cursor| cursor.key.packet.to_bytes());
    let after = cursor.map_or(0, |cursor| bound(cursor.expires_at_ms));
    let after_tenant = cursor.map_or("", |cursor| cursor.key.tenant.as_str());
    let after_id = packet.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    let params = params![tenant.map(TenantId::as_str), bound(now_ms), after, after_tenant, after_id, limit];
    let due = statement.query_map(params, |row| {
        let mut columns = Columns::of(row);
        let expires_at_ms = columns.number()?;
        Ok(Due { expires_at_ms, key: PacketKey { tenant: columns.tenant()?, packet: columns.id()? } })
    })?;
    Ok(due.collect::<Result<_, _>>()?)
}

/// Open packets of a tenant after an id, in the order of their ids.
pub(super) fn open_packets(
    db: &Connection,
    tenant: &TenantId,
    cursor: Option<PacketId>,
    limit: u32,
) -> Result<Vec<PacketId>, Error> {
    // Before every id is the empty one: a shorter blob sorts first.
    const SQL: &str = "SELECT id FROM packets WHERE tenant = ?1 AND status = 'open' AND id > ?2
                       ORDER BY id LIMIT ?3";
    let mut statement = db.prepare_cached(SQL)?;
    let cursor = cursor.map(PacketId::to_bytes);
    let after = cursor.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    let ids = statement.query_map((tenant.as_str(), after, limit), |row| Columns::of(row).id())?;
    Ok(ids.collect::<Result<_, _>>()?)
}
