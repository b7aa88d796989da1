//! Webhooks: what is sent, to whom, and what becomes of it with receivers of every kind.

mod administered;
mod again;
mod delivered;
mod dying;
mod listened;
mod refused;

use std::sync::Arc;
use std::time::Duration;

use hongbao_host::imports::ManualClock;
use hongbao_host::server::WebhookSettings;
use serde_json::{Value, json};

use crate::stage::{Keys, NOW_MS, Stage, Stores, unhurried, until};
use hongbao_tests::receiver::{Message, Reaction, Receiver};

/// Retries by the clock of the test, which stands still until somebody moves it.
const RETRIES: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(600), Duration::from_secs(6000)];

/// Receivers on this machine, and none that is waited for long.
fn settings() -> WebhookSettings {
    WebhookSettings {
        allow_private_addresses: true,
        allow_http: true,
        time_limit: Duration::from_millis(500),
        poll: Duration::from_millis(10),
        retries: Some(RETRIES.into()),
        ..WebhookSettings::default()
    }
}

/// A service with a tenant, a receiver and a webhook to it.
struct Bench {
    stage: Stage,
    keys: Keys,
    receiver: Receiver,
    id: String,
    secret: String,
}

const HOOKS: &str = "/v1/tenants/acme/webhooks";

impl Bench {
    async fn start() -> Self {
        Self::with(Stores::default(), settings()).await
    }

    async fn with(stores: Stores, settings: WebhookSettings) -> Self {
        let stage = stage(stores, settings).await;
        let keys = stage.tenant("acme").await;
        let receiver = Receiver::start().await;
        let made = hook(&stage, &keys, json!({"url": receiver.url()})).await;
        let (id, secret) = (made["id"].as_str().unwrap().into(), made["secret"].as_str().unwrap().into());
        Self { stage, keys, receiver, id, secret }
    }

    fn path(&self, rest: &str) -> String {
        format!("{HOOKS}/{}{rest}", self.id)
    }

    async fn look(&self) -> Value {
        self.stage.get(&self.path(""), &self.keys["admin"]).await.ok()
    }

    async fn list(&self, what: &str) -> Vec<Value> {
        let list = self.stage.get(&self.path(what), &self.keys["admin"]).await.ok();
        list["items"].as_array().unwrap().clone()
    }

    async fn post(&self, what: &str, body: Value) -> crate::stage::Answer {
        self.stage.post(&self.path(what), &self.keys["admin"], body).await
    }

    async fn change(&self, body: Value) -> Value {
        let request = self.stage.request(reqwest::Method::PATCH, &self.path(""), &self.keys["admin"]);
        self.stage.send(request.json(&body)).await.ok()
    }

    /// So many events, each a funding of its own.
    async fn events(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.stage.fund(&self.keys, "alice", number).await;
        }
    }

    /// Waits until the receiver took so many different events; gives all messages that it took.
    async fn taken(&self, count: usize) -> Vec<Message> {
        let all = || async { events_of(&self.receiver.took()).len() >= count };
        until(&format!("{count} events"), all).await;
        self.receiver.took()
    }

    /// Waits until everything is written down and nothing waits.
    async fn done(&self) {
        let is_done = || async {
            let state = self.look().await;
            state["waiting"] == 0 && self.list("/failures").await.is_empty()
        };
        until("nothing waits", is_done).await;
    }

    /// Waits until the host has heard of a change, which takes two polls.
    async fn followed(&self) {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    async fn waiting(&self, count: usize) -> Vec<Value> {
        until(&format!("{count} failures"), || async { self.list("/failures").await.len() == count }).await;
        self.list("/failures").await
    }

    async fn stop(self) {
        self.stage.stop().await;
    }
}

async fn stage(stores: Stores, settings: WebhookSettings) -> Stage {
    let clock = Arc::new(ManualClock::new(NOW_MS));
    Stage::with_webhooks(clock, stores, unhurried(), settings).await
}

async fn hook(stage: &Stage, keys: &Keys, body: Value) -> Value {
    let salt = format!("hook {body}");
    stage.once(HOOKS, &keys["admin"], &salt, body).await.ok()
}

/// The ids of the events in these messages, each once.
fn events_of(messages: &[Message]) -> Vec<String> {
    let mut events: Vec<_> = messages.iter().map(|message| message.event().to_owned()).collect();
    events.sort();
    events.dedup();
    events
}

/// A message has one id for each event, and no two events have the same.
fn assert_ids_are_of_events(messages: &[Message]) {
    let mut pairs: Vec<_> = messages.iter().map(|message| (message.event(), &*message.id)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let (mut events, mut ids): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    let count = pairs.len();
    events.dedup();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((events.len(), ids.len()), (count, count), "{pairs:?}");
}

/// A failure's own words.
fn words(failure: &Value) -> &str {
    failure["last_error"].as_str().unwrap()
}

/// Lets an answer be what it is whichever message it is of.
fn status(status: u16) -> Reaction {
    Reaction::status(status)
}
