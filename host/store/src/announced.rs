//! A ledger wrapper that publishes the keys of changed packets.
//!
//! It says no more than which packet, since whoever wants to know asks the ledger. Saying so costs a
//! call some nanoseconds, never makes it wait and never makes it fail: where nobody takes the news
//! away, it is dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{
    Audit, Backlog, Claimed, Closed, Discrepancy, Due, Entry, Funded, History, Ledger, Loaded, Parked, Place,
    Received, Recorded, Settled, StoreError,
};
use hongbao_domain::{Amount, Claim, Name, Order, Packet, PacketId, PacketKey, Share, TenantId, UserId};

/// So many changes may wait to be taken away.
const WAITING: usize = 16_384;

/// A packet that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which packet.
    pub key: PacketKey,
    /// By what.
    pub kind: ChangeKind,
    /// False where the ledger's answer was lost: it may have changed, now or in a moment.
    pub is_certain: bool,
}

/// What changed a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It was recorded.
    Recorded,
    /// Shares were claimed.
    Claimed,
    /// It was closed.
    Closed,
}

/// The receiving end of what an [`Announced`] ledger says.
pub struct Changes {
    receiver: mpsc::Receiver<Change>,
    dropped: Arc<AtomicU64>,
}

impl Changes {
    /// The next one. None once the ledger is gone and everything was taken.
    pub async fn next(&mut self) -> Option<Change> {
        self.receiver.recv().await
    }

    /// One that is there already.
    pub fn try_next(&mut self) -> Option<Change> {
        self.receiver.try_recv().ok()
    }

    /// How many were dropped, since too many waited.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Wraps a ledger and says what changed by its calls. What other hosts do on the same ledger, their
/// own wrappers say.
pub struct Announced {
    ledger: Arc<dyn Ledger>,
    changes: mpsc::Sender<Change>,
    dropped: Arc<AtomicU64>,
}

impl Announced {
    /// Wraps this ledger; what it says comes out at the other end.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>) -> (Self, Changes) {
        let (changes, receiver) = mpsc::channel(WAITING);
        let dropped = Arc::default();
        let receiver = Changes { receiver, dropped: Arc::clone(&dropped) };
        (Self { ledger, changes, dropped }, receiver)
    }

    /// For a call that may change this packet.
    fn about(&self, key: PacketKey, kind: ChangeKind) -> Unsaid<'_> {
        Unsaid { announced: self, change: Some(Change { key, kind, is_certain: false }) }
    }

    fn say(&self, change: Change) {
        // Where nobody listens any more, nobody misses it.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.changes.try_send(change) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What will be said about a call that is under way. Whoever drops it without a word has lost the
/// ledger's answer, be it that the call was cancelled: then the packet may have changed.
struct Unsaid<'a> {
    announced: &'a Announced,
    change: Option<Change>,
}

impl Unsaid<'_> {
    /// The call has changed the packet if `is_change` says so of its answer. One that came to nothing
    /// may have taken effect if the store was away.
    fn after<T>(mut self, answer: &Result<T, StoreError>, is_change: impl FnOnce(&T) -> bool) {
        let is_certain = match answer {
            Ok(answer) => is_change(answer),
            Err(StoreError::Unavailable(_)) => return,
            Err(StoreError::Overloaded(_) | StoreError::Refused(_) | StoreError::Corrupt(_)) => false,
        };
        if let Some(change) = self.change.take()
            && is_certain
        {
            self.announced.say(Change { is_certain, ..change });
        }
    }
}

impl Drop for Unsaid<'_> {
    fn drop(&mut self) {
        if let Some(change) = self.change.take() {
            self.announced.say(change);
        }
    }
}

#[async_trait]
impl Ledger for Announced {
    async fn record(
        &self,
        tenant: &TenantId,
        id: PacketId,
        order: Order,
        now_ms: u64,
    ) -> Result<Recorded, StoreError> {
        let unsaid = self.about(PacketKey { tenant: tenant.clone(), packet: id }, ChangeKind::Recorded);
        let answer = self.ledger.record(tenant, id, order, now_ms).await;
        unsaid.after(&answer, |answer| matches!(answer, Recorded::Recorded(_)));
        answer
    }

    async fn recorded(
        &self,
        tenant: &TenantId,
        sender: &UserId,
        key: &Name,
    ) -> Result<Option<(PacketId, Packet)>, StoreError> {
        self.ledger.recorded(tenant, sender, key).await
    }

    fn history(&self) -> History {
        self.ledger.history()
    }

    async fn server_ms(&self) -> Result<Option<u64>, StoreError> {
        self.ledger.server_ms().await
    }

    async fn load(&self, key: &PacketKey, users: &[UserId]) -> Result<Option<Loaded>, StoreError> {
        self.ledger.load(key, users).await
    }

    async fn claim(
        &self,
        key: &PacketKey,
        expected_version: u64,
        shares: Vec<Share>,
        now_ms: u64,
    ) -> Result<Claimed, StoreError> {
        let unsaid = self.about(key.clone(), ChangeKind::Claimed);
        let answer = self.ledger.claim(key, expected_version, shares, now_ms).await;
        unsaid.after(&answer, |answer| matches!(answer, Claimed::Committed(_)));
        answer
    }

    async fn close(&self, key: &PacketKey, expected_version: u64, now_ms: u64) -> Result<Closed, StoreError> {
        let unsaid = self.about(key.clone(), ChangeKind::Closed);
        let answer = self.ledger.close(key, expected_version, now_ms).await;
        unsaid.after(&answer, |answer| matches!(answer, Closed::Refunded(_)));
        answer
    }

    async fn claims(&self, key: &PacketKey, cursor: u32, limit: u32) -> Result<Vec<Claim>, StoreError> {
        self.ledger.claims(key, cursor, limit).await
    }

    async fn fund(
        &self,
        tenant: &TenantId,
        user: &UserId,
        amount: Amount,
        key: Option<&Name>,
        now_ms: u64,
    ) -> Result<Funded, StoreError> {
        self.ledger.fund(tenant, user, amount, key, now_ms).await
    }

    async fn recent_packets(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        self.ledger.recent_packets(tenant, room, before, limit).await
    }

    async fn sent(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<(PacketId, Packet)>, StoreError> {
        self.ledger.sent(tenant, user, before, limit).await
    }

    async fn received(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<Place>,
        limit: u32,
    ) -> Result<Vec<Received>, StoreError> {
        self.ledger.received(tenant, user, before, limit).await
    }

    async fn statement(
        &self,
        tenant: &TenantId,
        user: &UserId,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        self.ledger.statement(tenant, user, before, limit).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.ledger.check().await
    }

    async fn balance(&self, tenant: &TenantId, user: &UserId) -> Result<Amount, StoreError> {
        self.ledger.balance(tenant, user).await
    }

    async fn settle(&self, limit: u32, now_ms: u64) -> Result<Vec<Settled>, StoreError> {
        self.ledger.settle(limit, now_ms).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.ledger.backlog().await
    }

    async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        self.ledger.parked(limit).await
    }

    async fn unpark(&self) -> Result<u64, StoreError> {
        self.ledger.unpark().await
    }

    async fn due(
        &self,
        tenant: Option<&TenantId>,
        now_ms: u64,
        cursor: Option<Due>,
        limit: u32,
    ) -> Result<Vec<Due>, StoreError> {
        self.ledger.due(tenant, now_ms, cursor, limit).await
    }

    async fn open_packets(
        &self,
        tenant: &TenantId,
        cursor: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        self.ledger.open_packets(tenant, cursor, limit).await
    }

    async fn recent(
        &self,
        tenant: &TenantId,
        room: &Name,
        before: Option<PacketId>,
        limit: u32,
    ) -> Result<Vec<PacketId>, StoreError> {
        self.ledger.recent(tenant, room, before, limit).await
    }

    async fn audit(&self, tenant: &TenantId) -> Result<Audit, StoreError> {
        self.ledger.audit(tenant).await
    }

    async fn verify(&self, tenant: &TenantId) -> Result<Vec<Discrepancy>, StoreError> {
        self.ledger.verify(tenant).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryLedger;
    use hongbao_domain::{Audience, Priority, Strategy};

    const NOW: u64 = 1_750_000_000_000;

    fn alice() -> UserId {
        UserId::new("alice").unwrap()
    }

    fn order(key: &str, total: u64) -> Order {
        Order {
            key: Name::new(key).unwrap(),
            room: Name::new("room").unwrap(),
            sender: alice(),
            strategy: Strategy::EQUAL,
            total: Amount::new(total).unwrap(),
            shares: 2,
            max_share: Amount::new(total).unwrap(),
            audience: Audience::Everyone,
            greeting: String::new(),
            expires_in_ms: 1000,
        }
    }

    fn share(name: &str, minor: u64) -> Vec<Share> {
        let (user, amount) = (UserId::new(name).unwrap(), Amount::new(minor).unwrap());
        vec![Share { user, amount, priority: Priority::Normal }]
    }

    fn key(number: u128) -> PacketKey {
        PacketKey { tenant: TenantId::default(), packet: PacketId::new(NOW, number) }
    }

    /// What was said since the last look.
    fn said(changes: &mut Changes) -> Vec<(PacketKey, ChangeKind, bool)> {
        let next = || changes.try_next().map(|Change { key, kind, is_certain }| (key, kind, is_certain));
        std::iter::from_fn(next).collect()
    }

    #[tokio::test]
    async fn what_changed_is_said_and_nothing_else() {
        let (ledger, mut changes) = Announced::new(Arc::new(MemoryLedger::new()));
        let tenant = TenantId::default();
        let record = async |number: u128, order: Order| {
            ledger.record(&tenant, key(number).packet, order, NOW).await.unwrap()
        };
        ledger.fund(&tenant, &alice(), Amount::new(10).unwrap(), None, NOW).await.unwrap();
        record(1, order("a", 10)).await;
        assert_eq!(said(&mut changes), [(key(1), ChangeKind::Recorded, true)]);
        record(2, order("a", 10)).await;
        record(2, order("a", 9)).await;
        record(2, order("b", 10)).await;
        assert_eq!(said(&mut changes), [], "replayed, key reused, too little money");

        let claim = async |version, shares, now| ledger.claim(&key(1), version, shares, now).await.unwrap();
        claim(1, share("bob", 4), NOW).await;
        assert_eq!(said(&mut changes), [(key(1), ChangeKind::Claimed, true)]);
        claim(1, share("carol", 6), NOW).await;
        claim(2, share("carol", 5), NOW).await;
        claim(2, share("carol", 6), NOW + 1000).await;
        assert_eq!(said(&mut changes), [], "stale, refused, too late");

        let close = async |version, now| ledger.close(&key(1), version, now).await.unwrap();
        close(2, NOW).await;
        close(1, NOW + 1000).await;
        assert_eq!(said(&mut changes), [], "not due, stale");
        close(2, NOW + 1000).await;
        assert_eq!(said(&mut changes), [(key(1), ChangeKind::Closed, true)]);
        close(3, NOW + 1000).await;
        ledger.settle(9, NOW).await.unwrap();
        assert_eq!(said(&mut changes), [], "already, and settlement changes no packet");
    }

    #[tokio::test]
    async fn what_may_have_changed_is_said_with_doubt() {
        let (ledger, mut changes) = Announced::new(Arc::new(MemoryLedger::new()));
        let away = || Err::<(), _>(StoreError::Unavailable("away".into()));
        ledger.about(key(1), ChangeKind::Claimed).after(&away(), |()| true);
        drop(ledger.about(key(2), ChangeKind::Closed));
        ledger
            .about(key(3), ChangeKind::Closed)
            .after(&Err::<(), _>(StoreError::Refused("no".into())), |()| true);
        let expected = [(key(1), ChangeKind::Claimed, false), (key(2), ChangeKind::Closed, false)];
        assert_eq!(said(&mut changes), expected);
    }

    #[tokio::test]
    async fn what_nobody_takes_away_is_dropped_and_counted_and_holds_nobody_up() {
        let (ledger, mut changes) = Announced::new(Arc::new(MemoryLedger::new()));
        let tenant = TenantId::default();
        ledger.fund(&tenant, &alice(), Amount::new(1 << 40).unwrap(), None, NOW).await.unwrap();
        for number in 0..WAITING as u128 + 5 {
            let order = order(&number.to_string(), 10);
            let recorded = ledger.record(&tenant, key(number).packet, order, NOW).await.unwrap();
            assert!(matches!(recorded, Recorded::Recorded(_)));
        }
        assert_eq!(changes.dropped(), 5);
        assert_eq!(said(&mut changes).len(), WAITING);
        drop(changes);
        let recorded = ledger.record(&tenant, key(1 << 50).packet, order("last", 10), NOW).await.unwrap();
        assert!(matches!(recorded, Recorded::Recorded(_)), "nobody listens any more");
    }
}
