//! People with a client, and what they see in a room.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::stage::until;

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    url: String,
    token: String,
    client: Client,
}

fn segment(text: &str) -> String {
    text.bytes().fold(String::new(), |mut path, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
        path
    })
}

fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Person {
    /// Registers an account.
    pub async fn register(url: &str, client: &Client, name: &str) -> Self {
        let body = json!({"username": name, "password": "p", "auth": {"type": "m.login.dummy"}});
        let answer =
            client.post(format!("{url}/_matrix/client/v3/register")).json(&body).send().await.unwrap();
        let made: Value = answer.json().await.unwrap();
        let text = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        Self { id: text("user_id"), url: url.to_owned(), token: text("access_token"), client: client.clone() }
    }

    pub async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let url = format!("{}/_matrix/client/{path}", self.url);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    #[track_caller]
    fn ok(answer: (StatusCode, Value)) -> Value {
        assert!(answer.0.is_success(), "{answer:?}");
        answer.1
    }

    /// Makes a room with these guests, who have to join; gives its id.
    pub async fn make_room(&self, guests: &[&str], state: Value) -> String {
        let body = json!({"preset": "private_chat", "invite": guests, "initial_state": state});
        let made = Self::ok(self.ask(Method::POST, "v3/createRoom", Some(body)).await);
        made["room_id"].as_str().unwrap().to_owned()
    }

    pub async fn join(&self, room: &str) {
        Self::ok(self.ask(Method::POST, &format!("v3/join/{}", segment(room)), Some(json!({}))).await);
    }

    /// Sends an event; gives its id.
    pub async fn send(&self, room: &str, kind: &str, content: Value) -> String {
        let path = format!("v3/rooms/{}/send/{kind}/{}", segment(room), unique());
        let sent = Self::ok(self.ask(Method::PUT, &path, Some(content)).await);
        sent["event_id"].as_str().unwrap().to_owned()
    }

    pub async fn say(&self, room: &str, text: &str) -> String {
        self.send(room, "m.room.message", json!({"msgtype": "m.text", "body": text})).await
    }

    /// Reacts to a message as if it were tapped.
    pub async fn tap(&self, room: &str, message: &str) -> String {
        let relation = json!({"rel_type": "m.annotation", "event_id": message, "key": "🧧"});
        self.send(room, "m.reaction", json!({"m.relates_to": relation})).await
    }

    pub async fn redact(&self, room: &str, event: &str) {
        let path = format!("v3/rooms/{}/redact/{}/{}", segment(room), segment(event), unique());
        Self::ok(self.ask(Method::PUT, &path, Some(json!({}))).await);
    }

    /// The events of a room, the latest first.
    pub async fn events(&self, room: &str) -> Vec<Value> {
        let path = format!("v3/rooms/{}/messages?dir=b&limit=500", segment(room));
        Self::ok(self.ask(Method::GET, &path, None).await)["chunk"].as_array().unwrap().clone()
    }

    /// One event, with its latest edit.
    pub async fn event(&self, room: &str, id: &str) -> Value {
        let path = format!("v3/rooms/{}/event/{}", segment(room), segment(id));
        Self::ok(self.ask(Method::GET, &path, None).await)
    }

    pub async fn is_member(&self, room: &str, user: &str) -> bool {
        let path = format!("v3/rooms/{}/state/m.room.member/{}", segment(room), segment(user));
        self.ask(Method::GET, &path, None).await.1["membership"] == "join"
    }

    /// The first messages of all cards in a room, the oldest first.
    pub async fn cards(&self, room: &str) -> Vec<Card> {
        let mut events = self.events(room).await;
        events.reverse();
        let is_card = |event: &Value| event["content"]["dev.hongbao.card"].is_object();
        let cards = events.iter().filter(|event| is_card(event));
        cards
            .map(|event| Card {
                message: event["event_id"].as_str().unwrap().to_owned(),
                packet: event["content"]["dev.hongbao.card"]["packet"].as_str().unwrap().to_owned(),
                root: {
                    let named = event["content"]["dev.hongbao.card"]["thread"].as_str();
                    named.or(event["event_id"].as_str()).unwrap().to_owned()
                },
                command: event["content"]["m.relates_to"]["event_id"].as_str().map(str::to_owned),
            })
            .collect()
    }

    /// The one card in a room, once it is there.
    pub async fn card(&self, room: &str) -> Card {
        until("a card", || async { !self.cards(room).await.is_empty() }).await;
        let mut cards = self.cards(room).await;
        assert_eq!(cards.len(), 1, "{cards:?}");
        cards.remove(0)
    }

    /// How a card looks now.
    pub async fn look(&self, room: &str, message: &str) -> Value {
        let event = self.event(room, message).await;
        let edit = &event["unsigned"]["m.relations"]["m.replace"]["content"]["m.new_content"];
        if edit.is_object() { edit.clone() } else { event["content"].clone() }
    }

    /// Waits until a card stands so; gives its text.
    pub async fn until_state(&self, room: &str, message: &str, state: &str) -> String {
        until(&format!("a card that is {state}"), || async {
            self.look(room, message).await["dev.hongbao.card"]["state"] == state
        })
        .await;
        self.look(room, message).await["body"].as_str().unwrap().to_owned()
    }

    /// What the bridge said in a thread.
    pub async fn notices(&self, room: &str, root: &str) -> Vec<String> {
        let mut events = self.events(room).await;
        events.reverse();
        let is_in = |event: &&Value| {
            let relation = &event["content"]["m.relates_to"];
            relation["rel_type"] == "m.thread"
                && relation["event_id"] == root
                && event["content"]["msgtype"] == "m.notice"
        };
        events
            .iter()
            .filter(is_in)
            .map(|event| event["content"]["body"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Waits until the bridge says something with this in it.
    pub async fn until_told(&self, room: &str, root: &str, part: &str) -> String {
        until(&format!("a notice with {part:?}"), || async {
            self.notices(room, root).await.iter().any(|notice| notice.contains(part))
        })
        .await;
        self.notices(room, root).await.into_iter().find(|notice| notice.contains(part)).unwrap()
    }
}

/// A card as it was first sent.
#[derive(Clone, Debug)]
pub struct Card {
    pub message: String,
    pub packet: String,
    /// The first event of the thread in which people are told about it.
    pub root: String,
    /// The event of the command that it refers to.
    pub command: Option<String>,
}
