//! A network and a server that go wrong.

use futures::future::join_all;
use hongbao_host::store::Lookup;
use hongbao_tests::servers::{Mode, Proxy, Redis};

use super::*;

/// A counter that reaches its server through a proxy, with a packet of three shares.
async fn proxied() -> (Redis, Proxy, Arc<RedisCounter>) {
    let server = Redis::start();
    let proxy = Proxy::start(server.address());
    let counter = connect(&proxy.through(&server.url())).await;
    open(&counter, &packet(1), 3).await;
    (server, proxy, counter)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_was_cut_is_made_again_before_anybody_notices() {
    let (_server, proxy, counter) = proxied().await;
    for name in ["alice", "bob", "carol"] {
        proxy.cut();
        assert!(matches!(take(&counter, &packet(1), name).await, Swapped::Won(_)));
    }
    assert_eq!(view(&counter, &packet(1)).await.slots, 0);
    proxy.cut();
    counter.sweep(NOW).await.unwrap();
    proxy.cut();
    counter.clear().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_is_unavailable_at_once_and_heals() {
    let (server, _proxy, counter) = proxied().await;
    server.kill();
    let started = Instant::now();
    for _ in 0..20 {
        assert_unavailable(bounded(counter.load(&packet(1), &[], NOW)).await);
    }
    assert_unavailable(bounded(counter.check()).await);
    assert!(started.elapsed() < BOUND, "twenty calls took {:?}", started.elapsed());
    server.restart();
    let loaded = healed("a server that is back", async || counter.load(&packet(1), &[], NOW).await).await;
    assert_eq!(loaded, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_connections_are_unavailable_and_heal() {
    let (_server, proxy, counter) = proxied().await;
    proxy.set(Mode::Refuse);
    for _ in 0..20 {
        assert_unavailable(bounded(counter.load(&packet(1), &[], NOW)).await);
    }
    proxy.set(Mode::Pass);
    healed("a proxy that lets pass", async || counter.load(&packet(1), &[], NOW).await).await;
    assert_eq!(take(&counter, &packet(1), "alice").await, Swapped::Won(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_unavailable_in_time_and_heals() {
    let (_server, proxy, counter) = proxied().await;
    proxy.set(Mode::Blackhole);
    let key = packet(1);
    let calls = (0..100).map(|_| bounded(counter.load(&key, &[], NOW)));
    join_all(calls).await.into_iter().for_each(assert_unavailable);
    assert_unavailable(bounded(counter.clear()).await);
    assert_unavailable(bounded(counter.sweep(NOW)).await);
    assert_unavailable(bounded(counter.check()).await);
    proxy.set(Mode::Pass);
    healed("a proxy that lets pass", async || counter.load(&packet(1), &[], NOW).await).await;
    assert_eq!(take(&counter, &packet(1), "alice").await, Swapped::Won(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_past_the_bound_are_refused_at_once() {
    let (_server, proxy, counter) = proxied().await;
    proxy.set(Mode::Blackhole);
    let calls: Vec<_> = (0..9000)
        .map(|_| {
            let counter = Arc::clone(&counter);
            tokio::spawn(async move {
                let started = Instant::now();
                let error = bounded(counter.load(&packet(1), &[], NOW)).await.unwrap_err();
                let is_refused = error.code() == "busy";
                assert!(is_refused || error.code() == "unavailable", "{error}");
                is_refused.then(|| started.elapsed())
            })
        })
        .collect();
    let mut refused = 0;
    for call in calls {
        if let Some(after) = call.await.unwrap() {
            assert!(after < Duration::from_millis(100), "refused after {after:?}");
            refused += 1;
        }
    }
    assert!((1..=9000 - 8192).contains(&refused), "{refused} were refused");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_needs_few_round_trips_also_where_the_server_has_forgotten_the_script() {
    let (server, proxy, counter) = proxied().await;
    let keys: Vec<_> = (0..100).map(packet).collect();
    let lookups: Vec<_> = keys.iter().map(|key| Lookup { key, users: &[] }).collect();
    counter.load_all(&lookups, NOW).await;
    server.cli(&["SCRIPT", "FLUSH"]);
    proxy.set(Mode::Delay(Duration::from_millis(100)));
    let started = Instant::now();
    let found = counter.load_all(&lookups, NOW).await;
    let after = started.elapsed();
    assert_eq!(found.len(), keys.len());
    let there: Vec<_> = found.into_iter().map(|view| view.unwrap().is_some()).collect();
    assert_eq!(there.iter().filter(|is_there| **is_there).count(), 1, "the one that was opened");
    assert!(after < Duration::from_secs(2), "a round trip for each of 100 would take 10 s: {after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_share_round_trips() {
    let (_server, proxy, counter) = proxied().await;
    proxy.set(Mode::Delay(Duration::from_millis(100)));
    let started = Instant::now();
    let key = packet(1);
    let calls = (0..200).map(|_| counter.load(&key, &[], NOW));
    assert!(join_all(calls).await.into_iter().all(|answer| answer.is_ok()));
    assert!(started.elapsed() < Duration::from_millis(900), "{:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_to_a_swap_takes_no_second_slot() {
    let (_server, proxy, counter) = proxied().await;
    // The server must know the script: otherwise the answer that is lost is that it does not.
    open(&counter, &packet(2), 3).await;
    take(&counter, &packet(2), "alice").await;
    // The probe of each second must not be what loses its answer: then the call is not even sent.
    counter.check().await.unwrap();
    proxy.set(Mode::DropReplies);
    // Sent again after its answer was lost, it finds its own seat; the second answer is lost too.
    let lost = bounded(counter.swap(&packet(1), 1, &[user("alice")], lease(0))).await;
    assert_unavailable(lost);
    proxy.set(Mode::Pass);
    let key = packet(1);
    let asked = async || counter.swap(&key, 1, &[user("alice")], lease(0)).await;
    let swapped = healed("a proxy that lets pass", asked).await;
    let Swapped::Stale(view) = swapped else { panic!("the seat is taken already: {swapped:?}") };
    assert_eq!((view.slots, view.holders.len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_becomes_a_replica_is_unavailable_and_heals() {
    let (master, server) = (Redis::start(), Redis::start());
    let counter = connect(&server.url()).await;
    open(&counter, &packet(1), 3).await;
    server.replica_of(&master);
    // It may be read, until somebody writes; a missing counter is unlinked, which is a write.
    assert_unavailable(bounded(counter.open(&packet(2), opening(3), NOW)).await);
    server.cli(&["replicaof", "no", "one"]);
    healed("a master again", async || counter.open(&packet(2), opening(3), NOW).await).await;
}
