//! Hosts that die while they deliver, and stores that fail: events are told at least once, with the same ids.

use std::time::Duration;

use hongbao_host::store::Registry;
use hongbao_testkit::{Fault, Faulty};

use super::*;

/// A host on threads of its own, which end where they are, as those of a process do that is killed.
struct Mortal {
    runtime: Option<tokio::runtime::Runtime>,
}

impl Mortal {
    async fn start(clock: Arc<ManualClock>, stores: Stores, settings: WebhookSettings) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let started =
            runtime.spawn(async move { Stage::with_webhooks(clock, stores, unhurried(), settings).await });
        // Kept until the runtime ends: it is never stopped.
        std::mem::forget(started.await.unwrap());
        Self { runtime: Some(runtime) }
    }

    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_goes_on_where_one_died() {
    const EVENTS: u64 = 60;
    let (stores, settings) = (Stores::default(), settings());
    // The host that administrators ask delivers nothing: it comes too late to each lease.
    let idle = WebhookSettings { poll: Duration::from_secs(3600), ..settings.clone() };
    let bench = Bench::with(stores.clone(), idle).await;
    let clock = Arc::clone(&bench.stage.clock);
    bench.receiver.always(Reaction::Late(Duration::from_millis(30)));
    let mut first = Mortal::start(Arc::clone(&clock), stores.clone(), settings.clone()).await;
    bench.events(1..EVENTS).await;
    until("some are under way", || async { bench.receiver.got().len() >= 20 }).await;
    first.kill();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = bench.receiver.got().len();
    assert!(before < EVENTS as usize - 1, "it died half way: {before}");
    let _second = Mortal::start(Arc::clone(&clock), stores.clone(), settings.clone()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.receiver.got().len(), before, "the lease of the first holds still");
    bench.receiver.always(status(200));
    clock.advance(settings.lease.as_millis() as u64);
    let all = || async { events_of(&bench.receiver.got()).len() == EVENTS as usize - 1 };
    until("every event was told", all).await;
    assert_ids_are_of_events(&bench.receiver.got());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_endpoints_and_tell_each_event_once() {
    let stores = Stores::default();
    let bench = Bench::with(stores.clone(), settings()).await;
    let _other = Mortal::start(Arc::clone(&bench.stage.clock), stores, settings()).await;
    for number in 1..6 {
        hook(&bench.stage, &bench.keys, json!({"url": format!("{}/{number}", bench.receiver.url())})).await;
    }
    bench.events(1..31).await;
    until("all are told", || async { bench.receiver.took().len() >= 30 * 6 }).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.receiver.took().len(), 30 * 6, "each once to each");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_fails_costs_no_event() {
    let stores = Stores::default();
    let faulty = Faulty::new(Arc::clone(&stores.registry));
    let bench =
        Bench::with(Stores { registry: faulty.clone() as Arc<dyn Registry>, ..stores }, settings()).await;
    bench.events(1..4).await;
    bench.taken(3).await;
    let mut count = 0;
    bench.receiver.react(move |_| {
        count += 1;
        if count % 3 == 0 { status(500) } else { status(200) }
    });
    bench.events(4..40).await;
    for fault in [Fault::Down, Fault::ReplyLost, Fault::RefusesWrites, Fault::None] {
        faulty.set(fault);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    bench.receiver.always(status(200));
    for _ in 0..3 {
        bench.stage.clock.advance(72_000);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bench.taken(39).await;
    assert_ids_are_of_events(&bench.receiver.got());
    bench.stop().await;
}
