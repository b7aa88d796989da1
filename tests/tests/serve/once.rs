//! `Idempotency-Key`: sent again, nothing is done again.

use std::sync::Arc;

use hongbao_host::http::ServiceSettings;
use hongbao_host::imports::ManualClock;
use reqwest::Method;
use serde_json::json;

use crate::stage::{NOW_MS, Stage, Stores};

fn packet(total: u64) -> serde_json::Value {
    json!({"room": "family", "sender": "alice", "total": total, "shares": 2})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_has_the_same_answer_and_moves_nothing() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let first = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await;
    let again = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await;
    assert_eq!((first.status.as_u16(), &first.text), (201, &again.text));
    assert_eq!(
        (first.header("idempotency-replayed"), again.header("idempotency-replayed")),
        (None, Some("true"))
    );
    let other = stage.once("/v1/packets", &keys["member"], "k1", packet(301)).await;
    assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "key-reused"));
    let wallet = stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok();
    assert_eq!(wallet["balance"], 700);

    // A funding keeps to its key as well.
    stage.fund(&keys, "alice", 1_000).await;
    assert_eq!(stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok()["balance"], 700);
    // Another path with the same key and body is another request.
    let elsewhere = stage.once("/v1/users/bob/wallet/funds", &keys["fund"], "k2", json!({"amount": 5})).await;
    elsewhere.ok();
    let elsewhere =
        stage.once("/v1/users/carol/wallet/funds", &keys["fund"], "k2", json!({"amount": 5})).await;
    assert_eq!(elsewhere.problem(), "key-reused");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_needed_and_must_be_printable() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let none = stage.post("/v1/packets", &keys["member"], packet(300)).await;
    assert_eq!((none.status.as_u16(), none.problem().as_str()), (400, "idempotency-key-missing"));
    let long = "k".repeat(129);
    assert_eq!(
        stage.once("/v1/packets", &keys["member"], &long, packet(300)).await.problem(),
        "invalid-argument"
    );
    let odd =
        stage.request(Method::POST, "/v1/packets", &keys["member"]).header("idempotency-key", &b"\xff"[..]);
    assert_eq!(stage.send(odd.json(&packet(300))).await.problem(), "invalid-argument");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_for_good_is_refused_again_and_what_may_pass_is_tried_again() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let poor = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await;
    assert_eq!((poor.status.as_u16(), poor.problem().as_str()), (422, "insufficient-funds"));
    stage.fund(&keys, "alice", 1_000).await;
    let replayed = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await;
    assert_eq!(replayed.problem(), "insufficient-funds");
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    // A request that says nothing was never begun.
    let zero = stage.once("/v1/packets", &keys["member"], "k2", packet(0)).await;
    assert_eq!(zero.problem(), "invalid-argument");
    let zero = stage.once("/v1/packets", &keys["member"], "k2", packet(0)).await;
    assert_eq!(zero.header("idempotency-replayed"), None);
    // A tenant that is suspended is asked again.
    stage.post("/v1/tenants/acme/suspend", &keys["admin"], json!({})).await.ok();
    let suspended = stage.once("/v1/packets", &keys["member"], "k3", packet(300)).await;
    assert_eq!((suspended.status.as_u16(), suspended.problem().as_str()), (503, "suspended"));
    stage.post("/v1/tenants/acme/resume", &keys["admin"], json!({})).await.ok();
    stage.once("/v1/packets", &keys["member"], "k3", packet(300)).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_carried_out() {
    let stage = Arc::new(Stage::start().await);
    let keys = Arc::new(stage.tenant("acme").await);
    stage.fund(&keys, "alice", 1_000).await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (stage, keys) = (Arc::clone(&stage), Arc::clone(&keys));
        tasks.spawn(async move { stage.once("/v1/packets", &keys["member"], "same", packet(300)).await });
    }
    let mut packets = Vec::new();
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        match answer.status.as_u16() {
            201 => packets.push(answer.text),
            409 => {
                assert_eq!(answer.problem(), "in-progress");
                assert!(answer.header("retry-after").is_some());
            }
            _ => panic!("{answer:?}"),
        }
    }
    packets.sort();
    packets.dedup();
    assert_eq!(packets.len(), 1, "all who were answered were told the same");
    assert_eq!(stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok()["balance"], 700);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_day_the_answer_is_forgotten_and_the_ledger_remembers() {
    let clock = Arc::new(ManualClock::new(NOW_MS));
    let stage = Stage::at(clock, Stores::default(), ServiceSettings::default(), None).await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let first = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await;
    stage.clock.advance(24 * 60 * 60 * 1000);
    let late = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await;
    assert_eq!((late.header("idempotency-replayed"), late.ok()), (None, first.ok()));
    let other =
        stage.once("/v1/users/alice/wallet/funds", &keys["fund"], "fund alice 1000", json!({"amount": 7}));
    assert_eq!(other.await.problem(), "key-reused", "a day later the key still belongs to its funding");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_hangs_up_changes_nothing() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    for round in 0..20 {
        let key = format!("k{round}");
        let request =
            stage.request(Method::POST, "/v1/packets", &keys["member"]).header("idempotency-key", &key);
        let hang_up = tokio::time::timeout(
            std::time::Duration::from_micros(200 * round),
            request.json(&packet(10)).send(),
        );
        let _ = hang_up.await;
    }
    for round in 0..20 {
        let key = format!("k{round}");
        let mut tries = 0;
        loop {
            let answer = stage.once("/v1/packets", &keys["member"], &key, packet(10)).await;
            if answer.status.as_u16() == 201 {
                break;
            }
            assert_eq!(answer.problem(), "in-progress");
            tries += 1;
            assert!(tries < 100);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
    assert_eq!(stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok()["balance"], 800);
    stage.stop().await;
}
