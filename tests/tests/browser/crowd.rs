//! People without windows: they call the API as the page does.

use reqwest::Client;
use serde_json::{Value, json};

/// Somebody who has joined, with the key of their session.
#[derive(Clone)]
pub struct Member {
    client: Client,
    url: String,
    key: String,
    user: String,
    room: String,
}

impl Member {
    pub async fn join(client: &Client, url: &str, name: &str) -> Self {
        let asked = client.post(format!("{url}/demo/session")).json(&json!({"name": name}));
        let session: Value = asked.send().await.unwrap().json().await.unwrap();
        Self::new(client, url, &session)
    }

    /// From a session as the service tells it and the page keeps it.
    pub fn new(client: &Client, url: &str, session: &Value) -> Self {
        let part = |name: &str| session[name].as_str().unwrap_or_else(|| panic!("{session}")).to_owned();
        let (key, user, room) = (part("key"), part("user"), part("room"));
        Self { client: client.clone(), url: url.to_owned(), key, user, room }
    }

    /// Posts as this person; the answer must be a good one.
    async fn post(&self, path: &str, idempotency_key: Option<&str>, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.key).json(body);
        let request = match idempotency_key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        let response = request.send().await.unwrap();
        let (status, text) = (response.status(), response.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// What this person has taken out, the latest first.
    pub async fn withdrawals(&self) -> Vec<Value> {
        let path = format!("{}/v1/users/{}/wallet/withdrawals", self.url, self.user);
        let page: Value =
            self.client.get(path).bearer_auth(&self.key).send().await.unwrap().json().await.unwrap();
        page["items"].as_array().unwrap_or_else(|| panic!("{page}")).clone()
    }

    pub async fn say(&self, id: &str, text: &str) {
        let body = json!({"id": id, "sender": self.user, "text": text, "language": "en"});
        self.post(&format!("/v1/rooms/{}/messages", self.room), None, &body).await;
    }

    /// Sends a packet; `more` are further fields, such as `expires_in_ms`. Gives its id.
    pub async fn send(&self, total: u64, shares: u32, greeting: &str, more: Value) -> String {
        let mut body = json!({
            "sender": self.user, "room": self.room, "total": total, "shares": shares, "greeting": greeting,
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        // A key is plain ASCII, which people and greetings are not.
        let key = format!("a packet of {total} for {shares}");
        self.post("/v1/packets", Some(&key), &body).await["packet"].as_str().unwrap().to_owned()
    }

    /// Takes a share of a packet; gives its amount in minor units.
    pub async fn take(&self, packet: &str) -> u64 {
        let path = format!("/v1/packets/{packet}/grab-and-open");
        let taken = self.post(&path, None, &json!({"user": self.user})).await;
        assert_eq!(taken["outcome"], "opened", "{taken}");
        taken["amount"].as_u64().unwrap()
    }
}
