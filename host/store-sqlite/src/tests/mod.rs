//! The ledger as a whole, and what only this ledger has: a file, and a database that refuses.

mod batches;
mod beside;
mod bringing;
mod files;
mod guards;
mod lists;
mod opening;
mod refusals;
mod refusing;
mod registry;
mod withdrawals;

use std::sync::Arc;

use rusqlite::Connection;
use tempfile::TempDir;

use super::migrate::BOOKS;
use super::{SqliteLedger, open};
use hongbao_domain::{
    Amount, Audience, Name, Order, PacketId, PacketKey, Priority, Share, Strategy, TenantId, UserId,
};
use hongbao_store::prelude::*;
use hongbao_store::{Claimed, Funded, Recorded, conformance};

const NOW: u64 = 1_750_000_000_000;
const LIFE: u64 = 1_000;

fn amount(minor: u64) -> Amount {
    Amount::new(minor).unwrap()
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// A ledger with a directory of its own.
struct Books {
    ledger: SqliteLedger,
    directory: TempDir,
}

impl Books {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { ledger: SqliteLedger::open(directory.path()).unwrap(), directory }
    }

    /// Another connection, with the settings of the writer's.
    fn connection(&self) -> Connection {
        open::writer(self.directory.path(), BOOKS).unwrap().0
    }

    async fn fund(&self, name: &str, minor: u64) {
        self.ledger.fund(&TenantId::default(), &user(name), amount(minor), None, NOW).await.unwrap();
    }

    /// Records a packet of alice's under the id that is this number.
    async fn send(&self, id: u8, total: u64, shares: u32, audience: Audience) -> PacketKey {
        let key = PacketKey { tenant: TenantId::default(), packet: PacketId::from_halves(0, id.into()) };
        let order = Order {
            key: Name::new(format!("key {id}")).unwrap(),
            room: Name::new("room").unwrap(),
            sender: user("alice"),
            strategy: Strategy::DOUBLE_AVERAGE,
            total: amount(total),
            shares,
            max_share: amount(total),
            audience,
            greeting: "恭喜发财".into(),
            expires_in_ms: LIFE,
        };
        let recorded = self.ledger.record(&key.tenant, key.packet, order, NOW).await.unwrap();
        assert!(matches!(recorded, Recorded::Recorded(_)), "{recorded:?}");
        key
    }

    /// Claims the next share of a packet.
    async fn claim(&self, key: &PacketKey, name: &str, minor: u64) {
        let version = self.ledger.load(key, &[]).await.unwrap().unwrap().packet.version;
        let share = Share { user: user(name), amount: amount(minor), priority: Priority::Normal };
        let claimed = self.ledger.claim(key, version, vec![share], NOW).await.unwrap();
        assert!(matches!(claimed, Claimed::Committed(_)), "{claimed:?}");
    }

    async fn assert_in_order(&self) {
        let audit = self.ledger.audit(&TenantId::default()).await.unwrap();
        assert!(audit.is_conserved(), "{audit:?}");
        assert_eq!(self.ledger.verify(&TenantId::default()).await.unwrap(), []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_does_what_every_ledger_does() {
    conformance::ledger(async || {
        let directory = tempfile::tempdir().unwrap();
        let ledger = SqliteLedger::open(directory.path()).unwrap();
        (Arc::new(ledger) as _, directory)
    })
    .await;
}

#[tokio::test]
async fn two_ledgers_on_one_directory_are_one_ledger() {
    let books = Books::new();
    let other = SqliteLedger::open(books.directory.path()).unwrap();
    let (tenant, alice) = (TenantId::default(), user("alice"));
    let both = [&books.ledger, &other];
    let fundings = (0..50).map(|turn| both[turn % 2].fund(&tenant, &alice, amount(1), None, NOW));
    futures::future::try_join_all(fundings).await.unwrap();
    for ledger in both {
        assert_eq!(ledger.balance(&tenant, &alice).await.unwrap(), amount(50));
    }
}

#[tokio::test]
async fn two_ledgers_on_one_directory_fund_once_for_each_key() {
    let books = Books::new();
    let other = SqliteLedger::open(books.directory.path()).unwrap();
    let (tenant, alice) = (TenantId::default(), user("alice"));
    let both = [&books.ledger, &other];
    let keys: Vec<_> = (0..10).map(|number| Name::new(format!("key {number}")).unwrap()).collect();
    let fundings =
        (0..60).map(|turn| both[turn % 2].fund(&tenant, &alice, amount(1), Some(&keys[turn / 6]), NOW));
    let told = futures::future::try_join_all(fundings).await.unwrap();
    assert_eq!(told.iter().filter(|told| matches!(told, Funded::Funded(_))).count(), 10);
    assert_eq!(told.iter().filter(|told| matches!(told, Funded::Replayed(_))).count(), 50);
    assert_eq!(books.ledger.balance(&tenant, &alice).await.unwrap(), amount(10));
}

#[tokio::test]
async fn a_key_is_used_for_good_after_opening_again() {
    let Books { ledger, directory } = Books::new();
    let (tenant, alice, key) = (TenantId::default(), user("alice"), Name::new("key").unwrap());
    ledger.fund(&tenant, &alice, amount(10), Some(&key), NOW).await.unwrap();
    drop(ledger);
    let ledger = SqliteLedger::open(directory.path()).unwrap();
    let fund = async |minor| ledger.fund(&tenant, &alice, amount(minor), Some(&key), NOW + 1).await.unwrap();
    assert_eq!(fund(10).await, Funded::Replayed(amount(10)));
    assert_eq!(fund(11).await, Funded::KeyReused);
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_opening_again() {
    let books = Books::new();
    books.fund("alice", 100).await;
    let key = books.send(1, 100, 2, Audience::Only([user("bob"), user("carol")].into())).await;
    books.claim(&key, "bob", 30).await;
    let before = books.ledger.load(&key, &[user("bob")]).await.unwrap();
    let Books { ledger, directory } = books;
    drop(ledger);
    let ledger = SqliteLedger::open(directory.path()).unwrap();
    assert_eq!(ledger.load(&key, &[user("bob")]).await.unwrap(), before);
}

#[tokio::test]
async fn a_change_behind_our_back_is_found() {
    let books = Books::new();
    books.fund("alice", 100).await;
    let key = books.send(1, 100, 2, Audience::Everyone).await;
    books.claim(&key, "bob", 30).await;
    let db = books.connection();
    // What no trigger can tell from its own work.
    db.execute_batch(
        "UPDATE wallets SET balance = 7 WHERE user = 'alice'; UPDATE escrows SET balance = 99;
         DROP TRIGGER the_outbox_is_emptied_by_settlement; DELETE FROM outbox;
         DROP TRIGGER a_packet_counts_its_claims; UPDATE packets SET claimed_amount = 31;",
    )
    .unwrap();
    let found = books.ledger.verify(&TenantId::default()).await.unwrap();
    let found: Vec<_> = found.iter().map(|found| (found.rule, found.expected, found.found)).collect();
    let expected = [
        ("the file has all its guards", 0, 1),
        ("a balance is the sum of its postings", 0, 7),
        ("a balance is the sum of its postings", 100, 99),
        ("what a packet gave is the sum of its claims", 30, 31),
        ("a claim is settled, or waits for it", 30, 0),
        ("escrow holds what remains and what waits for settlement", 69, 99),
    ];
    assert_eq!(found, expected);
    let told = books.ledger.audit(&TenantId::default()).await.unwrap_err().to_string();
    assert!(told.contains("a_packet_counts_its_claims") && told.contains("the_outbox_is"), "{told}");
}
