//! What users look back on costs as much as it shows, and a key of a funding holds between hosts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use hongbao_host::domain::{Audience, Name, TenantId};
use hongbao_host::store::Funded;
use hongbao_host::store::Ledger;
use hongbao_host::store::postgres::PostgresLedger;
use hongbao_host::store::prelude::*;
use hongbao_tests::chat::{amount, user};
use hongbao_tests::servers::Postgres;

use super::books::{Books, NOW, assert_in_order, id, send, take};
use super::{open, server};

fn keys(count: usize) -> Vec<Name> {
    (0..count).map(|number| Name::new(format!("key {number}")).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_fund_once_for_each_key() {
    let books = Books::new().await;
    let other = open(&server().url(&books.name)).await;
    let both: [&dyn Ledger; 2] = [&*books.ledger, &other];
    let (tenant, bob, keys) = (TenantId::default(), user("bob"), keys(20));
    let fundings =
        (0..120).map(|turn| both[turn % 2].fund(&tenant, &bob, amount(1), Some(&keys[turn / 6]), NOW));
    let told = try_join_all(fundings).await.unwrap();
    assert_eq!(told.iter().filter(|told| matches!(told, Funded::Funded(_))).count(), 20);
    assert_eq!(told.iter().filter(|told| matches!(told, Funded::Replayed(_))).count(), 100);
    assert_eq!(other.balance(&tenant, &bob).await.unwrap(), amount(20));
    drop(books.ledger);
    let again = open(&server().url(&books.name)).await;
    for key in &keys {
        let told = again.fund(&tenant, &bob, amount(1), Some(key), NOW + 1).await.unwrap();
        assert_eq!(told, Funded::Replayed(amount(20)));
    }
    assert_in_order(&again).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fundings_that_a_death_of_the_server_cut_off_are_made_once() {
    let server = Postgres::start();
    let url = server.fresh_database();
    PostgresLedger::migrate(&url).await.unwrap();
    let ledger = Arc::new(open(&url).await);
    let (tenant, bob, keys) = (TenantId::default(), user("bob"), keys(40));
    let funding = keys.clone().into_iter().map(|key| {
        let (ledger, tenant, bob) = (Arc::clone(&ledger), tenant.clone(), bob.clone());
        tokio::spawn(async move { ledger.fund(&tenant, &bob, amount(1), Some(&key), NOW).await.is_ok() })
    });
    let funding: Vec<_> = funding.collect();
    while ledger.balance(&tenant, &bob).await.unwrap() < amount(3) {}
    server.kill();
    let mut acknowledged = Vec::new();
    for (key, funding) in keys.iter().zip(funding) {
        acknowledged.extend(funding.await.unwrap().then_some(key));
    }
    server.restart();
    let begun = Instant::now();
    while ledger.check().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "the ledger heals by itself");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for key in &keys {
        let told = ledger.fund(&tenant, &bob, amount(1), Some(key), NOW).await.unwrap();
        let is_kept = matches!(told, Funded::Replayed(_)) || !acknowledged.contains(&key);
        assert!(is_kept, "{key} was acknowledged, and now {told:?}");
    }
    assert_eq!(ledger.balance(&tenant, &bob).await.unwrap(), amount(40));
    assert_in_order(&*ledger).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_a_funding_writes_a_key_and_no_funding_is_without_its_money() {
    let books = Books::new().await;
    let by_hand = "INSERT INTO hongbao.fundings VALUES ('key', 'default', 'bob', 7, 1)";
    books.try_sql(by_hand).unwrap();
    let (tenant, bob) = (TenantId::default(), user("bob"));
    assert_eq!(books.ledger.balance(&tenant, &bob).await.unwrap(), amount(7), "it is posted by itself");
    let refused = books.try_sql(by_hand).unwrap_err();
    assert!(refused.contains("fundings_"), "{refused}");
    for amount in [0, -7] {
        let sql = format!("INSERT INTO hongbao.fundings VALUES ('other', 'default', 'bob', {amount}, 1)");
        assert!(books.try_sql(&sql).unwrap_err().contains("movements"), "{amount}");
    }
    assert_in_order(&*books.ledger).await;
}

/// How many rows of a table were read, by indexes and without: what sessions count, they tell when they
/// end.
async fn rows_read(name: &str, table: &str) -> u64 {
    const SESSIONS: &str =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND backend_type = 'client backend'";
    let begun = Instant::now();
    while server().psql(name, SESSIONS).trim() != "0" {
        assert!(begun.elapsed() < Duration::from_secs(10), "sessions end with their ledger");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sum = format!(
        "SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname ~ '^{table}_[0-7]$')
              + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname ~ '^{table}_[0-7]$')"
    );
    server().psql(name, &sum).trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_reads_no_more_than_it_shows() {
    const PACKETS: u128 = 120;
    const SHOWN: u32 = 5;
    let Books { ledger, name } = Books::new().await;
    for number in 1..=PACKETS {
        let packet = send(&*ledger, number, Audience::Everyone).await;
        take(&*ledger, &packet, "bob", 3).await;
    }
    ledger.settle(1_000, NOW).await.unwrap();
    drop(ledger);
    let (tenant, alice, bob) = (TenantId::default(), user("alice"), user("bob"));
    for table in ["orders", "claims", "movements"] {
        // Whoever opens it looks at the latest movements.
        let ledger = open(&server().url(&name)).await;
        let before = rows_read(&name, table).await;
        let shown = match table {
            "orders" => ledger.sent(&tenant, &alice, Some(id(100)), SHOWN).await.unwrap().len(),
            "claims" => ledger.received(&tenant, &bob, None, SHOWN).await.unwrap().len(),
            _ => ledger.statement(&tenant, &alice, None, SHOWN).await.unwrap().len(),
        };
        assert_eq!(shown, SHOWN as usize);
        drop(ledger);
        let read = rows_read(&name, table).await - before;
        // Of each of 8 parts the latest, and one more for each that is shown.
        assert!((u64::from(SHOWN)..=u64::from(SHOWN) + 8).contains(&read), "{read} rows of {table}");
    }
}
