//! What every [`Counter`], every [`Ledger`], every [`Registry`] and every [`Events`] does, as code: each
//! backend runs it, and so does each wrapper around one.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use hongbao_store::{conformance, memory::MemoryLedger};
//! # async fn suite() {
//! conformance::ledger(async || (Arc::new(MemoryLedger::new()) as _, ())).await;
//! # }
//! ```
//!
//! A suite is a list of small checks, each named by a sentence and each on a store of its own.
//! All of them run, whatever fails; what failed is told at the end, all at once, since a backend
//! that is being written learns more from the list than from its first line.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a check that meets something unexpected has nothing to do but to stop and say so"
)]

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Barrier;

use super::{Counter, Events, Ledger, PacketLedger, Registry};
use hongbao_domain::{Amount, PacketId, PacketKey, TenantId, UserId};

/// Lists checks, functions of a `$bench` that is made of a store, as [`Check`]s named by the
/// functions.
macro_rules! checks {
    ($bench:ident of Ledger: $($check:ident),+ $(,)?) => {
        pub(super) const CHECKS: &[crate::conformance::Check<crate::conformance::Parts>] =
            &[$((stringify!($check), |parts| Box::pin($bench::run(parts, $check)))),+];
    };
    ($bench:ident of $store:ident: $($check:ident),+ $(,)?) => {
        pub(super) const CHECKS: &[crate::conformance::Check<std::sync::Arc<dyn $store>>] =
            &[$((stringify!($check), |store| Box::pin($bench::run(store, $check)))),+];
    };
    // The same of two handles on one store, as two hosts have them.
    ($bench:ident of two $store:ident: $($check:ident),+ $(,)?) => {
        pub(super) const CHECKS: &[crate::conformance::Check<[std::sync::Arc<dyn $store>; 2]>] =
            &[$((stringify!($check), |stores| Box::pin($bench::run(stores, $check)))),+];
    };
}

mod counter;
mod events;
mod ledger;
mod registry;

/// A check's name and what it does with a store that nobody used before.
type Check<S> = (&'static str, fn(S) -> BoxFuture<'static, ()>);

/// When checks begin, in milliseconds: far from zero, so that "a little before" exists.
const START: u64 = 1_750_000_000_000;

/// How many tasks race each other in the checks about races.
const RACERS: u32 = 16;

/// Runs every check of a counter. `fresh` makes an empty one, and with it whatever has to live
/// as long as it does: a directory, a server, or nothing.
///
/// # Panics
/// When checks fail, with their names and what they expected. Outside of a multi-thread
/// runtime, where nothing would race.
pub async fn counter<K>(fresh: impl AsyncFn() -> (Arc<dyn Counter>, K)) {
    run(&counter::checks(), fresh).await;
}

/// A ledger, and its packet side as it is called: its own, or a wrapper of it.
#[derive(Clone)]
struct Parts {
    ledger: Arc<dyn Ledger>,
    packets: Arc<dyn PacketLedger>,
}

/// Runs every check of a ledger. `fresh` makes an empty one, and with it whatever has to live
/// as long as it does: a directory, a server, or nothing.
///
/// After each check the books have to add up.
///
/// # Panics
/// When checks fail, with their names and what they expected. Outside of a multi-thread
/// runtime, where nothing would race.
pub async fn ledger<K>(fresh: impl AsyncFn() -> (Arc<dyn Ledger>, K)) {
    let parts = async || {
        let (ledger, kept) = fresh().await;
        (Parts { packets: Arc::<dyn Ledger>::clone(&ledger), ledger }, kept)
    };
    run(&ledger::checks(), parts).await;
}

/// The same of a wrapper of the packet side: `fresh` makes a ledger and the wrapper around it.
///
/// # Panics
/// As [`ledger`].
pub async fn packets<K>(fresh: impl AsyncFn() -> (Arc<dyn Ledger>, Arc<dyn PacketLedger>, K)) {
    let parts = async || {
        let (ledger, packets, kept) = fresh().await;
        (Parts { ledger, packets }, kept)
    };
    run(&ledger::checks(), parts).await;
}

/// Runs every check of events. `fresh` makes two handles on the same empty store, as two hosts have
/// them, and with them whatever has to live as long as they do.
///
/// # Panics
/// When checks fail, with their names and what they expected. Outside of a multi-thread
/// runtime, where nothing would race.
pub async fn events<K>(fresh: impl AsyncFn() -> ([Arc<dyn Events>; 2], K)) {
    run(&events::checks(), fresh).await;
}

/// Runs every check of a registry. `fresh` makes an empty one, and with it whatever has to live as long
/// as it does: a directory, a server, or nothing.
///
/// # Panics
/// When checks fail, with their names and what they expected. Outside of a multi-thread
/// runtime, where nothing would race.
pub async fn registry<K>(fresh: impl AsyncFn() -> (Arc<dyn Registry>, K)) {
    run(&registry::checks(), fresh).await;
}

/// What a registry does besides whose records outlive the process: two that are open at once are one,
/// and it is the same when opened again. `open` opens the same records each time, empty ones at first.
///
/// # Panics
/// At the first thing that is not as it should be. Outside of a multi-thread runtime, where nothing
/// would race.
pub async fn durable_registry(open: impl AsyncFn() -> Arc<dyn Registry>) {
    assert_races();
    registry::durable(open).await;
}

async fn run<S, K>(checks: &[Check<S>], fresh: impl AsyncFn() -> (S, K)) {
    assert_races();
    let mut failed = Vec::new();
    for (name, check) in checks {
        let (store, _kept) = fresh().await;
        if let Err(panic) = AssertUnwindSafe(check(store)).catch_unwind().await {
            failed.push(format!("- {}: {}", name.replace('_', " "), said(panic.as_ref())));
        }
    }
    assert!(failed.is_empty(), "{} of {} checks failed\n{}", failed.len(), checks.len(), failed.join("\n"));
}

fn assert_races() {
    let flavor = Handle::current().runtime_flavor();
    assert!(flavor == RuntimeFlavor::MultiThread, "races need a multi-thread runtime");
}

/// What a panic said.
fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without words")
}

/// Runs as many tasks as there are racers, which start together; gives what each made, in their
/// order.
async fn race<T: Send + 'static, F: Future<Output = T> + Send + 'static>(racer: impl Fn(u32) -> F) -> Vec<T> {
    let start = Arc::new(Barrier::new(RACERS as usize));
    let race = |number| {
        let (start, racer) = (Arc::clone(&start), racer(number));
        async move {
            start.wait().await;
            racer.await
        }
    };
    let running: Vec<_> = (0..RACERS).map(|number| tokio::spawn(race(number))).collect();
    let mut made = Vec::new();
    for task in running {
        made.push(task.await.expect("a racer ends without a panic"));
    }
    made
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("checks name users well")
}

fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| user(name)).collect()
}

fn amount(minor: u64) -> Amount {
    Amount::new(minor).expect("checks use amounts in range")
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).expect("checks name tenants well")
}

/// The packet of a tenant that was sent as the `number`th.
fn packet(tenant_name: &str, number: u64) -> PacketKey {
    PacketKey { tenant: tenant(tenant_name), packet: PacketId::new(START, u128::from(number)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change_feed::ChangeFeed;
    use crate::memory::{MemoryCounter, MemoryEvents, MemoryLedger, MemoryRegistry};

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_memory_counter_conforms() {
        counter(async || (Arc::new(MemoryCounter::new()) as _, ())).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_memory_ledger_conforms() {
        ledger(async || (Arc::new(MemoryLedger::new()) as _, ())).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_memory_registry_conforms() {
        registry(async || (Arc::new(MemoryRegistry::new()) as _, ())).await;
        // Two handles on it are the same one, and it is not opened again but kept.
        let kept = Arc::new(MemoryRegistry::new());
        durable_registry(async || Arc::clone(&kept) as _).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_change_feed_conforms() {
        let fed = || {
            let ledger = Arc::new(MemoryLedger::new());
            let (feed, changes) = ChangeFeed::new(Arc::<MemoryLedger>::clone(&ledger));
            (ledger as _, Arc::new(feed) as _, changes)
        };
        packets(async || fed()).await;
        // And where nobody takes the changes away.
        packets(async || {
            let (ledger, feed, _) = fed();
            (ledger, feed, ())
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn the_memory_events_conform() {
        events(async || {
            let events = Arc::new(MemoryEvents::new());
            ([Arc::clone(&events) as _, events as _], ())
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread")]
    #[should_panic(expected = "1 of 2 checks failed\n- the second fails: because 2")]
    async fn a_suite_names_the_checks_that_failed_and_what_they_said() {
        let checks: [Check<Arc<dyn Counter>>; 2] = [
            ("the_first_passes", |_| Box::pin(async {})),
            ("the_second_fails", |_| Box::pin(async { panic!("because {}", 2) })),
        ];
        run(&checks, async || (Arc::new(MemoryCounter::new()) as _, ())).await;
    }
}
