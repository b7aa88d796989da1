//! A client of the service's API.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

/// Longer than the service lets a request take.
const LONGEST: Duration = Duration::from_secs(40);

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub struct Ask {
    method: Method,
    path: String,
    once: Option<String>,
    body: Option<Value>,
}

/// A GET of this path.
pub fn get(path: impl Into<String>) -> Ask {
    Ask { method: Method::GET, path: path.into(), once: None, body: None }
}

/// A POST to this path.
pub fn post(path: impl Into<String>, body: Value) -> Ask {
    Ask { method: Method::POST, path: path.into(), once: None, body: Some(body) }
}

/// A PUT to this path.
pub fn put(path: impl Into<String>, body: Value) -> Ask {
    Ask { method: Method::PUT, ..post(path, body) }
}

impl Ask {
    /// With this `Idempotency-Key`.
    pub fn once(self, key: impl Into<String>) -> Self {
        Self { once: Some(key.into()), ..self }
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Null where it is no JSON.
    pub body: Value,
}

impl Answer {
    /// Whether it went well.
    pub const fn is_ok(&self) -> bool {
        matches!(self.status, 200..300)
    }

    /// A member of the body that is text; empty where there is none.
    pub fn text(&self, member: &str) -> &str {
        self.body.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    /// A member of the body that is a number.
    pub fn number(&self, member: &str) -> Option<u64> {
        self.body.get(member).and_then(Value::as_u64)
    }
}

/// Whoever calls a service with one key.
#[derive(Clone)]
pub struct Caller {
    url: String,
    client: Client,
    key: String,
}

impl Caller {
    /// A caller with connections of its own, which are kept open between requests.
    pub fn new(url: &str, key: impl Into<String>) -> Self {
        Self { url: url.to_owned(), client: client(usize::MAX), key: key.into() }
    }

    /// The same with another key.
    pub fn with_key(&self, key: impl Into<String>) -> Self {
        Self { key: key.into(), ..self.clone() }
    }

    /// The same with connections of its own: those of a client belong to the runtime that has made them.
    pub fn apart(&self) -> Self {
        Self { client: client(usize::MAX), ..self.clone() }
    }

    /// The same with a new connection for each request.
    pub fn connecting_anew(&self) -> Self {
        Self { client: client(0), ..self.clone() }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// Asks, and gives the answer as soon as it begins.
    pub async fn begin(&self, ask: &Ask) -> reqwest::Result<Response> {
        let mut request = self.request(ask.method.clone(), &ask.path);
        if let Some(key) = &ask.once {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        request.send().await
    }

    /// Asks once.
    pub async fn ask(&self, ask: &Ask) -> reqwest::Result<Answer> {
        answer(self.begin(ask).await?).await
    }

    /// Sends bytes that are no JSON.
    pub async fn upload(&self, path: &str, once: &str, bytes: Vec<u8>) -> reqwest::Result<Answer> {
        let request = self.request(Method::POST, path).header("idempotency-key", once);
        answer(request.body(bytes).send().await?).await
    }

    /// Asks for what the runner itself cannot do without.
    pub async fn must(&self, ask: Ask) -> Answer {
        let answer = self.ask(&ask).await.unwrap_or_else(|error| panic!("{ask:?}: {error}"));
        assert!(answer.is_ok(), "{ask:?} was answered {answer:?}");
        answer
    }

    /// The text of a page that needs no key.
    pub async fn page(&self, path: &str) -> reqwest::Result<String> {
        self.request(Method::GET, path).send().await?.error_for_status()?.text().await
    }
}

async fn answer(response: Response) -> reqwest::Result<Answer> {
    let status = response.status().as_u16();
    let text = response.text().await?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or_default() })
}

fn client(idle: usize) -> Client {
    // A client wants one, also where it speaks plain HTTP. Somebody may have chosen it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().timeout(LONGEST).pool_max_idle_per_host(idle).no_proxy();
    client.build().expect("a client")
}
