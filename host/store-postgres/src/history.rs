//! The history of a PostgreSQL database.
//!
//! Three things name it. The system's identifier and the timeline: a standby that is promoted and a backup
//! that is restored with its WAL go on in a timeline of their own. And the number of the table of packets: a
//! dump that is restored makes another table. They are looked at whenever a connection is made, since whoever
//! was promoted is connected to anew, and in every check. A synchronous standby has lost nothing and has
//! another timeline as well: then counters are built again, which costs some questions to the ledger.

use super::error::Error;
use super::settings::rows;
use hongbao_store::History;

/// Which table it is, in which database.
const TABLE: &str = "
    SELECT concat_ws('/', (SELECT oid FROM pg_database WHERE datname = current_database()),
                     to_regclass('hongbao.packets')::oid)";

/// What a server says of itself, and the functions that say so. Anybody may call them unless somebody has
/// taken that away.
const OF_SERVER: [(&str, &[&str]); 2] = [
    ("SELECT system_identifier FROM pg_control_system()", &["pg_control_system()"]),
    (
        "SELECT CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END",
        &["pg_walfile_name(pg_lsn)", "pg_current_wal_lsn()"],
    ),
];

/// Looks which history it is.
pub(super) async fn learn(client: &tokio_postgres::Client, history: &History) -> Result<(), Error> {
    let mut identity = one(client, TABLE).await?;
    for (sql, functions) in OF_SERVER {
        identity.push('/');
        if may_call(client, functions).await? {
            identity.push_str(&one(client, sql).await?);
        } else if history.name().is_none() {
            tracing::warn!(
                "the ledger's user may not call {}: after a fail-over to a standby that was behind, or after a \
                 restore, counters must be emptied by hand (docs/operations.md, Backups)",
                functions.join(", ")
            );
        }
    }
    let is_first = history.name().is_none();
    if history.goes_on_as(&identity) && !is_first {
        tracing::warn!(
            "the ledger goes on in another history: a standby was promoted, or a backup restored. Counters of the \
             former one are built again. If anything may have been lost, audit and reconcile each tenant"
        );
    }
    Ok(())
}

async fn may_call(client: &tokio_postgres::Client, functions: &[&str]) -> Result<bool, Error> {
    let may = functions.iter().map(|function| format!("has_function_privilege('{function}', 'EXECUTE')"));
    let sql = format!("SELECT {}", may.collect::<Vec<_>>().join(" AND "));
    Ok(one(client, &sql).await? == "t")
}

async fn one(client: &tokio_postgres::Client, sql: &str) -> Result<String, Error> {
    Ok(rows(client, sql).await?.pop().unwrap_or_default())
}
