//! What is sent again after the tenant's settings have changed.

use hongbao_host::imports::Clock as _;
use serde_json::{Value, json};

use crate::stage::{Keys, Stage};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// After this the service knows no answer any more: the ledger alone knows whose key it is.
fn forget(stage: &Stage) {
    stage.clock.advance(DAY);
}

async fn set(stage: &Stage, policy: Value) {
    stage.put("/v1/tenants/acme/settings", &stage.operator, json!({"policy": policy})).await.ok();
}

async fn balance(stage: &Stage, keys: &Keys) -> u64 {
    stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok()["balance"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_is_what_was_asked_for_and_not_what_todays_policy_would_make_of_it() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 10_000).await;
    let plain =
        json!({"room": "family", "sender": "alice", "total": 3_000, "shares": 30, "greeting": "恭喜发财"});
    let said = json!({"room": "family", "sender": "alice", "total": 400, "shares": 4, "strategy": "equal",
                      "expires_in_ms": 20 * DAY});
    let first = stage.once("/v1/packets", &keys["member"], "plain", plain.clone()).await.ok();
    let second = stage.once("/v1/packets", &keys["member"], "said", said.clone()).await.ok();
    for policy in [
        json!({"default_strategy": "line-cut"}),
        json!({"default_expires_in_ms": 3 * DAY}),
        json!({"sender_may_grab": false}),
        json!({"max_shares": 3}),
        json!({"max_share": 1}),
        json!({"max_greeting_chars": 1}),
        json!({"max_expires_in_ms": DAY}),
    ] {
        set(&stage, policy.clone()).await;
        forget(&stage);
        for (key, body, sent) in [("plain", &plain, &first), ("said", &said, &second)] {
            let again = stage.once("/v1/packets", &keys["member"], key, body.clone()).await;
            assert_eq!(again.header("idempotency-replayed"), None, "nobody knows the answer any more");
            assert_eq!(&again.ok(), sent, "{key} with {policy}");
        }
    }
    assert!(stage.clock.now_ms() > 0);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_request_is_another_one_under_any_policy() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let body = |change: Value| {
        let mut body = json!({"room": "family", "sender": "alice", "total": 300, "shares": 3, "strategy": "equal",
                              "expires_in_ms": DAY});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        body
    };
    stage.once("/v1/packets", &keys["member"], "k1", body(json!({}))).await.ok();
    set(&stage, json!({"default_strategy": "line-cut", "sender_may_grab": false})).await;
    for change in [
        json!({"total": 303}),
        json!({"shares": 1}),
        json!({"room": "work"}),
        json!({"greeting": "hi"}),
        json!({"strategy": "line-cut"}),
        json!({"expires_in_ms": 2 * DAY}),
        json!({"to": ["bob", "carol", "dave"]}),
    ] {
        forget(&stage);
        let other = stage.once("/v1/packets", &keys["member"], "k1", body(change.clone())).await;
        assert_eq!((other.status.as_u16(), other.problem().as_str()), (422, "key-reused"), "{change}");
    }
    set(&stage, json!({"max_shares": 2})).await;
    forget(&stage);
    let other = stage.once("/v1/packets", &keys["member"], "k1", body(json!({"total": 303}))).await;
    assert_eq!(other.problem(), "invalid-argument", "which it is, whoever's key that was");
    // The packet has ended by now, and its sender has it all again.
    crate::stage::until("the refund", || async { balance(&stage, &keys).await == 1_000 }).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_again_shows_the_packet_that_it_has_sent() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 10_000).await;
    let path = "/v1/rooms/family/messages";
    let message = json!({"id": "m1", "sender": "alice", "text": "/hongbao 10 5"});
    let packet = |told: &Value| told["replies"][0]["card"]["packet"].as_str().map(str::to_owned);
    let sent = stage.post(path, &keys["member"], message.clone()).await.ok();
    let first = packet(&sent).unwrap_or_else(|| panic!("no card of a packet: {sent}"));
    for policy in [
        json!({"default_strategy": "line-cut"}),
        json!({"default_expires_in_ms": 3 * DAY, "sender_may_grab": false}),
        json!({"max_shares": 3}),
        json!({"max_share": 1}),
    ] {
        set(&stage, policy.clone()).await;
        let again = stage.post(path, &keys["member"], message.clone()).await.ok();
        assert_eq!(packet(&again).as_ref(), Some(&first), "{policy}: {again}");
    }
    let other = json!({"id": "m2", "sender": "alice", "text": "/hongbao 10 5"});
    let refused = stage.post(path, &keys["member"], other).await.ok();
    assert_eq!(packet(&refused), None, "a message that has sent nothing is told why: {refused}");
    assert_eq!(balance(&stage, &keys).await, 9_000);
    stage.stop().await;
}
