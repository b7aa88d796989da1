//! What every session is set to, whatever the server, the database, the role or a pooler say.
//!
//! Settings are sent when a session begins, in one round trip, and not as options of its start: poolers such as
//! PgBouncer refuse those. Which settings: all that change what a statement of ours means, which plan it gets or how
//! long it may take. Three can only be set by a superuser or by whom one has granted it; where one of these is wrong
//! and cannot be set back, the session is of no use, since guards of the books would be silent in it.

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::error::SqlState;

use super::error::{Error, Unfit};

/// Anybody may set these.
///
/// Index lookups only: a plan that was made while a table was small is kept, and must be right when it is large.
/// Compiling plans takes longer than running ours. `row_security = off` makes a statement fail that would be shown
/// only some of the rows. `idle_session_timeout` would end connections that the pool keeps.
const SETTINGS: &str = "
    SET synchronous_commit = on;
    SET default_transaction_isolation = 'read committed';
    SET default_transaction_deferrable = off;
    SET search_path = pg_catalog;
    SET row_security = off;
    SET client_encoding = 'UTF8';
    SET standard_conforming_strings = on;
    SET transform_null_equals = off;
    SET quote_all_identifiers = off;
    SET exit_on_error = off;
    SET enable_seqscan = off;
    SET enable_indexscan = on;
    SET enable_indexonlyscan = on;
    SET enable_bitmapscan = on;
    SET enable_nestloop = on;
    SET enable_sort = on;
    SET enable_partition_pruning = on;
    SET plan_cache_mode = force_generic_plan;
    SET jit = off;
    SET statement_timeout = 3500;
    SET lock_timeout = 2000;
    SET idle_in_transaction_session_timeout = 10000;
    SET idle_session_timeout = 0;
    SELECT set_config('transaction_timeout', '0', false)
     WHERE current_setting('transaction_timeout', true) IS NOT NULL;";

/// Switches of the server, and how they must be.
const SWITCHES: [(&str, &str); 3] = [
    ("session_replication_role", "origin"),
    ("zero_damaged_pages", "off"),
    ("ignore_checksum_failure", "off"),
];

/// What a switch that is not as it must be does.
fn consequence(switch: &str) -> &'static str {
    match switch {
        "session_replication_role" => "which switches the triggers off that guard the books",
        _ => "which makes damaged pages look empty",
    }
}

/// Sets a new session. It may run neither our statements nor anybody else's of ours before.
pub(super) async fn apply(client: &tokio_postgres::Client) -> Result<(), Error> {
    // A superuser sets the switches in any case: then no change of the server's configuration reaches this session.
    let switches = SWITCHES.map(|(name, value)| format!("set_config('{name}', '{value}', false)")).join(", ");
    let shown = SWITCHES.map(|(name, _)| format!("current_setting('{name}')")).join(" || ' ' || ");
    let sql = format!(
        "{SETTINGS}
         SELECT {switches} WHERE (SELECT rolsuper FROM pg_roles WHERE rolname = current_user);
         SELECT current_setting('server_encoding') || ' ' || {shown}"
    );
    let told = rows(client, &sql).await?.pop().unwrap_or_default();
    let mut told = told.split(' ');
    let encoding = told.next().unwrap_or_default();
    if encoding != "UTF8" {
        return Err(Unfit::Encoding(encoding.to_owned()).into());
    }
    for ((switch, must_be), is) in SWITCHES.into_iter().zip(told) {
        if is != must_be {
            set_back(client, switch, must_be, is).await?;
        }
    }
    Ok(())
}

/// Sets a switch as whoever was granted to; where that is not allowed, says where it was set.
async fn set_back(
    client: &tokio_postgres::Client,
    switch: &str,
    must_be: &str,
    is: &str,
) -> Result<(), Error> {
    match client.batch_execute(&format!("SET {switch} = {must_be}")).await {
        Ok(()) => {
            tracing::warn!(
                "PostgreSQL starts sessions with {switch} = {is}, {}; ours set it back",
                consequence(switch)
            );
            Ok(())
        }
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            Err(silenced(client, switch).await?.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// A switch that is wrong in this session, with whoever set it and how to undo that.
pub(super) async fn silenced(client: &tokio_postgres::Client, switch: &str) -> Result<Unfit, Error> {
    let is = rows(client, &format!("SELECT current_setting('{switch}')")).await?.pop().unwrap_or_default();
    let (place, remedy) = source(client, switch).await?;
    Ok(Unfit::Damaged(format!("{switch} is {is} {place}, {}; {remedy}", consequence(switch))))
}

/// Who sets a switch for sessions like ours, and how to undo that.
const SOURCES: &str = "
    SELECT concat_ws(E'\t', setdatabase <> 0, setrole <> 0, quote_ident(current_database()), quote_ident(session_user))
      FROM pg_db_role_setting
     WHERE setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
       AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
       AND EXISTS (SELECT FROM unnest(setconfig) AS set WHERE set LIKE '%switch=%')
     ORDER BY setrole <> 0 AND setdatabase <> 0 DESC, setrole <> 0 DESC LIMIT 1";

async fn source(client: &tokio_postgres::Client, switch: &str) -> Result<(String, String), Error> {
    let found = rows(client, &SOURCES.replace("%switch", switch)).await?.pop().unwrap_or_default();
    let parts: Vec<&str> = found.split('\t').collect();
    Ok(match parts.as_slice() {
        ["t", "t", database, role] => (
            format!("for the role {role} in the database {database}"),
            format!("ALTER ROLE {role} IN DATABASE {database} RESET {switch}"),
        ),
        ["t", "f", database, _] => {
            (format!("for the database {database}"), format!("ALTER DATABASE {database} RESET {switch}"))
        }
        ["f", "t", _, role] => (format!("for the role {role}"), format!("ALTER ROLE {role} RESET {switch}")),
        ["f", "f", ..] => ("for all roles".into(), format!("ALTER ROLE ALL RESET {switch}")),
        _ => (
            "by the server's configuration".into(),
            format!("ALTER SYSTEM RESET {switch}, or take it out of postgresql.conf"),
        ),
    })
}

/// Whether sessions that anybody else begins on this database have silent guards; None where they have not.
pub(super) async fn silent_for_others(client: &tokio_postgres::Client) -> Result<Option<String>, Error> {
    let switch = "session_replication_role";
    if rows(client, &SOURCES.replace("%switch=%", "session_replication_role=replica")).await?.is_empty() {
        return Ok(None);
    }
    let (place, remedy) = source(client, switch).await?;
    Ok(Some(format!("{switch} is replica {place}, {}; {remedy}", consequence(switch))))
}

/// The first column of every row that a statement, or several, give. In the simple protocol, which any pooler
/// passes on as it is.
pub(super) async fn rows(client: &tokio_postgres::Client, sql: &str) -> Result<Vec<String>, Error> {
    let messages = client.simple_query(sql).await?;
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) if !row.is_empty() => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    Ok(messages.iter().filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use hongbao_store::patience;

    #[test]
    fn the_server_gives_up_before_its_caller() {
        let setting = |name: &str, time: Duration| format!("SET {name} = {};", time.as_millis());
        assert!(SETTINGS.contains(&setting("statement_timeout", patience::STATEMENT)));
        assert!(SETTINGS.contains(&setting("lock_timeout", patience::LOCK)));
    }
}
