//! Events of money: walks along the places of movements and of claims. Each row has a place of its own, and one program
//! writes at a time, so what is read is all that there is up to the last of it.

use rusqlite::{Connection, Row};

use super::error::Error;
use super::rows::{Columns, claim_columns};
use hongbao_domain::{MoneyEvent, MoneyEventId, Moved, MovementKind, TenantId, Terms};

/// What [`moved`] reads, in its order; each packet by its key.
macro_rules! movements {
    ($by:literal) => {
        concat!(
            "SELECT movements.place, movements.id, kind, packet, withdrawal, user, amount, at_ms,
                    room, shares, expires_at_ms, greeting
               FROM movements INDEXED BY movements_told
                    LEFT JOIN packets ON packets.tenant = movements.tenant AND packets.id = movements.packet
                          AND movements.kind = 'send'
              WHERE movements.tenant = ?1 AND place > 0 AND ",
            $by
        )
    };
}

macro_rules! claims {
    ($by:literal) => {
        concat!(
            "SELECT place, packet, ",
            claim_columns!(),
            " FROM claims INDEXED BY claims_told WHERE tenant = ?1 AND place > 0 AND ",
            $by
        )
    };
}

// From the event that the reader knows, which must be there still.
pub(super) const MOVEMENTS: &str = movements!("place >= ?2 ORDER BY place LIMIT ?3");
pub(super) const CLAIMS: &str = claims!("place >= ?2 ORDER BY place LIMIT ?3");
pub(super) const LAST_MOVEMENT: &str = movements!("place <= ?2 ORDER BY place DESC LIMIT ?3");
pub(super) const LAST_CLAIM: &str = claims!("place <= ?2 ORDER BY place DESC LIMIT ?3");

/// Events after this one, in their order; None where there is no such event.
pub(super) fn after(
    db: &Connection,
    tenant: &TenantId,
    after: Option<MoneyEventId>,
    limit: u32,
) -> Result<Option<Vec<MoneyEvent>>, Error> {
    let (known, from) = match after {
        None => (0, 1),
        // A place past what a column holds is that of no event.
        Some(after) => match i64::try_from(after.place()) {
            Ok(place) => (1, place),
            Err(_) => return Ok(None),
        },
    };
    let count = i64::from(limit) + known;
    let mut events = told(db, [MOVEMENTS, CLAIMS], tenant, from, count)?;
    events.sort_unstable_by_key(|event| event.id);
    if let Some(after) = after {
        match events.first() {
            Some(first) if first.id == after => _ = events.remove(0),
            _ => return Ok(None),
        }
    }
    events.truncate(limit as usize);
    Ok(Some(events))
}

/// The last event.
pub(super) fn last(db: &Connection, tenant: &TenantId) -> Result<Option<MoneyEventId>, Error> {
    let lasts = told(db, [LAST_MOVEMENT, LAST_CLAIM], tenant, i64::MAX, 1)?;
    Ok(lasts.into_iter().map(|event| event.id).max())
}

fn told(
    db: &Connection,
    [movements, claims]: [&str; 2],
    tenant: &TenantId,
    place: i64,
    count: i64,
) -> Result<Vec<MoneyEvent>, Error> {
    let params = (tenant.as_str(), place, count);
    let mut statement = db.prepare_cached(movements)?;
    let mut events = statement.query_map(params, moved)?.collect::<Result<Vec<_>, _>>()?;
    let mut statement = db.prepare_cached(claims)?;
    for claim in statement.query_map(params, claimed)? {
        events.push(claim?);
    }
    Ok(events)
}

fn moved(row: &Row<'_>) -> Result<MoneyEvent, rusqlite::Error> {
    let mut columns = Columns::of(row);
    let (place, id, kind, packet) =
        (columns.number()?, columns.number()?, columns.kind()?, columns.optional_id()?);
    let withdrawal = columns.optional_withdrawal_id()?;
    let (user, amount, at_ms) = (columns.user()?, columns.amount()?, columns.number()?);
    let terms = match kind {
        MovementKind::Send => Some(Terms {
            room: columns.name()?,
            shares: columns.number()?,
            expires_at_ms: columns.number()?,
            greeting: columns.text()?,
        }),
        _ => None,
    };
    let moved = Moved { place, id, at_ms, kind, packet, withdrawal, user, amount, terms };
    MoneyEvent::moved(moved).ok_or_else(|| columns.untold())
}

fn claimed(row: &Row<'_>) -> Result<MoneyEvent, rusqlite::Error> {
    let mut columns = Columns::of(row);
    let (place, packet) = (columns.number()?, columns.id()?);
    Ok(MoneyEvent::claimed(place, packet, columns.claim()?))
}
