//! PgBouncer in front of PostgreSQL: in session mode nobody notices it, in any other it is told in one sentence.

use std::time::{Duration, Instant};

use hongbao_host::domain::{Audience, TenantId};
use hongbao_host::store::Registry;
use hongbao_host::store::postgres::{PostgresLedger, PostgresRegistry, Schema};
use hongbao_host::store::prelude::*;
use hongbao_tests::chat::{amount, user};
use hongbao_tests::servers::{PgBouncer, Postgres};

use super::books::{NOW, assert_in_order, fund, send, take};
use super::{fresh, open, server};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_session_mode_books_are_made_and_kept_without_further_settings() {
    let bouncer = PgBouncer::start(server(), "session", "");
    let name = server().fresh_database().rsplit('/').next().unwrap().to_owned();
    let url = bouncer.url(&name);
    assert_eq!(PostgresLedger::migrate(&url).await.unwrap(), Schema::Missing);
    let ledger = open(&url).await;
    fund(&ledger, "alice", 1_000).await;
    let packet = send(&ledger, 1, Audience::Everyone).await;
    take(&ledger, &packet, "bob", 10).await;
    assert_eq!(ledger.settle(10, NOW).await.unwrap().len(), 1);
    assert_eq!(ledger.balance(&TenantId::default(), &user("bob")).await.unwrap(), amount(10));
    assert_eq!(PostgresRegistry::open(&url).await.unwrap().revision().await.unwrap(), 0);
    assert_in_order(&ledger).await;
    // What a session is set to does not stay for whoever gets it next.
    drop(ledger);
    let next = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(next.1);
    let shown = next.0.query_one("SHOW enable_seqscan", &[]).await.unwrap();
    assert_eq!(shown.get::<_, String>(0), "on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_a_pooler_leads_to_heals_as_any_other() {
    let own = Postgres::start_with(&["-c", "fsync=off"]);
    let bouncer = PgBouncer::start(&own, "session", "server_login_retry = 1");
    let name = own.fresh_database().rsplit('/').next().unwrap().to_owned();
    PostgresLedger::migrate(&bouncer.url(&name)).await.unwrap();
    let ledger = open(&bouncer.url(&name)).await;
    fund(&ledger, "alice", 7).await;
    own.restart();
    let begun = Instant::now();
    while ledger.check().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the ledger heals by itself");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ledger.balance(&TenantId::default(), &user("alice")).await.unwrap(), amount(7));
}

/// Ways to configure a pooler that gives each transaction another session.
const OTHERS: [(&str, &str); 5] = [
    ("transaction", ""),
    ("transaction", "server_round_robin = 1"),
    ("transaction", "default_pool_size = 1"),
    ("transaction", "min_pool_size = 5"),
    ("statement", ""),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_any_other_mode_it_is_refused_in_one_sentence() {
    for (mode, more) in OTHERS {
        let bouncer = PgBouncer::start(server(), mode, more);
        let name = fresh().await;
        let url = bouncer.url(&name);
        for refused in [
            PostgresLedger::open(&url).await.err(),
            PostgresLedger::migrate(&url).await.err(),
            PostgresRegistry::open(&url).await.err(),
        ] {
            let refused = refused.unwrap_or_else(|| panic!("{mode} {more} was accepted"));
            let told = refused.to_string();
            assert_eq!(refused.code(), "ledger-pooler", "{mode} {more}: {told}");
            assert!(
                refused.is_lasting() && told.contains("pool_mode = session") && !told.contains('\n'),
                "{told}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pooler_that_others_keep_busy_is_seen_through_as_well() {
    let bouncer = PgBouncer::start(server(), "transaction", "default_pool_size = 6");
    let name = fresh().await;
    let url = bouncer.url(&name);
    let others = (0..4).map(|_| {
        let url = url.clone();
        tokio::spawn(async move {
            let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            loop {
                client.batch_execute("SELECT pg_sleep(0.001)").await.unwrap();
            }
        })
    });
    let others: Vec<_> = others.collect();
    for _ in 0..20 {
        let refused = PostgresLedger::open(&url).await.err().expect("it is no session of ours");
        assert_eq!(refused.code(), "ledger-pooler", "{refused}");
    }
    others.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn options_that_a_pooler_does_not_pass_on_are_named() {
    let bouncer = PgBouncer::start(server(), "session", "");
    let url = format!("{}?options=-c%20statement_timeout%3D1000", bouncer.url(&fresh().await));
    let refused = PostgresLedger::open(&url).await.err().expect("it is refused");
    let told = refused.to_string();
    assert_eq!(refused.code(), "ledger-url", "{told}");
    assert!(told.contains("options") && told.contains("take that part out"), "{told}");
}

#[tokio::test]
async fn a_pooler_that_knows_no_such_database_or_reaches_no_server_says_so() {
    let bouncer = PgBouncer::start(server(), "session", "");
    let refused = PostgresLedger::open(&bouncer.url("nowhere")).await.err().expect("there is none");
    assert_eq!(refused.code(), "ledger-not-admitted", "{refused}");
    assert!(refused.to_string().contains("nowhere"), "{refused}");
    bouncer.kill();
    let refused = PostgresLedger::open(&bouncer.url("nowhere")).await.err().expect("nobody answers");
    assert_eq!(refused.code(), "ledger-unavailable", "{refused}");
}
