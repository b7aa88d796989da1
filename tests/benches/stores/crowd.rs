//! Users who tap: so many at a time, each going on to the next tap when the last is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hongbao_host::domain::{Audience, Name, Order, PacketId, Policy, Strategy, TenantId, UserId};
use hongbao_host::runtime::{Host, Tenant};
use hongbao_host::store::packet_cache::PacketCache;
use hongbao_host::store::{Counter, Ledger, Recorded};
use hongbao_tests::chat::{alone, amount, everything, user};

/// Who waits for an answer at one time: fewer than may wait for all packets, or for one,
/// so that nobody is told `busy`.
pub const IN_ALL: usize = 12_000;
pub const ON_ONE: usize = 6_000;

/// One user's tap on one packet.
pub type Tap = (PacketId, UserId);

/// A tenant for measuring: everything is as `hongbao serve` has it, but packets may be larger.
pub fn tenant(counter: Arc<dyn Counter>, ledger: Arc<dyn Ledger>) -> Tenant {
    let policy = Policy { max_shares: 1_000_000, ..Policy::default() };
    let packets = PacketCache::new(Arc::<dyn Ledger>::clone(&ledger), ledger.history());
    let host = Host::builder().counter(counter).ledger(ledger).packets(Arc::new(packets));
    alone(host, everything().policy(policy)).1
}

/// Packets that are in the ledger, each of so many shares.
pub async fn packets(ledger: &Arc<dyn Ledger>, now_ms: u64, count: u32, shares: u32) -> Vec<PacketId> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let tenant = TenantId::default();
    let total = u64::from(shares) * 20;
    ledger.fund(&tenant, &user("alice"), amount(total * u64::from(count)), None, now_ms).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..count {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // The random half is what spreads packets over partitions and locks.
        let id =
            PacketId::new(now_ms, u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let order = Order {
            key: Name::new(format!("key {number}")).unwrap(),
            room: Name::new("room").unwrap(),
            sender: user("alice"),
            strategy: Strategy::DOUBLE_AVERAGE,
            total: amount(total),
            shares,
            max_share: amount(total),
            audience: Audience::Everyone,
            greeting: "恭喜发财".into(),
            expires_in_ms: 86_400_000,
        };
        let recorded = ledger.record(&tenant, id, order, now_ms).await.unwrap();
        assert!(matches!(recorded, Recorded::Recorded(_)), "{recorded:?}");
        ids.push(id);
    }
    ids
}

/// Every share of these packets is tapped by a user of its own, packet after packet in turn, so
/// that neighbours in time are seldom on one packet.
pub fn taps(packets: &[PacketId], shares: u32) -> Vec<Tap> {
    let of_all = |share: u32| packets.iter().map(move |packet| (*packet, user(&format!("user-{share:06}"))));
    (0..shares).flat_map(of_all).collect()
}

/// Has all taps answered, or as many as there is time for; gives how many a second had the
/// `outcome` that is asked for.
pub async fn rate<F: Future<Output = bool> + Send + 'static>(
    taps: Vec<Tap>,
    at_once: usize,
    longest: Duration,
    tap: impl Fn(Tap) -> F + Clone + Send + Sync + 'static,
) -> f64 {
    let (taps, next, done) = (Arc::new(taps), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let users = (0..at_once).map(|_| {
        let (taps, next, done, tap) = (Arc::clone(&taps), Arc::clone(&next), Arc::clone(&done), tap.clone());
        tokio::spawn(async move {
            while begun.elapsed() < longest
                && let Some(one) = taps.get(next.fetch_add(1, Ordering::Relaxed))
            {
                if tap(one.clone()).await {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    });
    for user in users.collect::<Vec<_>>() {
        user.await.unwrap();
    }
    done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}
