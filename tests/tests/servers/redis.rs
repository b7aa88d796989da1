//! Redis: alone, in a cluster, with sentinels.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use hongbao_tests::servers::{Redis, RedisCluster, RedisSentinel, program};

#[test]
fn a_redis_answers_on_its_url() {
    let redis = Redis::start();
    assert_eq!(redis.cli(&["set", "a", "1"]), "OK");
    let answer = Command::new(program("redis-cli")).args(["-u", &redis.url(), "get", "a"]).output().unwrap();
    assert_eq!(answer.stdout, b"1\n");
    assert_eq!(redis.url(), format!("redis://{}", redis.address()));
}

#[test]
fn a_redis_comes_back_empty_on_its_port() {
    let redis = Redis::start();
    let port = redis.port();
    redis.cli(&["set", "a", "1"]);
    redis.kill();
    redis.try_cli(&["get", "a"]).unwrap_err();
    redis.restart();
    assert_eq!((redis.cli(&["get", "a"]).as_str(), redis.port()), ("", port));
    redis.cli(&["set", "a", "1"]);
    redis.restart();
    assert_eq!(redis.cli(&["get", "a"]), "");
}

#[test]
fn a_redis_wants_its_password() {
    let redis = Redis::start_with(&["--requirepass", "secret"]);
    assert_eq!(redis.cli(&["ping"]), "PONG");
    assert_eq!(redis.url(), format!("redis://:secret@{}", redis.address()));
    let port = redis.port().to_string();
    let answer = Command::new(program("redis-cli")).args(["-p", &port, "ping"]).output().unwrap();
    assert!(String::from_utf8(answer.stdout).unwrap().contains("NOAUTH"));
    let replica = Redis::start();
    redis.cli(&["set", "a", "1"]);
    replica.replica_of(&redis);
    assert_eq!(replica.cli(&["get", "a"]), "1");
}

#[test]
fn a_redis_with_an_unknown_option_says_so() {
    let start = || Redis::start_with(&["--no-such-option", "1"]);
    let Err(said) = std::panic::catch_unwind(start) else { panic!("it started") };
    let said = said.downcast::<String>().unwrap();
    assert!(said.contains("no-such-option"), "{said}");
}

#[test]
fn a_paused_redis_answers_when_it_goes_on() {
    let redis = Redis::start();
    redis.pause();
    std::thread::scope(|scope| {
        let asked = Instant::now();
        let answer = scope.spawn(|| redis.cli(&["ping"]));
        std::thread::sleep(Duration::from_millis(200));
        assert!(!answer.is_finished());
        redis.resume();
        assert_eq!(answer.join().unwrap(), "PONG");
        assert!(asked.elapsed() >= Duration::from_millis(200));
    });
    redis.pause();
    redis.restart();
    assert_eq!(redis.cli(&["ping"]), "PONG");
}

#[test]
fn a_cluster_keeps_a_key_on_one_node() {
    let cluster = RedisCluster::start();
    let addresses: Vec<_> = cluster.nodes().iter().map(|node| node.address().to_string()).collect();
    assert_eq!(cluster.url(), format!("redis://{}", addresses.join(",")));
    let mut owners = BTreeSet::new();
    for number in 0..20 {
        let key = format!("key-{number}");
        assert_eq!(cluster.nodes()[0].cli(&["-c", "set", &key, "1"]), "OK");
        let holds = |node: &&Redis| node.cli(&["get", &key]) == "1";
        let owner: Vec<_> = cluster.nodes().iter().filter(holds).map(Redis::port).collect();
        assert_eq!(owner.len(), 1, "{key}: {owner:?}");
        owners.extend(owner);
        let others = cluster.nodes().iter().filter(|node| node.cli(&["get", &key]).starts_with("MOVED"));
        assert_eq!(others.count(), 2);
    }
    assert_eq!(owners, cluster.ports().into_iter().collect());

    let node = &cluster.nodes()[1];
    node.restart();
    cluster.wait_until_whole();
    assert_eq!(node.cli(&["dbsize"]), "0");
}

#[test]
fn sentinels_make_the_replica_the_master() {
    let all = RedisSentinel::start();
    assert_eq!(all.sentinel_ports().len(), 3);
    let first = all.wait_for_failover();
    assert_eq!(first.port(), all.nodes()[0].port());
    first.cli(&["set", "a", "1"]);
    assert_eq!(first.cli(&["wait", "1", "5000"]), "1");
    all.kill_master();
    let second = all.wait_for_failover();
    assert_eq!(second.port(), all.nodes()[1].port());
    assert_eq!(second.cli(&["get", "a"]), "1");
    assert_eq!(second.cli(&["set", "a", "2"]), "OK");
}
