//! A master that is found by sentinels.

use hongbao_tests::servers::RedisSentinel;

use super::*;

fn url(servers: &RedisSentinel) -> String {
    let sentinels: Vec<_> = servers.sentinels().iter().map(|one| one.address().to_string()).collect();
    format!("redis+sentinel://{}/{}", sentinels.join(","), RedisSentinel::NAME)
}

async fn serves(counter: &RedisCounter, number: u128) {
    let key = packet(number);
    healed("a master", async || counter.open(&key, opening(3), NOW).await).await;
    assert_eq!(take(counter, &key, "alice").await, Swapped::Won(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_is_followed_wherever_it_goes() {
    let servers = RedisSentinel::start();
    let counter = connect(&url(&servers)).await;
    serves(&counter, 1).await;

    // On purpose: the old master becomes a replica, and is told to close its connections.
    let old = servers.master().unwrap().port();
    servers.sentinels()[0].cli(&["sentinel", "failover", RedisSentinel::NAME]);
    while servers.wait_for_failover().port() == old {
        sleep(Duration::from_millis(20)).await;
    }
    serves(&counter, 2).await;

    // One sentinel is away for good: the others are asked.
    servers.sentinels()[0].kill();
    let unknown = url(&servers).replace(&format!("/{}", RedisSentinel::NAME), "/nobody");
    let error = RedisCounter::connect(&unknown).await.err().unwrap();
    assert_eq!(error.code(), "counter-master", "{error}");
    let again = connect(&url(&servers)).await;
    serves(&again, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_dies_is_replaced() {
    let servers = RedisSentinel::start();
    let counter = connect(&url(&servers)).await;
    serves(&counter, 1).await;
    servers.kill_master();
    assert_unavailable(bounded(counter.load(&packet(1), &[], NOW)).await);
    let view = healed("a new master", async || counter.load(&packet(1), &[], NOW).await).await;
    assert_eq!(view.expect("it was replicated").slots, 2);
    serves(&counter, 2).await;
}
