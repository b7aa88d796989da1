//! The write probe of a database: a small write that is committed, and that needs new space.
//!
//! A database may answer reads and refuse writes: it is a standby, it was set read-only, its disk or
//! its tablespace is full. A write into a page that has room would not notice the last of these, so each
//! row of the probe needs a page of its own.

use super::error::Error;
use super::sessions::Client;

/// More than half of a page, and stored in the row itself.
const FILLER: [u8; 4200] = [0; 4200];
/// After so many rows the table is emptied: it has at most 2 MiB.
const KEPT: i64 = 256;

/// Writes one row.
pub(super) async fn write(client: &Client) -> Result<(), Error> {
    const INSERT: &str = "INSERT INTO hongbao.health (filler) VALUES ($1) RETURNING number";
    let statement = client.prepare_cached(INSERT).await?;
    let number: i64 = client.query_one(&statement, &[&FILLER.as_slice()]).await?.try_get(0)?;
    if number % KEPT == 0 {
        empty(client).await;
    }
    Ok(())
}

/// The next round tries again, so what goes wrong here is no reason to say that writes are refused.
async fn empty(client: &Client) {
    let emptied = match client.batch_execute("TRUNCATE hongbao.health").await {
        // Somebody who does not own the table may still delete from it.
        Err(_) => client.batch_execute("DELETE FROM hongbao.health").await,
        emptied => emptied,
    };
    if let Err(error) = emptied {
        tracing::debug!("the table of health checks was not emptied: {error}");
    }
}
