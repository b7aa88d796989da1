//! What the contract costs: an empty component call, grabs through the component in batches of 1, 8 and 64 users on one
//! packet and of 512 users on as many packets, a lone grab as a caller makes it, and the same logic with the same counter
//! natively, all in one run.
//!
//! Every measured grab finds a fresh packet with a slot for each user, so each one is admitted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    missing_docs,
    reason = "a benchmark may stop where it stands"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::executor::block_on;
use hongbao_guest::bindings::exports::hongbao::plugin::packets::Grabbed as NativeGrabbed;
use hongbao_host::domain::{Audience, Grabbed, PacketId, PacketKey, TenantId, UserId};
use hongbao_host::runtime::Host;
use hongbao_host::store::memory::MemoryCounter;
use hongbao_host::store::{Card, Counter, Opening};
use hongbao_tests::chat::{alone, everything};
use hongbao_tests::native::NativeHost;

/// Packets, and users of each.
const BATCHES: [(usize, usize); 4] = [(1, 1), (1, 8), (1, 64), (512, 1)];

fn users(count: usize) -> Vec<UserId> {
    (0..count).map(|number| UserId::new(format!("user-{number:06}")).unwrap()).collect()
}

/// Packets that nobody has grabbed, and who taps them.
fn taps(counter: &MemoryCounter, packets: usize, users: &[UserId]) -> Vec<(PacketId, Vec<UserId>)> {
    (0..packets).map(|_| (fresh(counter, users.len()), users.to_vec())).collect()
}

fn name(packets: usize, users: usize) -> String {
    if packets == 1 { users.to_string() } else { format!("{packets} packets") }
}

/// A packet that nobody has grabbed.
fn fresh(counter: &MemoryCounter, slots: usize) -> PacketId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = PacketId::from_halves(7, NEXT.fetch_add(1, Ordering::Relaxed));
    let opening = Opening {
        card: Card { audience: Audience::Everyone, expires_at_ms: u64::MAX },
        shares: u32::try_from(slots).unwrap(),
        opened: Vec::new(),
        lenient_until_ms: 0,
        keep_until_ms: u64::MAX,
    };
    let key = PacketKey { tenant: TenantId::default(), packet: id };
    block_on(counter.open(&key, opening, 0)).unwrap();
    id
}

fn contract(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counter = Arc::new(MemoryCounter::new());
    let builder = Host::builder().counter(Arc::<MemoryCounter>::clone(&counter));
    let (_host, tenant) = runtime.block_on(async { alone(builder, everything()) });
    let mut group = criterion.benchmark_group("contract");

    group.bench_function("empty call", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            assert!(tenant.grab_batch(Vec::new()).await.unwrap().is_empty());
        });
    });
    let bob = users(1).remove(0);
    group.bench_function("lone grab", |bencher| {
        bencher.to_async(&runtime).iter_batched(
            || fresh(&counter, 1),
            |packet| {
                let grabbed = tenant.grab(packet, bob.clone());
                async move { assert_eq!(grabbed.await.unwrap(), Grabbed::Admitted) }
            },
            BatchSize::SmallInput,
        );
    });
    block_on(counter.clear()).unwrap();
    for (packets, size) in BATCHES {
        let names = users(size);
        group.throughput(Throughput::Elements((packets * size) as u64));
        group.bench_function(BenchmarkId::new("component grab", name(packets, size)), |bencher| {
            bencher.to_async(&runtime).iter_batched(
                || taps(&counter, packets, &names),
                |taps| {
                    let tenant = &tenant;
                    async move {
                        let answers = tenant.grab_batch(taps).await.unwrap();
                        assert!(answers.iter().all(|answer| *answer == Grabbed::Admitted));
                        answers
                    }
                },
                BatchSize::SmallInput,
            );
        });
        block_on(counter.clear()).unwrap();
    }
    let native = NativeHost::new(Arc::<MemoryCounter>::clone(&counter));
    for (packets, size) in BATCHES {
        let names = users(size);
        group.throughput(Throughput::Elements((packets * size) as u64));
        group.bench_function(BenchmarkId::new("native grab", name(packets, size)), |bencher| {
            bencher.iter_batched(
                || taps(&counter, packets, &names),
                |taps| {
                    let answers = native.grab(black_box(taps));
                    assert!(answers.iter().all(|answer| matches!(answer, NativeGrabbed::Admitted)));
                    answers
                },
                BatchSize::SmallInput,
            );
        });
        block_on(counter.clear()).unwrap();
    }
    group.finish();
}

criterion_group!(benches, contract);
criterion_main!(benches);
