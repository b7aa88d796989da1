//! The demo: bounded, and for nobody's page but its own.

use std::net::Ipv4Addr;

use hongbao_host::server::DemoSettings;
use reqwest::RequestBuilder;
use serde_json::json;

use crate::stage::{Answer, Stage, Stores, until};

async fn stage(stores: Stores, demo: DemoSettings) -> Stage {
    Stage::with_demo(stores, demo).await
}

async fn join(stage: &Stage, name: &str, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Answer {
    let request = stage.client.post(format!("{}/demo/session", stage.url)).json(&json!({"name": name}));
    stage.send(change(request)).await
}

fn session_keys(answer: &Answer) -> String {
    answer.ok()["key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_bounded_in_rate_whatever_a_header_says_of_the_address() {
    let stage = stage(Stores::default(), DemoSettings::default()).await;
    let (mut joined, mut refused) = (0, None);
    for number in 0..60 {
        let address = Ipv4Addr::from(number + 0x0a00_0000).to_string();
        let answer = join(&stage, &format!("u{number}"), |request| {
            request.header("x-forwarded-for", &address).header("forwarded", format!("for={address}"))
        })
        .await;
        if answer.status == 201 {
            joined += 1;
        } else {
            refused = Some(answer);
        }
    }
    assert!((30..45).contains(&joined), "{joined}");
    let refused = refused.unwrap();
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (429, "rate-limited"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_bounded_in_number_also_after_a_restart() {
    let (stores, demo) = (Stores::default(), DemoSettings { sessions: 3, ..DemoSettings::default() });
    let first = stage(stores.clone(), demo.clone()).await;
    let key = session_keys(&join(&first, "alice", |request| request).await);
    for name in ["alice", "bob"] {
        join(&first, name, |request| request).await.ok();
    }
    for name in ["alice", "carol"] {
        assert_eq!(join(&first, name, |request| request).await.problem(), "rate-limited");
    }
    first.get("/v1/users/alice/wallet", &key).await.ok();
    let wallet = first.get("/v1/users/carol/wallet", &key).await;
    assert_eq!(wallet.problem(), "forbidden", "it speaks for alice alone");
    assert_eq!(first.get("/v1/events", &key).await.problem(), "forbidden", "it would tell of everybody");
    first.stop().await;

    let second = stage(stores, demo).await;
    assert_eq!(join(&second, "carol", |request| request).await.problem(), "rate-limited");
    second.get("/v1/users/alice/wallet", &key).await.ok();
    // A day later they have ended.
    second.clock.advance(24 * 60 * 60 * 1000);
    join(&second, "carol", |request| request).await.ok();
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_joined_is_told_who_else_has_and_nobody_else_is() {
    let (stores, demo) = (Stores::default(), DemoSettings::default());
    let first = stage(stores.clone(), demo.clone()).await;
    let key = session_keys(&join(&first, "alice", |request| request).await);
    for name in ["bob", "alice", "小红"] {
        join(&first, name, |request| request).await.ok();
    }
    let people = async |stage: &Stage| stage.get("/demo/people", &key).await.ok()["people"].clone();
    assert_eq!(people(&first).await, json!(["小红", "alice", "bob"]));
    for (key, refusal) in [("", "unauthenticated"), (first.operator.as_str(), "forbidden")] {
        assert_eq!(first.get("/demo/people", key).await.problem(), refusal);
    }
    let others = first.tenant("elsewhere").await;
    assert_eq!(first.get("/demo/people", &others["member"]).await.problem(), "not-found");
    first.stop().await;

    let second = stage(stores, demo).await;
    let found = people(&second).await;
    let mut found: Vec<_> = found.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, ["alice", "bob", "小红"], "also after a restart");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_fewer_than_there_are_and_a_name_that_is_none_takes_none() {
    let demo = DemoSettings { sessions_per_address: 2, ..DemoSettings::default() };
    let stage = stage(Stores::default(), demo).await;
    for bad in ["", "a\u{0}b", &*"x".repeat(300)] {
        assert_eq!(join(&stage, bad, |request| request).await.problem(), "invalid-argument", "{bad:?}");
    }
    for name in ["alice", "bob"] {
        join(&stage, name, |request| request).await.ok();
    }
    assert_eq!(join(&stage, "carol", |request| request).await.problem(), "rate-limited");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_names_and_its_own_page_are_answered() {
    let names = vec!["demo.example.org".to_owned()];
    let stage = stage(Stores::default(), DemoSettings { names, ..DemoSettings::default() }).await;
    let port = stage.listening.address().port();
    for path in ["/", "/assets/main.js", "/openapi.json", "/healthz", "/v1/tenants", "/nowhere"] {
        let request = stage.client.get(format!("{}{path}", stage.url)).bearer_auth(&stage.operator);
        let answer = stage.send(request.header("host", format!("rebound.example:{port}"))).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (421, "foreign-host"), "{path}");
    }
    for host in ["rebound.example", "[::1].evil.example", "127.0.0.1:abc"] {
        let refused = join(&stage, "alice", |request| request.header("host", host)).await;
        assert_eq!(refused.problem(), "foreign-host", "{host}");
    }
    let others = ["ftp", "chrome-extension"].map(|scheme| format!("{scheme}://127.0.0.1:{port}"));
    for origin in ["http://evil.example", "null", "http://localhost:1", &others[0], &others[1]] {
        let refused = join(&stage, "alice", |request| request.header("origin", origin)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.problem().as_str()),
            (403, "foreign-origin"),
            "{origin}"
        );
    }
    let own = stage.url.clone();
    join(&stage, "alice", |request| request.header("origin", own)).await.ok();
    for host in [format!("localhost:{port}"), format!("Demo.Example.Org:{port}")] {
        let origin = format!("http://{host}");
        join(&stage, "bob", |request| request.header("host", host).header("origin", origin)).await.ok();
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_demo_every_host_is_answered() {
    let stage = Stage::start().await;
    let request = stage.client.get(format!("{}/healthz", stage.url)).header("host", "api.example.org");
    assert_eq!(stage.send(request.header("origin", "http://elsewhere.example")).await.status, 200);
    assert_eq!(join(&stage, "alice", |request| request).await.status, 404);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bank_of_the_demo_pays_out_also_what_a_host_before_it_left() {
    let (stores, demo) = (Stores::default(), DemoSettings::default());
    let first = stage(stores.clone(), demo.clone()).await;
    let key = session_keys(&join(&first, "alice", |request| request).await);
    let out = async |stage: &Stage, id: &str, amount: u64| {
        stage.once("/demo/withdrawals", &key, id, json!({"amount": amount})).await
    };
    let taken = out(&first, "k1", 25_000).await;
    assert_eq!((taken.status.as_u16(), &taken.ok()["balance"]), (201, &json!(75_000)));
    assert_eq!(out(&first, "k1", 25_000).await.ok(), taken.ok(), "once for each key");
    assert_eq!(out(&first, "k1", 25_001).await.problem(), "key-reused");
    assert_eq!(out(&first, "k2", 75_001).await.problem(), "insufficient-funds");
    assert_eq!(out(&first, "k2", 0).await.problem(), "invalid-argument");
    let listed = async |stage: &Stage| {
        let page = stage.get("/v1/users/alice/wallet/withdrawals", &key).await.ok();
        page["items"].as_array().unwrap().iter().map(|one| one["state"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&first).await, ["held"]);
    until("the bank has paid", || async { listed(&first).await == ["completed"] }).await;
    // A person's own key does none of this.
    let own = "/v1/users/alice/wallet/withdrawals";
    assert_eq!(first.once(own, &key, "k3", json!({"amount": 1})).await.problem(), "forbidden");
    out(&first, "k4", 1_000).await.ok();
    first.stop().await;

    let second = stage(stores, demo).await;
    until("the next host has paid", || async { listed(&second).await == ["completed", "completed"] }).await;
    second.stop().await;
}
