//! The counter and the events in Redis.

mod cluster;
mod data;
mod events;
mod faults;
mod opening;
mod races;
mod refusals;
mod sentinel;
mod tls;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hongbao_host::domain::{Amount, Audience, PacketId, PacketKey, TenantId, UserId};
use hongbao_host::store::redis::RedisCounter;
use hongbao_host::store::{
    Card, Counter, Lease, OpenedSeat, Opening, Report, Standing, StoreError, Swapped, View,
};
use tokio::time::sleep;

/// The callers' time. The servers never learn what they think of it.
const NOW: u64 = 1_750_000_000_000;
const LEASE: u64 = 60_000;
const KEPT: u64 = 24 * 60 * 60 * 1000;

/// The most that a call may take: what it may wait for a connection and for an answer, and a
/// machine that has other things to do.
const BOUND: Duration = Duration::from_millis(2900);

/// The URL with a namespace that nobody used before.
fn fresh(url: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{url}?namespace=test-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

const OUT_OF_MEMORY: &str = "its memory is full and its maxmemory-policy evicts nothing";
const READ_ONLY: &str = "it is a read-only replica";

/// What a counter says of itself whose server is so, for this reason.
fn is(standing: Standing, reason: &'static str) -> Report {
    Report { standing, reason: reason.into() }
}

async fn connect(url: &str) -> Arc<RedisCounter> {
    Arc::new(RedisCounter::connect(url).await.unwrap())
}

fn packet(number: u128) -> PacketKey {
    PacketKey { tenant: TenantId::default(), packet: PacketId::new(NOW, number) }
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn lease(now: u64) -> Lease {
    Lease { now_ms: NOW + now, until_ms: NOW + now + LEASE }
}

fn seat(name: &str, minor: u64) -> OpenedSeat {
    OpenedSeat { user: user(name), amount: Amount::new(minor).unwrap() }
}

fn opening(shares: u32) -> Opening {
    let card = Card { audience: Audience::Everyone, expires_at_ms: NOW + KEPT };
    Opening { card, shares, opened: Vec::new(), lenient_until_ms: 0, keep_until_ms: NOW + KEPT }
}

async fn open(counter: &RedisCounter, key: &PacketKey, shares: u32) {
    counter.open(key, opening(shares), NOW).await.unwrap();
}

async fn view(counter: &RedisCounter, key: &PacketKey) -> View {
    counter.load(key, &[], NOW).await.unwrap().expect("the counter is there")
}

/// Takes a seat at whatever version there is.
async fn take(counter: &RedisCounter, key: &PacketKey, name: &str) -> Swapped {
    let version = view(counter, key).await.version;
    counter.swap(key, version, &[user(name)], lease(0)).await.unwrap()
}

/// The call's answer, which has to come within the bound.
async fn bounded<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let started = Instant::now();
    let answer = call.await;
    assert!(started.elapsed() < BOUND, "an answer after {:?}", started.elapsed());
    answer
}

#[track_caller]
fn assert_unavailable<T>(answer: Result<T, StoreError>) {
    match answer {
        Err(StoreError::Unavailable(_)) => {}
        Err(other) => panic!("unavailable was expected, not {other}"),
        Ok(_) => panic!("unavailable was expected, not an answer"),
    }
}

/// Asks until there is an answer, which has to come by itself.
async fn healed<T>(what: &str, mut ask: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let started = Instant::now();
    loop {
        match bounded(ask()).await {
            Ok(answer) => return answer,
            Err(error) => assert!(started.elapsed() < Duration::from_secs(15), "{what}: {error}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}
