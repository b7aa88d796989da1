//! Places in the books that a sequence gives out. Nothing but the sequence keeps the places of movements apart: the
//! table is partitioned by the packet, so no index could hold them unique, and one for each partition would cost
//! every movement a write. A sequence that was set back, or restored without its value, gives places out again,
//! and whoever pages through a statement misses entries. So its value is compared with what is written.

use super::error::Error;
use super::settings::rows;

/// So many pages at the end of a partition are looked at. Movements are written one after the other and never
/// change, so the latest are there; the very last pages may be empty, since a table grows by up to 64 at a time.
const PAGES: u32 = 128;

/// Questions for the greatest place in the last pages of each partition.
const TAILS: &str = "
    SELECT format('SELECT max(id), max(place) FROM hongbao.%I WHERE ctid >= ''(%s,0)''', relname, greatest(
               pg_relation_size(c.oid) / current_setting('block_size')::bigint - $pages, 0))
      FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
     WHERE inhparent = to_regclass('hongbao.movements') AND has_table_privilege(c.oid, 'SELECT')
    UNION ALL SELECT 'SELECT 0, 0'";

/// Which of the two questions for the last place a user may ask. The first knows of one that was set anew and not
/// used since.
const MAY_READ: &str = "SELECT has_sequence_privilege('hongbao.movements_places', 'SELECT')";
const LAST: &str = "SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END FROM hongbao.movements_places";
const LAST_USED: &str = "SELECT pg_sequence_last_value('hongbao.movements_places'::regclass)";

/// The last place that was given out, where that can be known.
pub(super) async fn last(client: &tokio_postgres::Client) -> Result<Option<i64>, Error> {
    let sql = if one(client, MAY_READ).await? == "t" { LAST } else { LAST_USED };
    Ok(one(client, sql).await?.parse().ok())
}

/// The greatest numbers of the latest movements. Whoever compares them with what is given out next has read them before:
/// who writes meanwhile takes a number that was given out by then.
pub(super) struct Greatest {
    /// The place in the books.
    id: i64,
    /// The place of the event.
    pub(super) place: i64,
}

/// Reads the ends of all partitions.
pub(super) async fn greatest(client: &tokio_postgres::Client) -> Result<Greatest, Error> {
    let tails = rows(client, &TAILS.replace("$pages", &PAGES.to_string())).await?.join(" UNION ALL ");
    let sql = format!("SELECT concat_ws(' ', max(id), max(place)) FROM ({tails}) AS tails (id, place)");
    let found = one(client, &sql).await?;
    let mut numbers = found.split(' ').map(|number| number.parse().unwrap_or_default());
    Ok(Greatest { id: numbers.next().unwrap_or_default(), place: numbers.next().unwrap_or_default() })
}

/// What is wrong where places will be given out that are in use, with the remedy. The books must have been found
/// as they are made.
pub(super) async fn set_back(
    client: &tokio_postgres::Client,
    used: &Greatest,
) -> Result<Option<String>, Error> {
    let Greatest { id: greatest, .. } = *used;
    let Some(last) = last(client).await?.filter(|last| *last < greatest) else { return Ok(None) };
    Ok(Some(format!(
        "the sequence movements_places is at {last}, and movements have places up to {greatest}; SELECT \
         setval('hongbao.movements_places', (SELECT max(id) FROM hongbao.movements))"
    )))
}

async fn one(client: &tokio_postgres::Client, sql: &str) -> Result<String, Error> {
    Ok(rows(client, sql).await?.pop().unwrap_or_default())
}
