//! The service's records in PostgreSQL.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hongbao_host::domain::{Name, Suspension, TenantId};
use hongbao_host::store::postgres::{OpenError, PostgresLedger, PostgresRegistry};
use hongbao_host::store::{
    AdminEntry, Answer, Begun, Registry, RequestKey, StoreError, TenantRecord, conformance,
};
use hongbao_tests::servers::{Mode, Postgres, Proxy};

use super::books::NOW;
use super::{fresh, server};

/// A call that cannot be answered says so within this time.
const BOUND: Duration = Duration::from_secs(8);

async fn open(url: &str) -> PostgresRegistry {
    PostgresRegistry::open(url).await.unwrap()
}

fn request(key: &str) -> RequestKey {
    RequestKey { tenant: Some(TenantId::default()), key: Name::new(key).unwrap() }
}

fn tenant() -> TenantRecord {
    TenantRecord {
        id: TenantId::default(),
        revision: 0,
        settings: "{}".into(),
        plugin: None,
        former: None,
        suspension: Suspension::default(),
        declared: None,
        created_at_ms: NOW,
    }
}

fn entry() -> AdminEntry {
    AdminEntry {
        at_ms: NOW,
        by: None,
        tenant: None,
        action: "tenant.create".into(),
        subject: "default".into(),
        outcome: "ok".into(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgres_registry_conforms() {
    conformance::registry(async || (Arc::new(open(&server().url(&fresh().await)).await) as _, ())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_on_one_database_are_one_and_it_is_the_same_opened_again() {
    let url = server().url(&fresh().await);
    conformance::durable_registry(async || Arc::new(open(&url).await) as _).await;
}

#[tokio::test]
async fn records_are_opened_where_the_books_are_made_and_whole() {
    let url = server().fresh_database();
    assert!(matches!(PostgresRegistry::open(&url).await, Err(OpenError::Missing { .. })));
    PostgresLedger::migrate(&url).await.unwrap();
    let _both = (open(&url).await, super::open(&url).await);
    let database = url.rsplit('/').next().unwrap();
    server().psql(database, "ALTER TABLE hongbao.notes DISABLE TRIGGER notes_are_kept");
    assert!(matches!(PostgresRegistry::open(&url).await, Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn who_may_keep_books_alone_opens_the_books_alone() {
    let url = server().fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let database = url.rsplit('/').next().unwrap();
    server().psql(
        database,
        "CREATE ROLE keeper LOGIN; GRANT USAGE ON SCHEMA hongbao TO keeper;
         GRANT ALL ON ALL TABLES IN SCHEMA hongbao TO keeper; GRANT ALL ON ALL SEQUENCES IN SCHEMA hongbao TO keeper;
         REVOKE INSERT ON hongbao.requests FROM keeper",
    );
    let url = format!("postgres://keeper@127.0.0.1:{}/{database}", server().port());
    PostgresLedger::open(&url).await.unwrap();
    assert!(matches!(PostgresRegistry::open(&url).await, Err(OpenError::NotPermitted { .. })));
}

#[tokio::test]
async fn the_database_keeps_what_must_not_change() {
    let database = fresh().await;
    let registry = open(&server().url(&database)).await;
    registry.note(entry()).await.unwrap();
    registry.put_tenant(tenant()).await.unwrap();
    server().psql(
        &database,
        "INSERT INTO hongbao.api_keys
         VALUES ('\\x0000000000000001', '', NULL, 'ci', 1, decode(repeat('00', 32), 'hex'), 1, NULL, 5)",
    );
    for (sql, rule) in [
        ("UPDATE hongbao.notes SET outcome = 'ok'", "what was written down is kept"),
        ("DELETE FROM hongbao.notes", "what was written down is kept"),
        ("TRUNCATE hongbao.notes", "what was written down is kept"),
        ("UPDATE hongbao.numbers SET value = 0", "a number only rises"),
        ("DELETE FROM hongbao.numbers", "a number only rises"),
        ("UPDATE hongbao.api_keys SET scopes = 15", "a key changes only by being revoked"),
        ("UPDATE hongbao.api_keys SET revoked_at_ms = NULL", "a revoked key stays revoked"),
        ("UPDATE hongbao.tenants SET former = 'a'", "a_former_plugin_is_one"),
    ] {
        let refused = server().try_psql(&database, sql).unwrap_err();
        assert!(refused.contains(rule), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn lists_are_read_from_their_own_index() {
    let database = fresh().await;
    // As sessions of ours are set.
    let plan = |sql: &str| server().psql(&database, &format!("SET enable_seqscan = off; EXPLAIN {sql}"));
    let keys = "SELECT * FROM hongbao.api_keys WHERE scopes >= 0 AND tenant <= 'a' AND (tenant, id) > ('a', '') ORDER BY tenant, id LIMIT 5";
    let notes = "SELECT * FROM hongbao.notes WHERE tenant >= 'a' AND (tenant, place) < ('a', 7)
                 ORDER BY tenant DESC, place DESC LIMIT 5";
    for (sql, index) in [
        (keys, "api_keys_of_an_owner"),
        (notes, "notes_of_a_tenant"),
        ("SELECT * FROM hongbao.notes WHERE place < 7 ORDER BY place DESC LIMIT 5", "notes_pkey"),
        ("SELECT * FROM hongbao.tenants ORDER BY id", "tenants_pkey"),
        ("DELETE FROM hongbao.api_keys WHERE expires_at_ms < 7", "api_keys_by_their_end"),
        ("DELETE FROM hongbao.requests WHERE begun_at_ms < 7", "requests_by_their_beginning"),
    ] {
        let plan = plan(sql);
        assert!(plan.contains(index), "{sql}: {plan}");
        assert!(!sql.starts_with("SELECT") || !plan.contains("Sort"), "{sql}: {plan}");
    }
}

async fn unavailable<T: std::fmt::Debug>(call: impl Future<Output = Result<T, StoreError>>) {
    let asked = Instant::now();
    let answer = call.await;
    assert!(asked.elapsed() < BOUND, "an answer takes {:?}", asked.elapsed());
    assert_eq!(answer.map_err(|error| error.code()).unwrap_err(), "unavailable");
}

async fn healed(registry: &PostgresRegistry) {
    let begun = Instant::now();
    while registry.check().await.is_err() {
        assert!(begun.elapsed() < BOUND, "the registry heals by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_that_is_cut_or_silent_is_unavailable_and_heals() {
    let url = server().url(&fresh().await);
    let proxy = Proxy::start(server().address());
    let registry = open(&proxy.through(&url)).await;
    assert_eq!(registry.begin(&request("one"), [1; 32], NOW).await.unwrap(), Begun::New);
    let two = request("two");
    for mode in [Mode::Refuse, Mode::Blackhole] {
        proxy.set(mode);
        tokio::join!(
            unavailable(registry.begin(&two, [1; 32], NOW)),
            unavailable(registry.put_tenant(tenant())),
            unavailable(registry.check()),
        );
        proxy.set(Mode::Pass);
        healed(&registry).await;
    }
    proxy.cut();
    healed(&registry).await;
    assert_eq!(registry.begin(&request("one"), [1; 32], NOW).await.unwrap(), Begun::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_reply_was_lost_is_found_by_asking_again() {
    let url = server().url(&fresh().await);
    let proxy = Proxy::start(server().address());
    let registry = open(&proxy.through(&url)).await;
    // Statements are prepared by then, so the next message that is lost is the answer itself.
    let made = registry.put_tenant(tenant()).await.unwrap().unwrap();
    let suspension = Suspension { by_operator: true, by_tenant: true };
    let suspended = TenantRecord { revision: made, suspension, ..tenant() };
    proxy.set(Mode::DropReplies);
    unavailable(registry.put_tenant(suspended.clone())).await;
    proxy.set(Mode::Pass);
    healed(&registry).await;
    assert_eq!(registry.put_tenant(suspended.clone()).await.unwrap(), None, "it had been written");
    let found = registry.tenants().await.unwrap();
    assert_eq!(found, [TenantRecord { revision: made + 1, ..suspended }]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_the_death_of_the_server() {
    let server = Postgres::start();
    let url = server.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let registry = open(&url).await;
    let answer = Answer { status: 201, body: b"{}".to_vec() };
    registry.begin(&request("one"), [1; 32], NOW).await.unwrap();
    registry.answer(&request("one"), [1; 32], answer.clone(), NOW).await.unwrap();
    registry.note(entry()).await.unwrap();
    let revision = registry.put_tenant(tenant()).await.unwrap().unwrap();
    server.kill();
    unavailable(registry.begin(&request("two"), [1; 32], NOW)).await;
    server.restart();
    healed(&registry).await;
    let begun = registry.begin(&request("one"), [1; 32], NOW).await.unwrap();
    assert_eq!(begun, Begun::Answered(answer));
    assert_eq!(registry.notes(None, None, 9).await.unwrap(), [(1, entry())]);
    assert_eq!(registry.tenants().await.unwrap(), [TenantRecord { revision, ..tenant() }]);
}
