//! Books in small: alice has money, and her packets are of 100 in 3 shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hongbao_host::domain::{
    Audience, Name, Order, PacketId, PacketKey, Priority, Share, Strategy, TenantId, UserId,
};
use hongbao_host::store::postgres::PostgresLedger;
use hongbao_host::store::{Claimed, Funded, Ledger, Recorded, StoreError};
use hongbao_tests::chat::{amount, user};

use super::{fresh, open, server};

pub const NOW: u64 = 1_750_000_000_000;
pub const LIFE: u64 = 1_000;

pub struct Books {
    pub ledger: Arc<PostgresLedger>,
    /// Of the database, on the server that all tests share.
    pub name: String,
}

impl Books {
    pub async fn new() -> Self {
        let name = fresh().await;
        let ledger = Arc::new(open(&server().url(&name)).await);
        fund(&*ledger, "alice", 1_000_000).await;
        Self { ledger, name }
    }

    /// What `psql` says to a statement.
    pub fn try_sql(&self, sql: &str) -> Result<String, String> {
        server().try_psql(&self.name, sql)
    }
}

pub fn key(packet: PacketId) -> PacketKey {
    PacketKey { tenant: TenantId::default(), packet }
}

pub fn id(number: u128) -> PacketId {
    PacketId::from_bytes(number.to_be_bytes())
}

pub async fn fund(ledger: &dyn Ledger, name: &str, minor: u64) -> Funded {
    ledger.fund(&TenantId::default(), &user(name), amount(minor), None, NOW).await.unwrap()
}

pub fn order(shares: u32, total: u64, audience: Audience) -> Order {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Order {
        key: Name::new(format!("key {}", NEXT.fetch_add(1, Ordering::Relaxed))).unwrap(),
        room: Name::new("room").unwrap(),
        sender: user("alice"),
        strategy: Strategy::DOUBLE_AVERAGE,
        total: amount(total),
        shares,
        max_share: amount(total),
        audience,
        greeting: String::new(),
        expires_in_ms: LIFE,
    }
}

/// Sends alice's packet of 100 in 3 shares.
pub async fn send(ledger: &dyn Ledger, number: u128, audience: Audience) -> PacketKey {
    let order = order(3, 100, audience);
    let recorded = ledger.record(&TenantId::default(), id(number), order, NOW).await.unwrap();
    assert!(matches!(recorded, Recorded::Recorded(_)), "{recorded:?}");
    key(id(number))
}

pub async fn claim(
    ledger: &dyn Ledger,
    key: &PacketKey,
    version: u64,
    name: &str,
    minor: u64,
) -> Result<Claimed, StoreError> {
    let share = Share { user: user(name), amount: amount(minor), priority: Priority::Normal };
    ledger.claim(key, version, vec![share], NOW).await
}

/// Claims at the present version, which must be accepted.
pub async fn take(ledger: &dyn Ledger, key: &PacketKey, name: &str, minor: u64) {
    let version = ledger.load(key, &[]).await.unwrap().unwrap().packet.version;
    let claimed = claim(ledger, key, version, name, minor).await.unwrap();
    assert!(matches!(claimed, Claimed::Committed(_)), "{claimed:?}");
}

/// Claims of a packet: who, and how much.
pub async fn claims(ledger: &dyn Ledger, key: &PacketKey) -> Vec<(UserId, u64)> {
    let claims = ledger.claims(key, 0, u32::MAX).await.unwrap();
    claims.into_iter().map(|claim| (claim.user, claim.amount.get())).collect()
}

pub async fn assert_in_order(ledger: &dyn Ledger) {
    let audit = ledger.audit(&TenantId::default()).await.unwrap();
    assert!(audit.is_conserved(), "{audit:?}");
    assert_eq!(ledger.verify(&TenantId::default()).await.unwrap(), []);
}
