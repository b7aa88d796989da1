//! What the id of a chat message is unique in: its room and its sender, and no other call.

use serde_json::{Value, json};

use crate::stage::{Answer, Keys, Stage};

async fn say(stage: &Stage, keys: &Keys, room: &str, sender: &str, id: &str, text: &str) -> Answer {
    let body = json!({"id": id, "sender": sender, "text": text});
    stage.post(&format!("/v1/rooms/{room}/messages"), &keys["member"], body).await
}

/// The packet of the card that a command was answered with.
#[track_caller]
fn packet(answer: &Answer) -> String {
    let answer = answer.ok();
    answer["replies"][0]["card"]["packet"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// The code of the problem that a command was answered with.
#[track_caller]
fn refusal(answer: &Answer) -> String {
    answer.ok()["replies"][0]["code"].as_str().unwrap().to_owned()
}

async fn sent(stage: &Stage, keys: &Keys, user: &str) -> usize {
    let sent = stage.get(&format!("/v1/users/{user}/sent"), &keys["member"]).await.ok();
    sent["items"].as_array().map(Vec::len).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_id_in_two_rooms_is_two_messages() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 10_000).await;
    let family = packet(&say(&stage, &keys, "family", "alice", "42", "/hongbao 5 2").await);
    let same = packet(&say(&stage, &keys, "work", "alice", "42", "/hongbao 5 2").await);
    let other = packet(&say(&stage, &keys, "club", "alice", "42", "/hongbao 7 3").await);
    assert_eq!(sent(&stage, &keys, "alice").await, 3);
    // Names that run into each other when they are put one behind the other.
    packet(&say(&stage, &keys, "family4", "alice", "2", "/hongbao 5 2").await);
    packet(&say(&stage, &keys, "famil", "alice", "y42", "/hongbao 5 2").await);
    assert_eq!(sent(&stage, &keys, "alice").await, 5);

    // Delivered twice it is the same packet, in its own room.
    let again = packet(&say(&stage, &keys, "family", "alice", "42", "/hongbao 5 2").await);
    assert_eq!(again, family);
    let again = packet(&say(&stage, &keys, "work", "alice", "42", "/hongbao 5 2").await);
    assert_eq!(again, same);
    let reused = say(&stage, &keys, "club", "alice", "42", "/hongbao 7 4").await;
    assert_eq!(refusal(&reused), "key-reused");
    assert_ne!(other, same);
    assert_eq!(sent(&stage, &keys, "alice").await, 5);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_messages_and_keys_of_requests_never_meet() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 10_000).await;
    let order = |total: u64| json!({"room": "family", "sender": "alice", "total": total, "shares": 2});
    let send = async |key: &str, body: Value| stage.once("/v1/packets", &keys["member"], key, body).await;
    let typed = packet(&say(&stage, &keys, "family", "alice", "42", "/hongbao 5 2").await);
    let posted = send("42", order(500)).await.ok();
    assert_ne!(posted["packet"], typed.as_str());
    let posted = send("43", order(600)).await.ok();
    let typed = packet(&say(&stage, &keys, "family", "alice", "43", "/hongbao 5 2").await);
    assert_ne!(posted["packet"], typed.as_str());
    // Nor by a key that looks like one of the ledger's for a message.
    for key in ["message:42", "message:", "request:42", "request:message:42"] {
        send(key, order(100)).await.ok();
        assert_eq!(send(key, order(101)).await.problem(), "key-reused");
    }
    assert_eq!(sent(&stage, &keys, "alice").await, 8);
    // A funding has keys of its own in the ledger; over HTTP a key names one call of the tenant.
    let funds = "/v1/users/alice/wallet/funds";
    stage.once(funds, &keys["fund"], "44", json!({"amount": 500})).await.ok();
    packet(&say(&stage, &keys, "family", "alice", "44", "/hongbao 5 2").await);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_and_tenants_count_for_themselves_and_ids_may_be_long() {
    let stage = Stage::start().await;
    let (acme, other) = (stage.tenant("acme").await, stage.tenant("other").await);
    for keys in [&acme, &other] {
        for user in ["alice", "bob"] {
            stage.fund(keys, user, 1_000).await;
            packet(&say(&stage, keys, "family", user, "42", "/hongbao 5 2").await);
            assert_eq!(sent(&stage, keys, user).await, 1);
        }
    }
    let (room, id) = ("r".repeat(256), "i".repeat(256));
    let long = packet(&say(&stage, &acme, &room, "alice", &id, "/hongbao 1 1").await);
    assert_eq!(packet(&say(&stage, &acme, &room, "alice", &id, "/hongbao 1 1").await), long);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_refused_is_carried_out_when_it_comes_again() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let poor = say(&stage, &keys, "family", "alice", "42", "/hongbao 5 2").await;
    assert_eq!(refusal(&poor), "insufficient-funds");
    stage.fund(&keys, "alice", 1_000).await;
    let first = packet(&say(&stage, &keys, "family", "alice", "42", "/hongbao 5 2").await);
    assert_eq!(packet(&say(&stage, &keys, "family", "alice", "42", "/hongbao 5 2").await), first);
    assert_eq!(sent(&stage, &keys, "alice").await, 1);
    stage.stop().await;
}
