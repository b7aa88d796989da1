//! The ledger in PostgreSQL.

mod books;
mod bringing;
mod encoding;
mod failures;
mod guards;
mod health;
mod history;
mod listed;
mod looking_back;
mod money_events;
mod opening;
mod plans;
mod pooling;
mod refusals;
mod registry;
mod tls;
mod withdrawals;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use hongbao_host::store::conformance;
use hongbao_host::store::postgres::PostgresLedger;
use hongbao_tests::servers::Postgres;
use tokio::sync::OnceCell;

/// One server for the tests that do not harm it. It need not survive a power failure.
fn server() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start_with(&["-c", "fsync=off"]))
}

/// The name of a database of its own, which has books.
async fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    static BOOKS: OnceCell<()> = OnceCell::const_new();
    let migrated = BOOKS.get_or_init(async || {
        server().psql("postgres", "CREATE DATABASE books");
        PostgresLedger::migrate(&server().url("books")).await.unwrap();
    });
    migrated.await;
    let name = format!("books_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    server().psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE books"));
    name
}

async fn open(url: &str) -> PostgresLedger {
    PostgresLedger::open(url).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgres_ledger_conforms() {
    conformance::ledger(async || (Arc::new(open(&server().url(&fresh().await)).await) as _, ())).await;
}
