//! Which history of the books a database tells, and what its clock shows.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hongbao_host::store::postgres::PostgresLedger;
use hongbao_host::store::prelude::*;
use hongbao_tests::servers::Postgres;

use super::{fresh, open, server};

fn name(ledger: &PostgresLedger) -> String {
    ledger.history().name().unwrap().to_string()
}

#[tokio::test]
async fn a_promoted_standby_goes_on_in_another_history() {
    let primary = Postgres::start_with(&["-c", "fsync=off"]);
    let url = primary.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let standby = Postgres::standby(&primary);
    let database = url.rsplit('/').next().unwrap();
    let both =
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{database}", primary.port(), standby.port());
    let ledger = open(&both).await;
    ledger.check().await.unwrap();
    let before = name(&ledger);
    assert_eq!(name(&open(&url).await), before, "whoever connects sees the same");
    let followed = ledger.history();
    primary.kill();
    standby.promote();
    let begun = std::time::Instant::now();
    // Any call will do: whoever makes a connection learns where it leads.
    while ledger.backlog().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the standby is not used");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_ne!(name(&ledger), before);
    assert_eq!(followed.name().as_deref(), Some(name(&ledger).as_str()));
}

#[tokio::test]
async fn books_that_are_made_or_restored_anew_are_another_history() {
    let (one, other) = (fresh().await, fresh().await);
    let ledger = open(&server().url(&one)).await;
    let first = name(&ledger);
    assert_ne!(name(&open(&server().url(&other)).await), first, "a copy of a database is another one");
    // As `pg_restore` makes it: the same texts, and other tables.
    server().psql(&one, "DROP SCHEMA hongbao CASCADE");
    PostgresLedger::migrate(&server().url(&one)).await.unwrap();
    assert_ne!(name(&open(&server().url(&one)).await), first);
    assert_eq!(name(&ledger), first, "nobody has told it yet");
    ledger.check().await.unwrap();
    assert_ne!(name(&ledger), first, "a check finds out, on connections that are there already");
}

#[tokio::test]
async fn an_ordinary_user_sees_the_history_and_one_with_less_has_one_as_well() {
    let server = Postgres::start_with(&["-c", "fsync=off"]);
    server.psql("postgres", "CREATE ROLE keeper LOGIN");
    server.psql("postgres", "CREATE DATABASE kept OWNER keeper");
    let url = format!("postgres://keeper@127.0.0.1:{}/kept", server.port());
    PostgresLedger::migrate(&url).await.unwrap();
    let seen = name(&open(&url).await);
    assert_eq!(name(&open(&server.url("kept")).await), seen, "a superuser sees no more");
    server.psql("kept", "REVOKE EXECUTE ON FUNCTION pg_control_system(), pg_current_wal_lsn() FROM PUBLIC");
    let less = open(&url).await;
    less.check().await.unwrap();
    assert_ne!(name(&less), seen);
}

#[tokio::test]
async fn the_servers_clock_is_told_and_none_of_the_books_goes_by_it() {
    let ledger = open(&server().url(&fresh().await)).await;
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let there = u128::from(ledger.server_ms().await.unwrap().expect("a server has a clock"));
    assert!(there.abs_diff(here) < 10_000, "{there} and {here}");
}
