//! A host that is killed while it delivers: another one has the lease then, and no event is left out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::caller::{Caller, post};
use crate::stage::{Stage, TENANT, until};
use hongbao_tests::receiver::{Message, Reaction, Receiver};

const EVENTS: u64 = 400;

/// How many endpoints a host delivers to, by its own metrics.
async fn endpoints(host: &Caller) -> u64 {
    let metrics = host.client.get(format!("{}/metrics", host.url)).send().await;
    let Ok(metrics) = metrics else { return 0 };
    let text = metrics.text().await.unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("hongbao_webhook_endpoints "));
    line.and_then(|line| line.rsplit(' ').next()).and_then(|count| count.parse().ok()).unwrap_or_default()
}

/// The ids of each event's messages.
fn ids(messages: &[Message]) -> BTreeMap<&str, Vec<&str>> {
    let mut ids = BTreeMap::<_, Vec<_>>::new();
    for message in messages {
        ids.entry(message.event()).or_default().push(&*message.id);
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_killed_while_it_delivers_and_every_event_is_told() {
    let mut stage = Stage::start().await;
    let receiver = Receiver::start().await;
    receiver.always(Reaction::Late(Duration::from_millis(50)));
    let path = format!("/v1/tenants/{TENANT}/webhooks");
    let made = stage.caller.ok(post("admin", path, json!({"url": receiver.url()})).once("hook")).await;
    let secret = made["secret"].as_str().unwrap();
    for number in 0..EVENTS {
        let funded = post("fund", "/v1/users/alice/wallet/funds", json!({"amount": number + 1}));
        stage.caller.ok(funded.once(format!("fund {number}"))).await;
    }
    until("it delivers", || async { receiver.got().len() >= 50 }).await;
    let mut delivering = None;
    for host in 0..2 {
        if endpoints(&stage.directly(host)).await > 0 {
            delivering = Some(host);
        }
    }
    let first = delivering.unwrap();
    stage.hosts[first].end("KILL").await;
    let before = ids(&receiver.got()).len() as u64;
    assert!(before < EVENTS, "it died half way");
    until("every event was told", || async { ids(&receiver.got()).len() as u64 == EVENTS }).await;
    assert_eq!(endpoints(&stage.directly(1 - first)).await, 1);
    let got = receiver.got();
    for (event, ids) in ids(&got) {
        assert!(ids.iter().all(|id| *id == ids[0]), "{event} has one id: {ids:?}");
    }
    assert!(got.iter().all(|message| message.is_signed_by(secret)));
    println!("{} messages of {EVENTS} events, {before} of them before the end", got.len());
}
