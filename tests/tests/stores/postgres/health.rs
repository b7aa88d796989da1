//! Whether a database takes writes, and what becomes of a caller for whom there is no time or no room.

use std::time::{Duration, Instant};

use hongbao_host::domain::{Audience, TenantId};
use hongbao_host::store::postgres::{PostgresLedger, PostgresRegistry};
use hongbao_host::store::prelude::*;
use hongbao_host::store::{Registry, StoreError, WritesRefused};
use hongbao_tests::chat::{amount, user};
use hongbao_tests::servers::Postgres;

use super::books::{NOW, assert_in_order, fund, send, take};
use super::{fresh, open, server};

fn reason<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    let error = answer.expect_err("it takes no writes");
    assert_eq!(error.code(), "unavailable", "{error}");
    error.writes_refused().map(WritesRefused::reason).unwrap_or_else(|| panic!("{error}")).to_owned()
}

/// Asks until there is an answer that is right.
async fn becomes(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(10), "never came: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_set_read_only_while_it_is_used_refuses_writes_and_heals() {
    let server = Postgres::start_with(&["-c", "fsync=off"]);
    let url = server.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let (ledger, registry) = (open(&url).await, PostgresRegistry::open(&url).await.unwrap());
    fund(&ledger, "alice", 1_000).await;
    let packet = send(&ledger, 1, Audience::Everyone).await;
    ledger.check().await.unwrap();
    registry.check().await.unwrap();
    let set = |value: &str| {
        server.psql("postgres", &format!("ALTER SYSTEM SET default_transaction_read_only = {value}"));
        server.psql("postgres", "SELECT pg_reload_conf()");
    };
    set("on");
    becomes("it refuses", async || ledger.check().await.is_err()).await;
    let words = "the database is read-only: it is a standby, or was set so";
    assert_eq!(reason(ledger.check().await), words);
    assert_eq!(reason(registry.check().await), words);
    let funded = ledger.fund(&TenantId::default(), &user("alice"), amount(1), None, NOW).await;
    assert_eq!(reason(funded), words);
    set("off");
    becomes("it heals", async || ledger.check().await.is_ok() && registry.check().await.is_ok()).await;
    take(&ledger, &packet, "bob", 10).await;
    assert_in_order(&ledger).await;
}

#[tokio::test]
async fn a_check_needs_new_space_and_leaves_little_behind() {
    let name = fresh().await;
    let ledger = open(&server().url(&name)).await;
    let pages = || -> u64 {
        let bytes = server().psql(&name, "SELECT pg_relation_size('hongbao.health')");
        bytes.trim().parse::<u64>().unwrap() / 8192
    };
    let mut before = pages();
    for _ in 0..5 {
        ledger.check().await.unwrap();
        let after = pages();
        assert_eq!(after, before + 1, "a page that was not there before");
        before = after;
    }
    for _ in 0..260 {
        ledger.check().await.unwrap();
    }
    assert!(pages() < 20, "it is emptied: {} pages", pages());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_half_way_leaves_no_connection_that_is_in_use() {
    let name = fresh().await;
    let ledger = open(&server().url(&name)).await;
    fund(&ledger, "alice", 1_000).await;
    let blocker = Blocker::lock(&name, "hongbao.fundings, hongbao.movements").await;
    // As many as there are connections, each with a statement that waits.
    let hasty = (0..8).map(|_| {
        let (tenant, alice) = (TenantId::default(), user("alice"));
        let ledger = &ledger;
        async move {
            let funding = ledger.fund(&tenant, &alice, amount(1), None, NOW);
            tokio::time::timeout(Duration::from_millis(300), funding).await
        }
    });
    let answers = futures::future::join_all(hasty).await;
    assert!(answers.iter().all(Result::is_err), "they wait for the lock: {answers:?}");
    let begun = Instant::now();
    assert_eq!(ledger.balance(&TenantId::default(), &user("alice")).await.unwrap(), amount(1_000));
    assert!(begun.elapsed() < Duration::from_secs(1), "nobody waits behind them: {:?}", begun.elapsed());
    blocker.release().await;
    fund(&ledger, "alice", 1).await;
    assert_in_order(&ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_all_connections_in_use_is_told_busy_and_not_unavailable() {
    let name = fresh().await;
    let ledger = open(&server().url(&name)).await;
    fund(&ledger, "alice", 1_000).await;
    let blocker = Blocker::lock(&name, "hongbao.fundings, hongbao.movements").await;
    let (tenant, alice) = (TenantId::default(), user("alice"));
    let fundings = (0..20).map(|_| ledger.fund(&tenant, &alice, amount(1), None, NOW));
    let begun = Instant::now();
    let codes = futures::future::join_all(fundings).await;
    let took = begun.elapsed();
    blocker.release().await;
    let count =
        |code| codes.iter().filter(|answer| answer.as_ref().is_err_and(|error| error.code() == code)).count();
    assert_eq!(count("busy") + count("unavailable"), 20, "{codes:?}");
    // Of eight connections the watch of the guards may have one.
    assert!((12..=13).contains(&count("busy")), "{codes:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    assert_eq!(ledger.balance(&tenant, &alice).await.unwrap(), amount(1_000), "none was carried out");
    assert_in_order(&ledger).await;
}

/// Somebody who holds a lock on tables.
struct Blocker {
    client: tokio_postgres::Client,
    connection: tokio::task::JoinHandle<()>,
}

impl Blocker {
    async fn lock(database: &str, tables: &str) -> Self {
        let url = server().url(database);
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(async { connection.await.unwrap() });
        client.batch_execute(&format!("BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")).await.unwrap();
        Self { client, connection }
    }

    async fn release(self) {
        self.client.batch_execute("ROLLBACK").await.unwrap();
        drop(self.client);
        self.connection.await.unwrap();
    }
}
