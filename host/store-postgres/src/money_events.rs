//! Events of money: the rows of movements and claims below the places of all transactions that are under way.
//!
//! One statement, so one snapshot, answers all of it: where the reader stands, what comes after, and what may be told.
//! It walks the index of events of each table by places, and cuts each walk off in the middle of a transaction. So the
//! transactions at the edges are read whole: the one that the reader stands in, and the last of each walk. What order
//! events have within a transaction is known to the ids alone, by which they are sorted here.

use tokio_postgres::Row;

use super::error::Error;
use super::read::bound;
use super::rows::Columns;
use super::sessions::Client;
use hongbao_domain::{Claim, MoneyEvent, MoneyEventId, Moved, TenantId};
use hongbao_store::StoreError;

/// The condition that leads to the index of events of a table, and to no other: no other column of its is named.
macro_rules! of_tenant {
    () => {
        "hashtextextended(tenant, 0) = hashtextextended($1::text COLLATE \"C\", 0) AND place > 0
           AND tenant IS NOT DISTINCT FROM $1"
    };
}

/// A walk along the events of a table.
macro_rules! walk {
    ($table:literal) => {
        concat!(
            "SELECT * FROM hongbao.",
            $table,
            " WHERE ",
            of_tenant!(),
            " AND place > $2 AND place < (SELECT below FROM bound) ORDER BY place LIMIT $3"
        )
    };
}

/// The events of a table at the edges, and those of its walk that are not.
macro_rules! whole {
    ($table:literal, $walk:literal) => {
        concat!(
            "SELECT * FROM ",
            $walk,
            " WHERE place NOT IN (SELECT edge FROM edges)
              UNION ALL
             SELECT at_edge.* FROM edges CROSS JOIN LATERAL (
                 SELECT * FROM hongbao.",
            $table,
            " WHERE ",
            of_tenant!(),
            " AND place = edge OFFSET 0) AS at_edge"
        )
    };
}

/// Below which place everything is told: no transaction that is under way has a lower number.
macro_rules! bound {
    () => {
        "bound AS MATERIALIZED (
            SELECT shift + pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS below
              FROM hongbao.place_shift WHERE the_only)"
    };
}

/// The rows as both questions want them: of a claim no kind.
macro_rules! told {
    () => {
        "SELECT place, kind, id, packet, withdrawal, user_id, amount, at_ms, room, shares, expires_at_ms, greeting
           FROM told_movements
           CROSS JOIN LATERAL (
               SELECT max(room) AS room, max(shares) AS shares, max(expires_at_ms) AS expires_at_ms,
                      max(greeting) AS greeting
                 FROM hongbao.packets
                -- Of none for those that were not sent now.
                WHERE packets.id = CASE kind WHEN 'send' THEN told_movements.packet END AND packets.tenant = $1
               OFFSET 0) AS sent
          UNION ALL
         SELECT place, NULL, sequence, packet, NULL, user_id, amount, claimed_at_ms, NULL, NULL, NULL, NULL
           FROM told_claims"
    };
}

const AFTER: &str = concat!(
    "WITH ",
    bound!(),
    ", movements_walk AS MATERIALIZED (",
    walk!("movements"),
    "), claims_walk AS MATERIALIZED (",
    walk!("claims"),
    "), edges (edge) AS MATERIALIZED (
        SELECT $2::bigint WHERE $2 > 0
        UNION SELECT max(place) FROM movements_walk HAVING count(*) > 0
        UNION SELECT max(place) FROM claims_walk HAVING count(*) > 0
    ), told_movements AS (",
    whole!("movements", "movements_walk"),
    "), told_claims AS (",
    whole!("claims", "claims_walk"),
    ") ",
    told!()
);

macro_rules! last_of {
    ($table:literal) => {
        concat!(
            "(SELECT place FROM hongbao.",
            $table,
            " WHERE ",
            of_tenant!(),
            " AND place < (SELECT below FROM bound) ORDER BY place DESC LIMIT 1)"
        )
    };
}

const LAST: &str = concat!(
    "WITH ",
    bound!(),
    ", edges (edge) AS MATERIALIZED (SELECT max(place) FROM (",
    last_of!("movements"),
    " UNION ALL ",
    last_of!("claims"),
    ") AS lasts HAVING count(*) > 0), told_movements AS (",
    "SELECT at_edge.* FROM edges CROSS JOIN LATERAL (SELECT * FROM hongbao.movements WHERE ",
    of_tenant!(),
    " AND place = edge OFFSET 0) AS at_edge), told_claims AS (",
    "SELECT at_edge.* FROM edges CROSS JOIN LATERAL (SELECT * FROM hongbao.claims WHERE ",
    of_tenant!(),
    " AND place = edge OFFSET 0) AS at_edge) ",
    told!()
);

/// Events after this one, in their order; None where there is no such event.
pub(super) async fn after(
    client: &Client,
    tenant: &TenantId,
    after: Option<MoneyEventId>,
    limit: u32,
) -> Result<Option<Vec<MoneyEvent>>, Error> {
    let statement = client.prepare_cached(AFTER).await?;
    let place = after.map_or(0, |after| bound(after.place()));
    let rows = client.query(&statement, &[&tenant.as_str(), &place, &i64::from(limit)]).await?;
    let mut events = events(&rows)?;
    if let Some(after) = after {
        let Some(at) = events.iter().position(|event| event.id == after) else { return Ok(None) };
        events.drain(..=at);
    }
    events.truncate(limit as usize);
    Ok(Some(events))
}

/// The last event.
pub(super) async fn last(client: &Client, tenant: &TenantId) -> Result<Option<MoneyEventId>, Error> {
    let statement = client.prepare_cached(LAST).await?;
    let rows = client.query(&statement, &[&tenant.as_str()]).await?;
    Ok(events(&rows)?.last().map(|event| event.id))
}

/// In their order.
fn events(rows: &[Row]) -> Result<Vec<MoneyEvent>, Error> {
    let mut events = rows.iter().map(event).collect::<Result<Vec<_>, _>>()?;
    events.sort_unstable_by_key(|event| event.id);
    Ok(events)
}

fn event(row: &Row) -> Result<MoneyEvent, Error> {
    let mut columns = Columns::of(row);
    let place = columns.number()?;
    let kind = columns.optional_kind()?;
    let (id, packet): (u64, _) = (columns.number()?, columns.optional_id()?);
    let withdrawal = columns.optional_withdrawal_id()?;
    let (user, amount, at_ms) = (columns.user()?, columns.amount()?, columns.number()?);
    let event = match kind {
        Some(kind) => {
            let terms = columns.terms()?;
            MoneyEvent::moved(Moved { place, id, at_ms, kind, packet, withdrawal, user, amount, terms })
        }
        None => packet.zip(u32::try_from(id).ok()).map(|(packet, sequence)| {
            MoneyEvent::claimed(place, packet, Claim { user, amount, sequence, claimed_at_ms: at_ms })
        }),
    };
    event.ok_or_else(|| StoreError::Corrupt(format!("row {id} at the place {place} tells of nothing")).into())
}
