//! Counters on a cluster of three masters.

use hongbao_host::store::conformance;
use hongbao_tests::servers::RedisCluster;

use super::*;

fn url(cluster: &RedisCluster) -> String {
    let nodes: Vec<_> = cluster.nodes().iter().map(|node| node.address().to_string()).collect();
    format!("redis+cluster://{}", nodes.join(","))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_conforms_and_goes_on_without_a_node() {
    let cluster = RedisCluster::start();
    conformance::counter(async || (connect(&fresh(&url(&cluster))).await as _, ())).await;
    every_master_is_swept_and_cleared(&cluster).await;
    for node in cluster.nodes() {
        let error = RedisCounter::connect(&node.url()).await.err().expect("refused");
        assert_eq!(error.code(), "counter-topology", "{error}");
    }
    the_other_nodes_go_on(&cluster).await;
    a_cluster_that_was_down_altogether_heals(&cluster).await;
}

async fn every_master_is_swept_and_cleared(cluster: &RedisCluster) {
    for node in cluster.nodes() {
        node.cli(&["flushall"]);
    }
    let counter = connect(&url(cluster)).await;
    for number in 0..30 {
        open(&counter, &packet(number), 3).await;
        take(&counter, &packet(number), "alice").await;
    }
    let sizes = || cluster.nodes().iter().map(|node| node.cli(&["dbsize"]).parse().unwrap());
    assert!(sizes().all(|size: u32| size > 0), "packets are on every master");
    assert_eq!(sizes().sum::<u32>(), 60);
    assert_eq!(counter.sweep(NOW + LEASE).await.unwrap(), 30);
    assert_eq!(sizes().sum::<u32>(), 30);
    counter.clear().await.unwrap();
    assert_eq!(sizes().sum::<u32>(), 0);
}

async fn the_other_nodes_go_on(cluster: &RedisCluster) {
    for node in cluster.nodes() {
        node.cli(&["config", "set", "cluster-require-full-coverage", "no"]);
    }
    let counter = connect(&url(cluster)).await;
    for number in 0..12 {
        open(&counter, &packet(number), 3).await;
    }
    cluster.nodes()[1].kill();
    let mut away = 0;
    for number in 0..12 {
        match bounded(counter.load(&packet(number), &[], NOW)).await {
            Ok(view) => assert_eq!(view.unwrap().slots, 3),
            Err(StoreError::Unavailable(_)) => away += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!((1..12).contains(&away), "{away} of 12 packets were on the node that is away");
    cluster.nodes()[1].restart();
    cluster.wait_until_whole();
    for number in 0..12 {
        let key = packet(number);
        healed("a cluster that is whole again", async || counter.open(&key, opening(3), NOW).await).await;
        assert_eq!(take(&counter, &key, "alice").await, Swapped::Won(2));
    }
}

async fn a_cluster_that_was_down_altogether_heals(cluster: &RedisCluster) {
    let counter = connect(&url(cluster)).await;
    cluster.nodes().iter().for_each(|node| node.kill());
    for number in 0..12 {
        assert_unavailable(bounded(counter.load(&packet(number), &[], NOW)).await);
    }
    assert_unavailable(bounded(counter.sweep(NOW)).await);
    cluster.nodes().iter().for_each(|node| node.restart());
    cluster.wait_until_whole();
    for number in 0..12 {
        let key = packet(number);
        let loaded = healed("a cluster that is back", async || counter.load(&key, &[], NOW).await).await;
        assert_eq!(loaded, None);
    }
    counter.sweep(NOW).await.unwrap();
}
