//! Detection of poolers that do not keep a session for each connection.
//!
//! Such a pooler (`pool_mode = transaction` or `statement` of PgBouncer) keeps settings and prepared statements of
//! ours in sessions that others get, and gives us theirs. Nothing in the protocol tells; so we look whether a session
//! is ours alone as long as we are connected: another connection must never get it, and we no other.

use tokio_postgres::Client;

use super::connector::Connector;
use super::error::{Error, Unfit};
use super::settings::rows;

/// A pooler hands sessions out in an order of its own, and others take them in between.
const ROUNDS: usize = 12;

const WHICH: &str = "SELECT pg_backend_pid()";

/// Refuses a pooler that does not keep one session for one connection.
pub(super) async fn check(connector: &Connector, ours: &Client) -> Result<(), Error> {
    let session = which(ours, WHICH).await?;
    let (another, task) = connector.connect().await?;
    let kept = async {
        for _ in 0..ROUNDS {
            // While its transaction is open, it keeps whatever session it was given.
            let others = which(&another, &format!("BEGIN; {WHICH}")).await?;
            // Looked at first: where there is but one session for all, we would wait for it.
            if others == session || which(ours, WHICH).await? != session {
                return Ok::<_, Error>(false);
            }
            another.batch_execute("ROLLBACK").await?;
        }
        Ok(true)
    };
    let kept = kept.await;
    drop(another);
    // How it ends says nothing that the answer does not.
    let _ = task.await;
    if kept? { Ok(()) } else { Err(Unfit::Pooled.into()) }
}

/// In which session a connection is. A pooler that changes it with every statement refuses a transaction.
async fn which(client: &Client, sql: &str) -> Result<String, Error> {
    match rows(client, sql).await {
        Ok(mut told) => Ok(told.pop().unwrap_or_default()),
        Err(error) if error.to_string().contains("statement pooling") => Err(Unfit::Pooled.into()),
        Err(error) => Err(error),
    }
}
