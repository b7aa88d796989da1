//! Places of events: the numbers of the server's transactions, plus a shift.
//!
//! A dump that is restored brings rows with places, and the server that it is restored into counts transactions of its
//! own: places that are given out then may be below those in use, and whoever has read those would never hear of what
//! happens next. So the shift must be raised before anything is written. That a dump was restored shows in the row of the
//! shift, which a restored table has from another transaction than the row says; and in the latest movements, whose
//! places are then above those of the transactions to come.

use super::error::Error;
use super::sequences::Greatest;
use super::settings::rows;

/// Whether the row was written where it is: a copy has the number of another transaction.
const IS_HERE: &str =
    "SELECT count(*) FROM hongbao.place_shift WHERE xmin::text::bigint = raised_in & 4294967295";

/// Whoever keeps the records alone need not see it.
const MAY_READ: &str = "SELECT has_table_privilege('hongbao.place_shift', 'SELECT')";

/// The place of the next transaction that begins to write.
const NEXT: &str = "
    SELECT coalesce(max(shift), 0) + pg_snapshot_xmax(pg_current_snapshot())::text::bigint FROM hongbao.place_shift";

const REMEDY: &str = "`hongbao migrate` goes on above all that are in use";

/// What is wrong where events would be given places below those in use, with the remedy. The books must have been found
/// as they are made.
pub(super) async fn lag(client: &tokio_postgres::Client, used: &Greatest) -> Result<Option<String>, Error> {
    if one(client, MAY_READ).await? != "t" {
        return Ok(None);
    }
    if one(client, IS_HERE).await? != "1" {
        return Ok(Some(format!("the places of events come from another server, by a dump; {REMEDY}")));
    }
    let used = used.place;
    let next: i64 = one(client, NEXT).await?.parse().unwrap_or_default();
    Ok((used >= next)
        .then(|| format!("events have places up to {used}, and the next one would be {next}; {REMEDY}")))
}

/// Goes on above all places in use, for which it reads all of them.
pub(super) async fn start(client: &tokio_postgres::Client) -> Result<(), Error> {
    client.batch_execute("SELECT hongbao.start_places()").await?;
    tracing::warn!("the places of events go on above those that were restored");
    Ok(())
}

async fn one(client: &tokio_postgres::Client, sql: &str) -> Result<String, Error> {
    Ok(rows(client, sql).await?.pop().unwrap_or_default())
}
