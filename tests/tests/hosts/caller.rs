//! Somebody who calls the API, and asks until there is an answer.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;

/// Keys of a tenant, by scope, and the operator's.
pub type Keys = HashMap<&'static str, String>;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub text: String,
}

impl Answer {
    /// The body, where the call went well.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        serde_json::from_str(&self.text).unwrap()
    }
}

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    /// Which key it is sent with.
    pub scope: &'static str,
    pub once: Option<String>,
    pub body: Option<Value>,
}

pub fn get(scope: &'static str, path: impl Into<String>) -> Ask {
    Ask { method: Method::GET, path: path.into(), scope, once: None, body: None }
}

pub fn post(scope: &'static str, path: impl Into<String>, body: Value) -> Ask {
    Ask { method: Method::POST, path: path.into(), scope, once: None, body: Some(body) }
}

impl Ask {
    /// With this `Idempotency-Key`.
    pub fn once(self, key: impl Into<String>) -> Self {
        Self { once: Some(key.into()), ..self }
    }
}

/// Whoever calls one address with a tenant's keys.
#[derive(Clone)]
pub struct Caller {
    pub url: String,
    pub keys: Keys,
    pub client: Client,
}

impl Caller {
    /// The same keys at another address.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    /// Asks; an error is that of the connection, or that an answer came in part.
    pub async fn ask(&self, ask: &Ask) -> reqwest::Result<Answer> {
        let request = self.client.request(ask.method.clone(), format!("{}{}", self.url, ask.path));
        let mut request = request.bearer_auth(&self.keys[ask.scope]);
        if let Some(key) = &ask.once {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let response = request.send().await?;
        Ok(Answer { status: response.status(), text: response.text().await? })
    }

    /// Asks once, and all has to be well.
    pub async fn ok(&self, ask: Ask) -> Value {
        self.ask(&ask).await.unwrap_or_else(|error| panic!("{ask:?}: {error:?}")).ok()
    }

    /// Asks until there is an answer that stays: not after a lost connection, a 5xx, or a 409. `missed`
    /// is told what came in place of one.
    pub async fn insist(&self, ask: &Ask, mut missed: impl FnMut(String)) -> Answer {
        loop {
            match self.ask(ask).await {
                Ok(answer) if answer.status.is_server_error() || answer.status == StatusCode::CONFLICT => {
                    missed(answer.status.as_u16().to_string());
                }
                Ok(answer) => return answer,
                Err(_) => missed("connection".into()),
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}
