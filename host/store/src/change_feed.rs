//! The change feed: a wrapper of the packet side that publishes the key of every packet that was changed.
//!
//! It publishes no more than the key, since whoever wants to know how the packet stands asks the ledger. Publishing
//! costs a call some nanoseconds, never makes it wait and never makes it fail: where nobody takes the changes
//! away, they are dropped and counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{Attempt, Claimed, Closed, Loaded, Lookup, NewPacket, PacketLedger, Recorded, StoreError};
use hongbao_domain::PacketKey;

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

/// The receiving end of a [`ChangeFeed`].
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

/// Wraps the packet side of a ledger and publishes what changed by its calls. What other hosts do on the same
/// ledger, their own feeds publish.
pub struct ChangeFeed {
    ledger: Arc<dyn PacketLedger>,
    changes: mpsc::Sender<Change>,
    dropped: Arc<AtomicU64>,
}

impl ChangeFeed {
    /// Wraps this one; what it publishes comes out at the other end.
    #[must_use]
    pub fn new(ledger: Arc<dyn PacketLedger>) -> (Self, Changes) {
        let (changes, receiver) = mpsc::channel(WAITING);
        let dropped = Arc::default();
        let receiver = Changes { receiver, dropped: Arc::clone(&dropped) };
        (Self { ledger, changes, dropped }, receiver)
    }

    /// For a call that may change these packets.
    fn pending<'k>(&self, keys: impl Iterator<Item = &'k PacketKey>, kind: ChangeKind) -> Pending<'_> {
        Pending { feed: self, keys: keys.cloned().collect(), kind }
    }

    fn publish(&self, change: Change) {
        // Where nobody listens any more, nobody misses it.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.changes.try_send(change) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A call that is under way. Dropped before it was answered, be it that the call was cancelled, its packets may have
/// changed, and that is published.
struct Pending<'f> {
    feed: &'f ChangeFeed,
    /// In the order of the answers.
    keys: Vec<PacketKey>,
    kind: ChangeKind,
}

impl Pending<'_> {
    /// The call has changed those packets whose answer `is_change`. One that came to nothing may have taken effect
    /// if the store was away.
    fn after<T>(mut self, answers: &[Result<T, StoreError>], is_change: impl Fn(&T) -> bool) {
        for (key, answer) in self.keys.drain(..).zip(answers) {
            let is_certain = match answer {
                Ok(answer) if is_change(answer) => true,
                Err(StoreError::Unavailable(_)) => false,
                Ok(_) | Err(StoreError::Overloaded(_) | StoreError::Refused(_) | StoreError::Corrupt(_)) => {
                    continue;
                }
            };
            self.feed.publish(Change { key, kind: self.kind, is_certain });
        }
    }
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        for key in self.keys.drain(..) {
            self.feed.publish(Change { key, kind: self.kind, is_certain: false });
        }
    }
}

#[async_trait]
impl PacketLedger for ChangeFeed {
    async fn record_all(&self, packets: Vec<NewPacket>, now_ms: u64) -> Vec<Result<Recorded, StoreError>> {
        let pending = self.pending(packets.iter().map(|packet| &packet.key), ChangeKind::Recorded);
        let answers = self.ledger.record_all(packets, now_ms).await;
        pending.after(&answers, |answer| matches!(answer, Recorded::Recorded(_)));
        answers
    }

    async fn load_all(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Option<Loaded>, StoreError>> {
        self.ledger.load_all(lookups).await
    }

    async fn claim_all(&self, attempts: Vec<Attempt>, now_ms: u64) -> Vec<Result<Claimed, StoreError>> {
        let pending = self.pending(attempts.iter().map(|attempt| &attempt.key), ChangeKind::Claimed);
        let answers = self.ledger.claim_all(attempts, now_ms).await;
        pending.after(&answers, |answer| matches!(answer, Claimed::Committed(_)));
        answers
    }

    async fn close(&self, key: &PacketKey, expected_version: u64, now_ms: u64) -> Result<Closed, StoreError> {
        let pending = self.pending([key].into_iter(), ChangeKind::Closed);
        let answer = self.ledger.close(key, expected_version, now_ms).await;
        pending.after(std::slice::from_ref(&answer), |answer| matches!(answer, Closed::Refunded(_)));
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryLedger;
    use crate::{Settlement, WalletLedger};
    use hongbao_domain::{
        Amount, Audience, Name, Order, PacketId, Priority, Share, Strategy, TenantId, UserId,
    };

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
        let books = Arc::new(MemoryLedger::new());
        let (ledger, mut changes) = ChangeFeed::new(Arc::<MemoryLedger>::clone(&books));
        let tenant = TenantId::default();
        let record = async |number: u128, order: Order| {
            ledger.record(&tenant, key(number).packet, order, NOW).await.unwrap()
        };
        books.fund(&tenant, &alice(), Amount::new(10).unwrap(), None, NOW).await.unwrap();
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
        books.settle(9, NOW).await.unwrap();
        assert_eq!(said(&mut changes), [], "already, and settlement changes no packet");
    }

    #[tokio::test]
    async fn what_may_have_changed_is_said_with_doubt() {
        let (ledger, mut changes) = ChangeFeed::new(Arc::new(MemoryLedger::new()));
        let answers = [
            Ok(true),
            Ok(false),
            Err(StoreError::Unavailable("away".into())),
            Err(StoreError::Refused("no".into())),
            Err(StoreError::overloaded("busy")),
        ];
        let keys: Vec<_> = (1..=5).map(key).collect();
        ledger.pending(keys.iter(), ChangeKind::Claimed).after(&answers, |is_change| *is_change);
        let claimed = [(key(1), ChangeKind::Claimed, true), (key(3), ChangeKind::Claimed, false)];
        assert_eq!(
            said(&mut changes),
            claimed,
            "one is certain, one may have changed, and so much for the others"
        );
        drop(ledger.pending([key(6), key(7)].iter(), ChangeKind::Closed));
        let expected = [(key(6), ChangeKind::Closed, false), (key(7), ChangeKind::Closed, false)];
        assert_eq!(said(&mut changes), expected);
    }

    #[tokio::test]
    async fn what_nobody_takes_away_is_dropped_and_counted_and_holds_nobody_up() {
        let books = Arc::new(MemoryLedger::new());
        let (ledger, mut changes) = ChangeFeed::new(Arc::<MemoryLedger>::clone(&books));
        let tenant = TenantId::default();
        books.fund(&tenant, &alice(), Amount::new(1 << 40).unwrap(), None, NOW).await.unwrap();
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
