use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::conformance;
use crate::memory::MemoryLedger;
use crate::prelude::*;
use hongbao_domain::{Amount, Audience, Name, Order, PacketId, Priority, Strategy, TenantId};

const NOW: u64 = 1_750_000_000_000;

/// A ledger that counts about how many packets it was asked.
struct Asked {
    ledger: Arc<MemoryLedger>,
    loads: AtomicUsize,
    /// Claims are carried out, and their answers lost.
    loses_answers: bool,
}

#[async_trait]
impl PacketLedger for Asked {
    async fn record_all(&self, packets: Vec<NewPacket>, now_ms: u64) -> Vec<Result<Recorded, StoreError>> {
        self.ledger.record_all(packets, now_ms).await
    }
    async fn load_all(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Option<Loaded>, StoreError>> {
        self.loads.fetch_add(lookups.len(), Ordering::SeqCst);
        self.ledger.load_all(lookups).await
    }
    async fn claim_all(&self, attempts: Vec<Attempt>, now_ms: u64) -> Vec<Result<Claimed, StoreError>> {
        let answers = self.ledger.claim_all(attempts, now_ms).await;
        match self.loses_answers {
            true => answers.into_iter().map(|_| Err(StoreError::Unavailable("lost".into()))).collect(),
            false => answers,
        }
    }
    async fn close(&self, key: &PacketKey, expected_version: u64, now_ms: u64) -> Result<Closed, StoreError> {
        self.ledger.close(key, expected_version, now_ms).await
    }
}

struct Bench {
    ledger: Arc<MemoryLedger>,
    asked: Arc<Asked>,
    cache: PacketCache,
    history: History,
}

impl Bench {
    fn new() -> Self {
        Self::of(false, MOST)
    }

    fn of(loses_answers: bool, most: usize) -> Self {
        let (ledger, history) = (Arc::new(MemoryLedger::new()), History::unique());
        let asked = Asked { ledger: Arc::clone(&ledger), loads: AtomicUsize::new(0), loses_answers };
        let asked = Arc::new(asked);
        let cache = PacketCache::with_size(Arc::<Asked>::clone(&asked), history.clone(), most);
        Self { ledger, asked, cache, history }
    }

    /// A packet of 100 in five shares.
    async fn packet(&self, number: u64) -> PacketKey {
        let (tenant, alice, total) = (TenantId::default(), user("alice"), Amount::new(100).unwrap());
        self.ledger.fund(&tenant, &alice, total, None, NOW).await.unwrap();
        // Packets of one lock.
        let key = PacketKey { tenant, packet: PacketId::from_halves(number, 16) };
        let order = Order {
            key: Name::new(format!("key {number}")).unwrap(),
            room: Name::new("room").unwrap(),
            sender: alice,
            strategy: Strategy::EQUAL,
            total,
            shares: 5,
            max_share: total,
            audience: Audience::Everyone,
            greeting: String::new(),
            expires_in_ms: 1000,
        };
        let recorded = self.cache.record(&key.tenant, key.packet, order, NOW).await.unwrap();
        assert!(matches!(recorded, Recorded::Recorded(_)));
        key
    }

    async fn load(&self, key: &PacketKey, names: &[&str]) -> Loaded {
        let users: Vec<_> = names.iter().map(|name| user(name)).collect();
        self.cache.load(key, &users).await.unwrap().unwrap()
    }

    async fn claim(&self, key: &PacketKey, version: u64, name: &str) -> Result<Claimed, StoreError> {
        self.cache.claim(key, version, shares(name), NOW).await
    }

    /// How often the ledger was asked since the last look.
    fn loads(&self) -> usize {
        self.asked.loads.swap(0, Ordering::SeqCst)
    }
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn shares(name: &str) -> Vec<Share> {
    vec![Share { user: user(name), amount: Amount::new(10).unwrap(), priority: Priority::Normal }]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms() {
    conformance::packets(async || {
        let ledger = Arc::new(MemoryLedger::new());
        let cache = PacketCache::new(Arc::<MemoryLedger>::clone(&ledger), ledger.history());
        (ledger as _, Arc::new(cache) as _, ())
    })
    .await;
}

#[tokio::test]
async fn a_packet_is_loaded_once_and_every_claim_after_it_builds_on_memory() {
    let bench = Bench::new();
    let key = bench.packet(1).await;
    for (version, name) in [(1, "bob"), (2, "carol"), (3, "dave")] {
        let loaded = bench.load(&key, &[name]).await;
        assert_eq!((loaded.packet.version, loaded.claims.len()), (version, 0));
        assert_eq!(bench.claim(&key, version, name).await.unwrap(), Claimed::Committed(version as u32));
    }
    assert_eq!(bench.loads(), 1);
    let names = ["dave", "erin", "bob", "bob"];
    let remembered = bench.load(&key, &names).await;
    assert_eq!(bench.loads(), 0);
    let users: Vec<_> = names.iter().map(|name| user(name)).collect();
    assert_eq!(Some(remembered), bench.ledger.load(&key, &users).await.unwrap(), "as the ledger says it");
}

#[tokio::test]
async fn what_another_host_claims_makes_an_attempt_stale_and_is_loaded_from_then_on() {
    let bench = Bench::new();
    let key = bench.packet(1).await;
    bench.load(&key, &["bob"]).await;
    bench.ledger.claim(&key, 1, shares("bob"), NOW).await.unwrap();
    assert_eq!(bench.load(&key, &["bob"]).await.claims, [], "memory is behind");
    let Claimed::Stale(seen) = bench.claim(&key, 1, "bob").await.unwrap() else { panic!("not stale") };
    assert_eq!((seen.packet.version, seen.claims.len()), (2, 1), "nothing is claimed twice");
    bench.loads();
    for _ in 0..2 {
        assert_eq!(bench.load(&key, &["bob"]).await.claims.len(), 1);
    }
    assert_eq!(bench.loads(), 2, "others claim from it");
}

#[tokio::test]
async fn a_packet_without_users_is_always_as_it_is_now() {
    let bench = Bench::new();
    let key = bench.packet(1).await;
    bench.load(&key, &["bob"]).await;
    bench.ledger.claim(&key, 1, shares("carol"), NOW).await.unwrap();
    assert_eq!(bench.load(&key, &[]).await.packet.claimed_shares, 1);
}

#[tokio::test]
async fn nothing_is_remembered_of_a_claim_whose_answer_was_lost() {
    let bench = Bench::of(true, MOST);
    let key = bench.packet(1).await;
    bench.load(&key, &["bob"]).await;
    bench.claim(&key, 1, "bob").await.unwrap_err();
    bench.loads();
    assert_eq!(bench.load(&key, &["bob"]).await.claims.len(), 1, "it had been carried out");
    assert_eq!(bench.loads(), 1);
}

#[tokio::test]
async fn after_a_refusal_the_ledger_is_asked_again() {
    let bench = Bench::new();
    let key = bench.packet(1).await;
    bench.load(&key, &["bob"]).await;
    let too_much = vec![Share { amount: Amount::new(99).unwrap(), ..shares("bob").remove(0) }];
    let refused = bench.cache.claim(&key, 1, too_much, NOW).await.unwrap();
    assert!(matches!(refused, Claimed::Refused(_)), "{refused:?}");
    bench.loads();
    bench.load(&key, &["bob"]).await;
    assert_eq!(bench.loads(), 1);
}

#[tokio::test]
async fn nothing_is_remembered_of_a_history_that_never_was() {
    let bench = Bench::new();
    let key = bench.packet(1).await;
    bench.load(&key, &["bob"]).await;
    bench.claim(&key, 1, "bob").await.unwrap();
    bench.history.goes_on_as("a standby that was behind");
    bench.loads();
    bench.load(&key, &["bob"]).await;
    assert_eq!(bench.loads(), 1);
}

#[tokio::test]
async fn what_is_over_is_forgotten() {
    let bench = Bench::new();
    let (finished, expired) = (bench.packet(1).await, bench.packet(2).await);
    for key in [&finished, &expired] {
        bench.load(key, &["bob"]).await;
    }
    let all = ["a", "b", "c", "d", "e"].map(|name| Share {
        user: user(name),
        amount: Amount::new(20).unwrap(),
        priority: Priority::Normal,
    });
    let claimed = bench.cache.claim(&finished, 1, all.into(), NOW).await.unwrap();
    assert_eq!(claimed, Claimed::Committed(1));
    assert!(matches!(bench.cache.close(&expired, 1, NOW + 1000).await.unwrap(), Closed::Refunded(_)));
    bench.loads();
    let statuses = [bench.load(&finished, &["a"]).await, bench.load(&expired, &["bob"]).await];
    assert_eq!(statuses.map(|loaded| loaded.packet.status), [Status::Finished, Status::Expired]);
    assert_eq!(bench.loads(), 2);
}

#[tokio::test]
async fn memory_is_bounded_and_keeps_what_is_used() {
    // Room for four packets of a lock in each half: 8 and five shares.
    let bench = Bench::of(false, 4 * 13 * 2 * PacketCache::SHARDS);
    let used = bench.packet(0).await;
    bench.load(&used, &["bob"]).await;
    for number in 1..100 {
        let key = bench.packet(number).await;
        bench.load(&key, &["bob"]).await;
        bench.load(&used, &["bob"]).await;
    }
    let shard = bench.cache.shard(&used).unwrap();
    assert!(shard.young.len() <= 4 && shard.old.len() <= 4, "{} and {}", shard.young.len(), shard.old.len());
    assert_eq!(shard.size, shard.young.values().map(Known::size).sum::<usize>());
    drop(shard);
    assert_eq!(bench.loads(), 100, "each once");
}
