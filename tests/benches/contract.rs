//! What the contract costs: an empty component call, grabs through the component in batches of
//! 1, 8 and 64, and the same logic with the same counter natively, all in one run.
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
use hongbao_guest::bindings::hongbao::plugin::types::PacketId as NativeId;
use hongbao_host::domain::{Audience, Grabbed, PacketId, PacketKey, TenantId, UserId};
use hongbao_host::runtime::Host;
use hongbao_host::store::memory::MemoryCounter;
use hongbao_host::store::{Card, Counter, Opening};
use hongbao_tests::chat::{alone, everything};
use hongbao_tests::native::NativeHost;

const BATCHES: [usize; 3] = [1, 8, 64];

fn users(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("user-{number:06}")).collect()
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

    let packet = PacketId::from_halves(1, 1);
    group.bench_function("empty call", |bencher| {
        bencher.to_async(&runtime).iter(|| async {
            assert!(tenant.grab_batch(packet, Vec::new()).await.unwrap().is_empty());
        });
    });
    for size in BATCHES {
        let names: Vec<UserId> = users(size).into_iter().map(|name| UserId::new(name).unwrap()).collect();
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("component grab", size), |bencher| {
            bencher.to_async(&runtime).iter_batched(
                || (fresh(&counter, size), names.clone()),
                |(packet, names)| {
                    let tenant = &tenant;
                    async move {
                        let answers = tenant.grab_batch(packet, names).await.unwrap();
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
    for size in BATCHES {
        let names = users(size);
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::new("native grab", size), |bencher| {
            bencher.iter_batched(
                || (fresh(&counter, size), names.clone()),
                |(packet, names)| {
                    let (high, low) = packet.halves();
                    let answers = hongbao_guest::grab(&native, NativeId { high, low }, black_box(&names));
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
