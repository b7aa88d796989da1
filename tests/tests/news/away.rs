//! What rooms are told in the end when a store was away.

use std::time::{Duration, Instant};

use hongbao_host::domain::{Priority, Share, TenantId};
use hongbao_host::store::Claimed;
use hongbao_host::store::prelude::*;
use hongbao_testkit::Fault;
use tokio::time::{sleep, timeout};

use crate::bench::*;

/// Sends packets while something is wrong, claims them whole, and mends it after a while.
async fn told_in_the_end(
    bench: Bench,
    packets: u128,
    wrong: impl Fn(&Bench, Fault),
    fault: Fault,
    away: Duration,
) {
    wrong(&bench, fault);
    for number in 0..packets {
        let packet = bench.send(number, 10, 2).await;
        bench.claim(&packet, "bob", 4).await;
        bench.claim(&packet, "carol", 6).await;
    }
    sleep(away).await;
    let rooms = bench.rooms();
    assert!(rooms.of(0).await.is_empty(), "nothing can be told now");
    wrong(&bench, Fault::None);
    for number in 0..packets {
        assert_eq!(rooms.until(number, is_finished).await.version, 3);
    }
    assert_eq!(bench.dropped(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_told_after_the_rooms_were_away() {
    let wrong = |bench: &Bench, fault| bench.told.set(fault);
    told_in_the_end(Bench::new(), 300, wrong, Fault::Down, Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_told_after_the_ledger_was_away() {
    let wrong = |bench: &Bench, fault| bench.read.set(fault);
    told_in_the_end(Bench::new(), 300, wrong, Fault::Down, Duration::from_secs(3)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_told_after_the_rooms_hung() {
    let wrong = |bench: &Bench, fault| bench.told.set(fault);
    told_in_the_end(Bench::new(), 100, wrong, Fault::Hangs, Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_told_whose_answer_was_lost() {
    let bench = Bench::new();
    let packet = bench.send(1, 10, 2).await;
    bench.rooms().until(1, is_sent).await;
    bench.claim(&packet, "bob", 4).await;
    bench.books.set(Fault::ReplyLost);
    assert!(bench.try_claim(&packet, "carol", 6).await.is_err());
    bench.books.set(Fault::None);
    bench.rooms().until(1, is_finished).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_told_of_a_call_that_was_cancelled() {
    let bench = Bench::new();
    let packet = bench.send(1, 10, 1).await;
    bench.rooms().until(1, is_sent).await;
    bench.books.before_claim(std::future::pending());
    let call = bench.try_claim(&packet, "bob", 10);
    assert!(timeout(Duration::from_millis(50), call).await.is_err(), "nobody waits for it any more");
    // What the call had asked for is carried out after all, and nobody says anything of it.
    let share = Share { user: user("bob"), amount: amount(10), priority: Priority::Normal };
    let claimed = bench.books.claim(&packet, 1, vec![share], NOW).await.unwrap();
    assert_eq!(claimed, Claimed::Committed(1));
    bench.rooms().until(1, is_finished).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_was_in_doubt_and_not_made_tells_nothing() {
    let bench = Bench::new();
    bench.books.set(Fault::Down);
    let recorded = bench.packets.record(&TenantId::default(), key(1).packet, order(1, 10, 2), NOW).await;
    assert!(recorded.is_err());
    bench.books.set(Fault::None);
    sleep(Duration::from_millis(1_500)).await;
    let packet = bench.send(2, 10, 2).await;
    bench.claim(&packet, "bob", 5).await;
    bench.rooms().until(2, |event| event.version == 2).await;
    assert!(bench.rooms().of(1).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_ends_also_where_the_rooms_are_away_or_hang() {
    for fault in [Fault::Down, Fault::Hangs] {
        let bench = Bench::new();
        bench.told.set(fault);
        for number in 0..50 {
            bench.send(number, 10, 2).await;
        }
        let started = Instant::now();
        bench.stop().await;
        assert!(started.elapsed() < Duration::from_secs(7), "{fault:?}: {:?}", started.elapsed());
    }
}
