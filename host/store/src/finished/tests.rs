use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::Notify;

use super::*;
use crate::memory::MemoryCounter;
use crate::{OpenedSeat, conformance};
use hongbao_domain::{Audience, PacketId, TenantId};

const START: u64 = 1_750_000_000_000;
const LIMITS: Limits = Limits { packets: 2 * FinishedCache::SHARDS, shares: 10, life_ms: 1000 };

/// A counter in memory that counts who asks, and can be told to hold `state` back.
#[derive(Default)]
struct Asked {
    counter: MemoryCounter,
    loads: AtomicU32,
    seats: AtomicU32,
    states: AtomicU32,
    /// Where set, `state` tells the first when it has its answer, and gives it at the second.
    held: Option<(Notify, Notify)>,
}

impl Asked {
    /// How often it was loaded, asked for seats, and for its state.
    fn times(&self) -> [u32; 3] {
        [&self.loads, &self.seats, &self.states].map(|times| times.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl Counter for Asked {
    async fn open(&self, key: &PacketKey, opening: Opening, now_ms: u64) -> Result<(), StoreError> {
        self.counter.open(key, opening, now_ms).await
    }
    async fn load_all(&self, lookups: &[Lookup<'_>], now_ms: u64) -> Vec<Result<Option<View>, StoreError>> {
        self.loads.fetch_add(lookups.len() as u32, Ordering::SeqCst);
        self.counter.load_all(lookups, now_ms).await
    }
    async fn swap_all(&self, swaps: &[Swap<'_>], lease: Lease) -> Vec<Result<Swapped, StoreError>> {
        self.counter.swap_all(swaps, lease).await
    }
    async fn admit_all(&self, groups: &[Lookup<'_>], lease: Lease) -> Vec<Result<(), StoreError>> {
        self.counter.admit_all(groups, lease).await
    }
    async fn seats_all(
        &self,
        lookups: &[Lookup<'_>],
        now_ms: u64,
    ) -> Vec<Result<Option<Seating>, StoreError>> {
        self.seats.fetch_add(lookups.len() as u32, Ordering::SeqCst);
        self.counter.seats_all(lookups, now_ms).await
    }
    async fn confirm_all(
        &self,
        confirmations: &[Confirmation<'_>],
        now_ms: u64,
    ) -> Vec<Result<(), StoreError>> {
        self.counter.confirm_all(confirmations, now_ms).await
    }
    async fn close(&self, key: &PacketKey, now_ms: u64) -> Result<(), StoreError> {
        self.counter.close(key, now_ms).await
    }
    async fn state(&self, key: &PacketKey, now_ms: u64) -> Result<Option<CounterState>, StoreError> {
        self.states.fetch_add(1, Ordering::SeqCst);
        let state = self.counter.state(key, now_ms).await;
        if let Some((has_answer, may_answer)) = &self.held {
            has_answer.notify_one();
            may_answer.notified().await;
        }
        state
    }
    async fn forget(&self, key: &PacketKey) -> Result<(), StoreError> {
        self.counter.forget(key).await
    }
    async fn clear(&self) -> Result<(), StoreError> {
        self.counter.clear().await
    }
    async fn sweep(&self, now_ms: u64) -> Result<u64, StoreError> {
        self.counter.sweep(now_ms).await
    }
    fn follow(&self, history: History) {
        self.counter.follow(history);
    }
    fn let_through(&self, key: &PacketKey, lease: Lease) {
        self.counter.let_through(key, lease);
    }
    fn health(&self) -> Option<Report> {
        self.counter.health()
    }
    async fn check(&self) -> Result<(), StoreError> {
        self.counter.check().await
    }
}

fn cache() -> (Arc<Asked>, FinishedCache) {
    let asked = Arc::new(Asked::default());
    (Arc::clone(&asked), FinishedCache::with_limits(asked, LIMITS))
}

/// Packets of this number have the same lock.
fn packet(number: u64) -> PacketKey {
    let random = u128::from(number) * FinishedCache::SHARDS as u128;
    PacketKey { tenant: TenantId::default(), packet: PacketId::new(START, random) }
}

fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| UserId::new(*name).unwrap()).collect()
}

fn seat(name: &str, minor: u64) -> OpenedSeat {
    OpenedSeat { user: UserId::new(name).unwrap(), amount: Amount::new(minor).unwrap() }
}

fn holder(index: u32, minor: u64) -> Holder {
    Holder { index, seat: Seat::Opened(Amount::new(minor).unwrap()) }
}

/// A packet that these seats finish.
async fn finish(counter: &dyn Counter, key: &PacketKey, opened: Vec<OpenedSeat>) {
    let card = Card { audience: Audience::Everyone, expires_at_ms: START + 60_000 };
    let shares = u32::try_from(opened.len()).unwrap();
    let keep_until_ms = START + 120_000;
    let opening = Opening { card, shares, opened, lenient_until_ms: 0, keep_until_ms };
    counter.open(key, opening, START).await.unwrap();
}

async fn load(counter: &dyn Counter, key: &PacketKey, names: &[&str], after: u64) -> View {
    counter.load(key, &users(names), START + after).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_cache_conforms_in_front_of_a_counter_that_does() {
    let fresh = async || (Arc::new(FinishedCache::new(Arc::new(MemoryCounter::new()))) as _, ());
    conformance::counter(fresh).await;
}

#[tokio::test]
async fn a_finished_packet_is_read_once_and_then_asks_nobody() {
    let (asked, cache) = cache();
    finish(&cache, &packet(1), vec![seat("alice", 5), seat("bob", 7)]).await;
    let first = load(&cache, &packet(1), &["bob", "carol"], 0).await;
    assert_eq!(asked.times(), [1, 0, 1]);
    for after in [0, 500, 999] {
        assert_eq!(load(&cache, &packet(1), &["bob", "carol"], after).await, first);
        let view = load(&cache, &packet(1), &["carol", "alice", "bob"], after).await;
        assert_eq!((view.slots, view.finished), (0, true));
        assert_eq!(view.holders, [holder(1, 5), holder(2, 7)]);
        let seating = cache.seats(&packet(1), &users(&["bob", "alice"]), START + after).await.unwrap();
        assert_eq!(seating, Some(Seating { holders: vec![holder(0, 7), holder(1, 5)], lenient: false }));
    }
    assert_eq!(asked.times(), [1, 0, 1], "no call reached the counter");
    // Whether somebody without a seat was told to open all the same, only the counter knows.
    cache.let_through(&packet(1), Lease { now_ms: START, until_ms: START + 9000 });
    let seating = cache.seats(&packet(1), &users(&["dave", "alice"]), START).await.unwrap();
    assert_eq!(seating, Some(Seating { holders: vec![holder(1, 5)], lenient: true }));
    assert_eq!(asked.times(), [1, 1, 1]);
}

#[tokio::test]
async fn an_unfinished_packet_is_always_asked_for() {
    let (asked, cache) = cache();
    let card = Card { audience: Audience::Everyone, expires_at_ms: START };
    let (opened, keep_until_ms) = (vec![seat("alice", 5)], START + 60_000);
    let opening = Opening { card, shares: 2, opened, lenient_until_ms: 0, keep_until_ms };
    cache.open(&packet(1), opening, START).await.unwrap();
    for _ in 0..3 {
        assert!(!load(&cache, &packet(1), &["alice"], 0).await.finished);
        cache.seats(&packet(1), &users(&["alice"]), START).await.unwrap();
    }
    assert_eq!(asked.times(), [3, 3, 0]);
}

#[tokio::test]
async fn an_entry_ends_by_the_callers_clock_in_both_directions() {
    for moment in [1000, 5000] {
        let (asked, cache) = cache();
        finish(&cache, &packet(1), vec![seat("alice", 5)]).await;
        load(&cache, &packet(1), &[], 0).await;
        load(&cache, &packet(1), &[], moment).await;
        assert_eq!(asked.times(), [2, 0, 2]);
        load(&cache, &packet(1), &[], moment - 1000).await;
        assert_eq!(asked.times(), [3, 0, 3]);
    }
}

#[tokio::test]
async fn the_packet_asked_for_least_recently_makes_room() {
    let (asked, cache) = cache();
    for number in 1..=3 {
        finish(&cache, &packet(number), vec![seat("alice", number)]).await;
    }
    load(&cache, &packet(1), &[], 0).await;
    load(&cache, &packet(2), &[], 0).await;
    load(&cache, &packet(1), &[], 0).await;
    assert_eq!(asked.times(), [2, 0, 2]);
    // Two fit. The second has not been asked for since the first was.
    load(&cache, &packet(3), &[], 0).await;
    load(&cache, &packet(1), &[], 0).await;
    load(&cache, &packet(3), &[], 0).await;
    assert_eq!(asked.times(), [3, 0, 3], "the first and the third are remembered");
    load(&cache, &packet(2), &[], 0).await;
    assert_eq!(asked.times(), [4, 0, 4], "the second is not");
}

#[tokio::test]
async fn a_packet_of_very_many_shares_is_not_remembered_and_read_whole_but_once() {
    let (asked, cache) = cache();
    let opened = (0..=LIMITS.shares).map(|number| seat(&format!("user-{number}"), 1)).collect();
    finish(&cache, &packet(1), opened).await;
    for _ in 0..3 {
        assert!(load(&cache, &packet(1), &[], 0).await.finished);
    }
    assert_eq!(asked.times(), [3, 0, 1]);
    cache.seats(&packet(1), &[], START).await.unwrap();
    load(&cache, &packet(1), &[], LIMITS.life_ms).await;
    assert_eq!(asked.times(), [4, 1, 2], "and once more in its next life");
}

#[tokio::test]
async fn a_packet_with_a_lease_or_closed_is_not_remembered() {
    let (asked, cache) = cache();
    let lease = Lease { now_ms: START, until_ms: START + 100 };
    let card = Card { audience: Audience::Everyone, expires_at_ms: START };
    let opening =
        Opening { card, shares: 1, opened: vec![], lenient_until_ms: 0, keep_until_ms: START + 60_000 };
    cache.open(&packet(1), opening, START).await.unwrap();
    cache.swap(&packet(1), 1, &users(&["alice"]), lease).await.unwrap();
    cache.confirm(&packet(1), &[seat("bob", 5)], START).await.unwrap();
    for _ in 0..2 {
        let view = load(&cache, &packet(1), &["alice", "bob"], 0).await;
        assert_eq!(view.holders, [Holder { index: 0, seat: Seat::Leased }, holder(1, 5)]);
    }
    assert_eq!(asked.times(), [2, 0, 1]);
    cache.close(&packet(1), START).await.unwrap();
    load(&cache, &packet(1), &[], 200).await;
    load(&cache, &packet(1), &[], 200).await;
    assert_eq!(asked.times(), [4, 0, 2]);
}

#[tokio::test]
async fn what_changes_a_packet_is_seen_at_once() {
    let (_, cache) = cache();
    finish(&cache, &packet(1), vec![seat("alice", 5)]).await;
    load(&cache, &packet(1), &[], 0).await;
    cache.confirm(&packet(1), &[seat("bob", 7)], START).await.unwrap();
    assert_eq!(load(&cache, &packet(1), &["alice", "bob"], 0).await.holders, [holder(0, 5), holder(1, 7)]);
    cache.forget(&packet(1)).await.unwrap();
    assert_eq!(cache.load(&packet(1), &[], START).await.unwrap(), None);
    finish(&cache, &packet(1), vec![seat("alice", 5)]).await;
    load(&cache, &packet(1), &[], 0).await;
    cache.clear().await.unwrap();
    assert_eq!(cache.seats(&packet(1), &[], START).await.unwrap(), None);
}

#[tokio::test]
async fn what_changed_while_it_was_read_is_not_remembered() {
    let asked = Arc::new(Asked { held: Some(Default::default()), ..Asked::default() });
    let cache = Arc::new(FinishedCache::with_limits(Arc::clone(&asked) as _, LIMITS));
    finish(&*cache, &packet(1), vec![seat("alice", 5)]).await;
    let reading = tokio::spawn({
        let cache = Arc::clone(&cache);
        async move { load(&*cache, &packet(1), &[], 0).await }
    });
    let (has_answer, may_answer) = asked.held.as_ref().unwrap();
    has_answer.notified().await;
    cache.forget(&packet(1)).await.unwrap();
    may_answer.notify_one();
    assert!(reading.await.unwrap().finished, "it was, when it was asked for");
    assert_eq!(cache.load(&packet(1), &[], START).await.unwrap(), None);
}

#[tokio::test]
async fn of_a_list_the_counter_is_asked_about_those_alone_that_are_not_known_to_be_finished() {
    let (asked, cache) = cache();
    let packets = [packet(1), packet(2), packet(3), packet(4)];
    for key in [&packets[0], &packets[1], &packets[3]] {
        let opening = Opening {
            card: Card { audience: Audience::Everyone, expires_at_ms: START + 1000 },
            shares: 1,
            opened: Vec::new(),
            lenient_until_ms: 0,
            keep_until_ms: START + 10_000,
        };
        cache.open(key, opening, START).await.unwrap();
    }
    for (number, name) in [(0, "alice"), (3, "dave")] {
        cache.confirm(&packets[number], &[seat(name, 5)], START).await.unwrap();
        load(&cache, &packets[number], &[], 0).await;
    }
    let before = asked.times();
    let both = users(&["alice", "dave"]);
    let lookups: Vec<_> = packets.iter().map(|key| Lookup { key, users: &both }).collect();
    let views = cache.load_all(&lookups, START).await;
    let seen: Vec<_> = views
        .into_iter()
        .map(|view| {
            view.unwrap().map(|view| (view.finished, view.holders.first().map(|holder| holder.index)))
        })
        .collect();
    assert_eq!(seen, [Some((true, Some(0))), Some((false, None)), None, Some((true, Some(1)))]);
    assert_eq!(asked.times()[0] - before[0], 2, "about the two that are not finished");
    let seatings = cache.seats_all(&lookups, START).await;
    let seated: Vec<_> = seatings.into_iter().map(|seating| seating.unwrap().is_some()).collect();
    assert_eq!(seated, [true, true, false, true]);
}
