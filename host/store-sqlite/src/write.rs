//! Operations that change the books. Each runs inside the gatherer's transaction: it decides
//! on what that transaction sees, writes, and is undone alone if a write is refused.

use rusqlite::{Connection, OptionalExtension, params};

use super::error::Error;
use super::read;
use super::rows::{self, Columns, packet_columns, stored};
use hongbao_domain::{Amount, Name, Order, Packet, PacketId, PacketKey, Priority, Share, TenantId, UserId};
use hongbao_store::{Claimed, Closed, Funded, Loaded, Receipt, Recorded, Refusal, StoreError, checks};

/// Writes a packet. The key is looked at first: a repeated order is the same packet, even where
/// the wallet is empty by now.
pub(super) fn record(
    db: &Connection,
    tenant: &TenantId,
    id: PacketId,
    order: &Order,
    now_ms: u64,
) -> Result<Recorded, Error> {
    if let Some((id, before)) = find_by_key(db, tenant, &order.sender, &order.key)? {
        let receipt = Receipt { id, expires_at_ms: before.expires_at_ms };
        return Ok(if before.order == *order { Recorded::Replayed(receipt) } else { Recorded::KeyReused });
    }
    let held = rows::balance(db, tenant, &order.sender)?;
    if held < order.total {
        return Ok(Recorded::InsufficientFunds(held));
    }
    let expires_at_ms = now_ms.saturating_add(order.expires_in_ms);
    insert_packet(db, tenant, id, order, now_ms, expires_at_ms)?;
    Ok(Recorded::Recorded(Receipt { id, expires_at_ms }))
}

/// The packet of this key of its sender.
pub(super) fn find_by_key(
    db: &Connection,
    tenant: &TenantId,
    sender: &UserId,
    key: &Name,
) -> Result<Option<(PacketId, Packet)>, Error> {
    const SQL: &str =
        concat!("SELECT ", packet_columns!(), " FROM packets WHERE tenant = ?1 AND sender = ?2 AND key = ?3");
    let mut statement = db.prepare_cached(SQL)?;
    let key = (tenant.as_str(), sender.as_str(), key.as_str());
    Ok(statement.query_row(key, rows::packet).optional()?)
}

/// The debit is the database's: a trigger posts it as the packet is written.
fn insert_packet(
    db: &Connection,
    tenant: &TenantId,
    id: PacketId,
    order: &Order,
    now_ms: u64,
    expires_at_ms: u64,
) -> Result<(), Error> {
    const SQL: &str =
        "INSERT INTO packets (tenant, id, key, room, sender, strategy, total, shares, max_share,
                           audience, audience_users, greeting, expires_in_ms, sent_at_ms, expires_at_ms)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let (audience, users) = rows::audience(&order.audience);
    db.prepare_cached(SQL)?.execute(params![
        tenant.as_str(),
        id.to_bytes(),
        order.key.as_str(),
        order.room.as_str(),
        order.sender.as_str(),
        order.strategy.as_str(),
        order.total.as_i64(),
        order.shares,
        order.max_share.as_i64(),
        audience,
        users,
        order.greeting,
        stored(order.expires_in_ms)?,
        stored(now_ms)?,
        stored(expires_at_ms)?,
    ])?;
    Ok(())
}

/// Claims shares, all or none.
pub(super) fn claim(
    db: &Connection,
    key: &PacketKey,
    expected_version: u64,
    shares: &[Share],
    now_ms: u64,
) -> Result<Claimed, Error> {
    let Some(packet) = rows::find_packet(db, key)? else {
        return Ok(Claimed::Refused(Refusal::NotFound));
    };
    if let Some(over) = checks::is_over(&packet, now_ms) {
        return Ok(over);
    }
    let claims = read::claims_of(db, key, shares.iter().map(|share| &share.user))?;
    if packet.version != expected_version {
        return Ok(Claimed::Stale(Loaded { packet, claims }));
    }
    let has_claimed = |share: &Share| claims.iter().any(|claim| claim.user == share.user);
    if let Some(refusal) = checks::claim(&packet, shares, has_claimed) {
        return Ok(Claimed::Refused(refusal));
    }
    raise_version(db, key, expected_version)?;
    let first = packet.claimed_shares + 1;
    insert_claims(db, key, first, shares, now_ms)?;
    Ok(Claimed::Committed(first))
}

fn raise_version(db: &Connection, key: &PacketKey, expected: u64) -> Result<(), Error> {
    const SQL: &str = "UPDATE packets SET version = version + 1
                       WHERE tenant = ?1 AND id = ?2 AND status = 'open' AND version = ?3";
    let mut statement = db.prepare_cached(SQL)?;
    let changed = statement.execute((key.tenant.as_str(), key.packet.to_bytes(), stored(expected)?))?;
    exactly_one(changed, key)
}

/// Counting and queueing are the database's: triggers do both as a claim is written.
fn insert_claims(
    db: &Connection,
    key: &PacketKey,
    first: u32,
    shares: &[Share],
    now_ms: u64,
) -> Result<(), Error> {
    const SQL: &str = "INSERT INTO claims (tenant, packet, user, sequence, amount, priority, claimed_at_ms)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut statement = db.prepare_cached(SQL)?;
    let (tenant, packet, now) = (key.tenant.as_str(), key.packet.to_bytes(), stored(now_ms)?);
    for (sequence, share) in (first..).zip(shares) {
        let large = share.priority == Priority::Large;
        statement.execute(params![
            tenant,
            packet,
            share.user.as_str(),
            sequence,
            share.amount.as_i64(),
            large,
            now
        ])?;
    }
    Ok(())
}

/// Ends a packet. The refund is the database's: a trigger posts it as the packet ends.
pub(super) fn close(
    db: &Connection,
    key: &PacketKey,
    expected_version: u64,
    now_ms: u64,
) -> Result<Closed, Error> {
    let Some(packet) = rows::find_packet(db, key)? else {
        return Ok(Closed::NotFound);
    };
    if let Some(answer) = checks::close(&packet, expected_version, now_ms) {
        return Ok(answer);
    }
    let amount = packet.remaining();
    expire(db, key, expected_version, amount, now_ms).map_err(|error| match error.is_refusal() {
        true => checks::refused_refund(key).into(),
        false => error,
    })?;
    Ok(Closed::Refunded(amount))
}

fn expire(
    db: &Connection,
    key: &PacketKey,
    expected: u64,
    refunded: Amount,
    now_ms: u64,
) -> Result<(), Error> {
    const SQL: &str = "UPDATE packets
                       SET status = 'expired', refunded = ?4, version = version + 1, ended_at_ms = ?5
                       WHERE tenant = ?1 AND id = ?2 AND status = 'open' AND version = ?3";
    let mut statement = db.prepare_cached(SQL)?;
    let (tenant, packet) = (key.tenant.as_str(), key.packet.to_bytes());
    let changed =
        statement.execute((tenant, packet, stored(expected)?, refunded.as_i64(), stored(now_ms)?))?;
    exactly_one(changed, key)
}

/// A write that was meant for one packet must have changed one: the transaction has just read it.
fn exactly_one(changed: usize, key: &PacketKey) -> Result<(), Error> {
    match changed {
        1 => Ok(()),
        _ => Err(StoreError::Corrupt(format!("{changed} rows of packet {} changed", key.packet)).into()),
    }
}

/// Credits a wallet from outside. The key is looked at first: a repeated funding is the same one,
/// even where the wallet has no room for another by now.
pub(super) fn fund(
    db: &Connection,
    tenant: &TenantId,
    user: &UserId,
    amount: Amount,
    key: Option<&Name>,
    now_ms: u64,
) -> Result<Funded, Error> {
    let held = rows::balance(db, tenant, user)?;
    if let Some(key) = key
        && let Some(before) = funding(db, tenant, key)?
    {
        let is_same = before == (user.clone(), amount);
        return Ok(if is_same { Funded::Replayed(held) } else { Funded::KeyReused });
    }
    let after = held.checked_add(amount).filter(|_| !amount.is_zero());
    let after = after.ok_or_else(|| checks::refused_funding(amount))?;
    insert_funding(db, tenant, user, amount, key, now_ms)?;
    Ok(Funded::Funded(after))
}

/// What was funded under this key.
fn funding(db: &Connection, tenant: &TenantId, key: &Name) -> Result<Option<(UserId, Amount)>, Error> {
    const SQL: &str = "SELECT user, amount FROM fundings WHERE tenant = ?1 AND key = ?2";
    let mut statement = db.prepare_cached(SQL)?;
    let found = statement.query_row((tenant.as_str(), key.as_str()), |row| {
        let mut columns = Columns::of(row);
        Ok((columns.user()?, columns.amount()?))
    });
    Ok(found.optional()?)
}

/// With a key, the credit is the database's: a trigger posts it as the key is written.
fn insert_funding(
    db: &Connection,
    tenant: &TenantId,
    user: &UserId,
    amount: Amount,
    key: Option<&Name>,
    now_ms: u64,
) -> Result<(), Error> {
    const PLAIN: &str =
        "INSERT INTO movements (tenant, kind, user, amount, at_ms) VALUES (?1, 'fund', ?2, ?3, ?4)";
    const KEYED: &str = "INSERT INTO fundings (tenant, user, amount, at_ms, key) VALUES (?1, ?2, ?3, ?4, ?5)";
    let (tenant, user, amount, now) = (tenant.as_str(), user.as_str(), amount.as_i64(), stored(now_ms)?);
    match key {
        None => db.prepare_cached(PLAIN)?.execute((tenant, user, amount, now))?,
        Some(key) => db.prepare_cached(KEYED)?.execute((tenant, user, amount, now, key.as_str()))?,
    };
    Ok(())
}
