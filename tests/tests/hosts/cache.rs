//! Hosts whose cache is away, or refuses writes.

use hongbao_tests::servers::Redis;
use serde_json::{Value, json};

use crate::caller::{Caller, post};
use crate::stage::{Stage, until};

/// A host's metrics of its counter: the state, and the reason if there is one.
async fn state(host: &Caller) -> String {
    let text = host.client.get(format!("{}/metrics", host.url)).send().await.unwrap().text().await.unwrap();
    let label = |line: &str| Some(line.strip_suffix("\"} 1")?.split_once("=\"")?.1.to_owned());
    let of = |metric: &str| {
        let start = format!("{metric}{{store=\"counter\",");
        text.lines().filter_map(|line| line.strip_prefix(&start)).find_map(label)
    };
    let state = of("hongbao_store_state").unwrap_or_else(|| panic!("no state of the counter in {text}"));
    match of("hongbao_store_reason") {
        Some(reason) => format!("{state}: {reason}"),
        None => state,
    }
}

async fn both_are(stage: &Stage, expected: &str) {
    for host in 0..2 {
        let host = stage.directly(host);
        until(expected, || async { state(&host).await.starts_with(expected) }).await;
    }
}

/// `/readyz` of a host: its status and its body.
async fn ready(host: &Caller) -> (u16, Value) {
    let answer = host.client.get(format!("{}/readyz", host.url)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn send(caller: &Caller, key: &str) -> String {
    let fund = post("fund", "/v1/users/alice/wallet/funds", json!({"amount": 50_000}));
    caller.ok(fund.once(format!("fund-{key}"))).await;
    let body = json!({"room": "family", "sender": "alice", "total": 50_000, "shares": 100});
    caller.ok(post("member", "/v1/packets", body).once(key)).await["packet"].as_str().unwrap().to_owned()
}

async fn tap(caller: &Caller, packet: &str, how: &str, user: &str) -> Value {
    caller.ok(post("member", format!("/v1/packets/{packet}/{how}"), json!({"user": user}))).await
}

async fn is_contended(caller: &Caller, packet: &str, user: &str) {
    let told = tap(caller, packet, "grab", user).await;
    assert_eq!(told, json!({"outcome": "contended", "may_open": true}), "{user}");
}

async fn opens(caller: &Caller, packet: &str, user: &str) {
    assert_eq!(tap(caller, packet, "open", user).await["outcome"], "opened", "{user}");
}

/// What a host's log says of its counter, with the lines of the first second left out by the caller.
fn told(stage: &Stage, host: usize) -> Vec<String> {
    stage.hosts[host].log(" counter: ")
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_start_without_their_cache_and_are_joined_by_it() {
    let redis = Redis::start();
    redis.kill();
    let mut stage = Stage::on(redis.url()).await;
    let (one, two) = (stage.directly(0), stage.directly(1));
    both_are(&stage, "away: it does not answer").await;
    let (status, body) = ready(&one).await;
    assert!(status == 200 && body["counter"] != "ok", "{body}");
    let packet = send(&one, "first").await;
    for user in ["bob", "carol", "dave"] {
        is_contended(&one, &packet, user).await;
    }
    opens(&one, &packet, "bob").await;
    opens(&two, &packet, "carol").await;
    let lines = told(&stage, 0);
    assert!(lines.len() == 1 && lines[0].contains("does not answer"), "{lines:?}");

    redis.restart();
    both_are(&stage, "ok").await;
    assert_eq!(ready(&one).await.1["counter"], "ok");
    opens(&two, &packet, "dave").await;
    assert_eq!(tap(&one, &packet, "grab", "erin").await["outcome"], "admitted");
    assert_eq!(tap(&two, &packet, "grab", "erin").await["outcome"], "already-grabbed");
    assert_eq!(told(&stage, 0).len(), 2, "{:?}", told(&stage, 0));

    // It dies, and a host is restarted meanwhile.
    redis.kill();
    both_are(&stage, "away").await;
    is_contended(&one, &packet, "fay").await;
    stage.hosts[0].end("KILL").await;
    stage.hosts[0].start().await;
    is_contended(&one, &packet, "gil").await;
    opens(&one, &packet, "fay").await;
    redis.restart();
    both_are(&stage, "ok").await;
    for user in ["gil", "erin"] {
        opens(&two, &packet, user).await;
    }
    assert_eq!(tap(&two, &packet, "grab", "hal").await["outcome"], "admitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_refuses_writes_is_told_once_and_turns_nobody_away() {
    let redis = Redis::start();
    let stage = Stage::on(redis.url()).await;
    let (one, two) = (stage.directly(0), stage.directly(1));
    both_are(&stage, "ok").await;
    let packet = send(&one, "first").await;
    assert_eq!(tap(&one, &packet, "grab", "bob").await["outcome"], "admitted");
    let before = [told(&stage, 0).len(), told(&stage, 1).len()];
    let lines_before = stage.hosts[0].log("").len();

    redis.cli(&["config", "set", "maxmemory", "1"]);
    // Nobody has tapped the second host.
    both_are(&stage, "refuses-writes: its memory is full").await;
    let (status, body) = ready(&two).await;
    assert!(status == 200 && body["counter"] != "ok", "{body}");
    for number in 0..40 {
        is_contended(&one, &packet, &format!("user-{number}")).await;
    }
    for number in 0..20 {
        let host = if number % 2 == 0 { &one } else { &two };
        opens(host, &packet, &format!("user-{number}")).await;
    }
    let lines = told(&stage, 0);
    assert_eq!(lines.len(), before[0] + 1, "{lines:?}");
    assert!(lines[before[0]].contains("memory is full") && lines[before[0]].contains("maxmemory-policy"));
    let all = stage.hosts[0].log("");
    assert!(all.len() < lines_before + 6, "a line for each tap: {:#?}", &all[lines_before..]);

    redis.cli(&["config", "set", "maxmemory", "0"]);
    both_are(&stage, "ok").await;
    for number in 20..40 {
        let host = if number % 2 == 0 { &one } else { &two };
        opens(host, &packet, &format!("user-{number}")).await;
    }
    opens(&two, &packet, "bob").await;
    for (host, before) in before.into_iter().enumerate() {
        assert_eq!(told(&stage, host).len(), before + 2, "{:?}", told(&stage, host));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_policy_that_can_refuse_writes_is_warned_of() {
    let redis = Redis::start_with(&["--maxmemory", "100mb", "--maxmemory-policy", "noeviction"]);
    let stage = Stage::on(redis.url()).await;
    let is_warned = || async { stage.hosts[0].log("maxmemory-policy noeviction").len() == 1 };
    until("a warning", is_warned).await;
}
