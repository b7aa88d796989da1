//! Two hosts and one packet.

use std::sync::Arc;

use hongbao_tests::servers::Redis;
use tokio::sync::Barrier;

use super::*;

const RACERS: u32 = 64;
const SLOTS: u32 = 40;

/// Swaps by version until it wins or no slot is left. Whether it won.
async fn grab(counter: &RedisCounter, name: &str) -> bool {
    let mut version = view(counter, &packet(1)).await.version;
    loop {
        match counter.swap(&packet(1), version, &[user(name)], lease(0)).await.unwrap() {
            Swapped::Won(_) => return true,
            Swapped::Stale(view) if view.slots == 0 || !view.holders.is_empty() => return false,
            Swapped::Stale(view) => version = view.version,
            Swapped::Missing => panic!("the counter is there"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racers_of_two_hosts_never_take_more_than_the_slots() {
    let server = Redis::start();
    let hosts = [connect(&server.url()).await, connect(&server.url()).await];
    open(&hosts[0], &packet(1), SLOTS).await;
    let start = Arc::new(Barrier::new(RACERS as usize));
    let racers: Vec<_> = (0..RACERS)
        .map(|number| {
            let (start, counter) = (Arc::clone(&start), Arc::clone(&hosts[number as usize % 2]));
            tokio::spawn(async move {
                start.wait().await;
                grab(&counter, &format!("racer-{number}")).await
            })
        })
        .collect();
    let mut won = 0;
    for racer in racers {
        won += u32::from(racer.await.unwrap());
    }
    assert_eq!(won, SLOTS);
    let state = hosts[1].state(&packet(1), NOW).await.unwrap().unwrap();
    assert_eq!((state.slots, state.leased), (0, SLOTS));
}
