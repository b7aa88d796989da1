//! `Idempotency-Key`: sent again, nothing is done again.

use std::sync::Arc;

use hongbao_host::imports::ManualClock;
use hongbao_host::server::ServiceSettings;
use reqwest::Method;
use serde_json::json;

use crate::stage::{Keys, NOW_MS, Stage, Stores, until};

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

/// What the wallet of alice holds.
async fn balance(stage: &Stage, keys: &Keys) -> u64 {
    stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok()["balance"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_want_of_money_is_not_kept_and_the_packet_is_sent_once() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    for _ in 0..2 {
        let poor = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await;
        assert_eq!((poor.status.as_u16(), poor.problem().as_str()), (422, "insufficient-funds"));
        assert_eq!(poor.header("idempotency-replayed"), None, "asked anew each time");
    }
    stage.fund(&keys, "alice", 1_000).await;
    let sent = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await;
    assert_eq!((sent.status.as_u16(), sent.header("idempotency-replayed")), (201, None));
    let again = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await;
    assert_eq!((again.header("idempotency-replayed"), again.ok()), (Some("true"), sent.ok()));
    let other = stage.once("/v1/packets", &keys["member"], "k1", packet(301)).await;
    assert_eq!(other.problem(), "key-reused", "the key belongs to what succeeded");
    assert_eq!(balance(&stage, &keys).await, 700);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_refused_leaves_its_key_free() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let (member, admin, operator) = (&keys["member"], &keys["admin"], &stage.operator);
    stage.fund(&keys, "alice", 1_000).await;
    let free = async |problem: &str, path: &str, key: &str, body: serde_json::Value| {
        for _ in 0..2 {
            let refused = stage.once(path, key, "the key", body.clone()).await;
            assert_eq!((refused.problem().as_str(), refused.header("idempotency-replayed")), (problem, None));
        }
    };
    // One key through one refusal after the other, on different paths: none of them holds it.
    free("invalid-argument", "/v1/packets", member, packet(0)).await;
    let many = json!({"room": "family", "sender": "alice", "total": 300, "shares": 150});
    free("invalid-argument", "/v1/packets", member, many.clone()).await;
    free("malformed", "/v1/packets", member, json!({"room": "family"})).await;
    free("forbidden", "/v1/packets", admin, packet(300)).await;
    free("invalid-argument", "/v1/users/alice/wallet/funds", &keys["fund"], json!({"amount": u64::MAX}))
        .await;
    free("invalid-argument", "/v1/tenants/acme/keys", admin, json!({"label": "", "scopes": ["member"]}))
        .await;
    stage.post("/v1/tenants/acme/suspend", admin, json!({})).await.ok();
    free("suspended", "/v1/packets", member, packet(300)).await;
    stage.post("/v1/tenants/acme/resume", admin, json!({})).await.ok();
    // What was too many shares is not any more, once the policy says so.
    let wider = json!({"policy": {"max_shares": 200}});
    stage.put("/v1/tenants/acme/settings", operator, wider).await.ok();
    stage.once("/v1/packets", member, "the key", many).await.ok();
    assert_eq!(balance(&stage, &keys).await, 700);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_ledger_is_not_taken_from_the_request_that_it_belongs_to() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let sent = stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await.ok();
    // The answer is forgotten after a day; the ledger still knows whose key it is.
    stage.clock.advance(25 * 60 * 60 * 1000);
    let other = stage.once("/v1/packets", &keys["member"], "k1", packet(301)).await;
    assert_eq!(other.problem(), "key-reused");
    assert_eq!(stage.once("/v1/packets", &keys["member"], "k1", packet(300)).await.ok(), sent);
    until("the packet of yesterday is refunded, once", async || balance(&stage, &keys).await == 1_000).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_request_that_is_sent_many_times_at_once_is_carried_out_once() {
    let stage = Arc::new(Stage::start().await);
    let keys = Arc::new(stage.tenant("acme").await);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (stage, keys) = (Arc::clone(&stage), Arc::clone(&keys));
        // Each goes on until it is carried out, while the wallet is topped up.
        tasks.spawn(async move {
            loop {
                let answer = stage.once("/v1/packets", &keys["member"], "same", packet(300)).await;
                match answer.status.as_u16() {
                    201 => return answer.text,
                    409 => assert_eq!(answer.problem(), "in-progress"),
                    _ => assert_eq!(answer.problem(), "insufficient-funds"),
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
    }
    stage.fund(&keys, "alice", 1_000).await;
    let mut packets = tasks.join_all().await;
    packets.dedup();
    assert_eq!((packets.len(), balance(&stage, &keys).await), (1, 700));
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
