//! A form that is sent again: after a refusal it is a new request, after a lost answer the same.

use serde_json::{Value, json};

use super::stage::{Stage, balance, shown};
use super::two::packet;
use super::window::Window;

/// Notes the key of each packet that is sent, and loses the next answers.
const WATCH: &str = "
  const real = window.fetch;
  [window.keys, window.lost] = [[], 0];
  window.fetch = async (where, request) => {
    const isPacket = request?.method === 'POST' && String(where).endsWith('/v1/packets');
    if (isPacket) window.keys.push(request.headers['idempotency-key']);
    const answer = await real(where, request);
    if (isPacket && window.lost-- > 0) throw new TypeError('lost');
    return answer;
  };";

async fn keys(window: &Window) -> Vec<String> {
    let keys = window.script("return window.keys", &[]).await;
    keys.as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

async fn fill_in(window: &Window, amount: &str, greeting: &str) {
    window.click("#send-packet").await;
    window.fill("#send-amount", amount).await;
    window.fill("#send-shares", "10").await;
    window.fill("#send-greeting", greeting).await;
    window.click("#send-submit").await;
}

#[tokio::test]
async fn who_is_topped_up_after_a_refusal_sends_the_same_form() {
    let stage = Stage::with_bank();
    let alice = stage.person("alice").await;
    alice.script(WATCH, &[]).await;
    fill_in(&alice, "1000.01", "At last").await;
    alice.reads("#send-problem", "The wallet holds ¥1,000.00.").await;
    alice.picture("refused-funds").await;
    stage.fund("alice", 1).await;
    alice.click("#send-submit").await;
    alice.misses("#send-dialog").await;
    packet(&alice, "At last").await;
    alice.reads("#balance-amount", &shown(0)).await;
    let keys = keys(&alice).await;
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_ne!(keys[0], keys[1]);
    // The browser itself complains of the refusal.
    assert!(alice.console().await.iter().all(|one| one.contains("status of 422")));
    stage.end(&[&alice]).await;
}

#[tokio::test]
async fn a_form_whose_answer_was_lost_sends_one_packet_however_often_it_is_pressed() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    alice.script(WATCH, &[]).await;
    // The page itself asks three times.
    alice.script("window.lost = 3", &[]).await;
    fill_in(&alice, "10", "Only once").await;
    alice.says("#send-problem", "The server does not answer").await;
    alice.click("#send-submit").await;
    alice.misses("#send-dialog").await;
    packet(&alice, "Only once").await;
    alice.reads("#balance-amount", &shown(99_000)).await;
    let first = keys(&alice).await;
    assert_eq!(first.len(), 4, "{first:?}");
    assert!(first.iter().all(|key| *key == first[0]), "{first:?}");
    assert_eq!(alice.count("[data-packet]").await, 1);

    // What was answered is over: the same form filled in again is another packet.
    fill_in(&alice, "10", "Only once").await;
    alice.misses("#send-dialog").await;
    alice.reads("#balance-amount", &shown(98_000)).await;
    assert_ne!(keys(&alice).await.last(), first.last());
    stage.end(&[&alice]).await;
}

/// Loses the next answers of the room's messages.
const LOSE_MESSAGES: &str = "
  const real = window.fetch;
  [window.ids, window.lost] = [[], arguments[0]];
  window.fetch = async (where, request) => {
    const isMessage = request?.method === 'POST' && String(where).endsWith('/messages');
    if (isMessage) window.ids.push(JSON.parse(request.body).id);
    const answer = await real(where, request);
    if (isMessage && window.lost-- > 0) throw new TypeError('lost');
    return answer;
  };";

#[tokio::test]
async fn a_command_whose_answer_was_lost_is_the_same_message_when_it_is_sent_again() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    alice.script(LOSE_MESSAGES, &[3.into()]).await;
    alice.fill("#message", "/hongbao 10 2 Once").await;
    alice.click("#send-message").await;
    alice.says(".toast.problem", "does not answer").await;
    alice.click("#send-message").await;
    alice.until("the field is empty", "return document.getElementById('message').value === ''", &[]).await;
    packet(&alice, "Once").await;
    alice.reads("#balance-amount", &shown(99_000)).await;
    assert_eq!(alice.count("[data-packet]").await, 1);
    let ids: Value = alice.script("return [window.ids.length, new Set(window.ids).size]", &[]).await;
    assert_eq!(ids, json!([4, 1]));
    assert_eq!(balance(&alice).await, 99_000);
    stage.end(&[&alice]).await;
}
