//! A bridge that listens, and what is in front of it and behind it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::homeserver::Homeserver;
use super::hongbao::Hongbao;
use crate::bridge::Bridge;
use crate::matrix::Matrix;
use crate::{hongbao, serve, web};

pub(super) const BOT: &str = "@hongbao:a.org";
pub(super) const ROOM: &str = "!room";
const HS_TOKEN: &str = "of-the-homeserver";

/// A request, as a stand-in reads it.
pub(super) struct Asked {
    pub(super) method: Method,
    /// The parts of its path, decoded.
    pub(super) path: Vec<String>,
    pub(super) body: Value,
}

/// Something that answers requests with JSON.
pub(super) trait Answers: Send + 'static {
    fn answer(&mut self, asked: &Asked) -> (u16, Value);
}

/// How requests fail: those whose method and path have this part in them, and what they are answered with.
type Faults = VecDeque<(String, u16, Value)>;

/// A stand-in server.
pub(super) struct StandIn<T> {
    world: Arc<Mutex<T>>,
    faults: Arc<Mutex<Faults>>,
    pub(super) url: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Answers> StandIn<T> {
    pub(super) async fn start(world: T) -> Self {
        let (world, faults) = (Arc::new(Mutex::new(world)), Arc::new(Mutex::new(Faults::new())));
        let state = (Arc::clone(&world), Arc::clone(&faults));
        let url = serve(Router::new().fallback(respond::<T>).with_state(state)).await;
        Self { world, faults, url }
    }

    pub(super) fn world(&self) -> MutexGuard<'_, T> {
        lock(&self.world)
    }

    /// So many of the next requests to such a path fail.
    pub(super) fn fail(&self, count: usize, part: &str, status: u16, body: &Value) {
        for _ in 0..count {
            lock(&self.faults).push_back((part.to_owned(), status, body.clone()));
        }
    }
}

type Shared<T> = (Arc<Mutex<T>>, Arc<Mutex<Faults>>);

async fn respond<T: Answers>(State((world, faults)): State<Shared<T>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let decoded = |part: &str| percent_encoding::percent_decode_str(part).decode_utf8().unwrap().into_owned();
    let path: Vec<_> = parts.uri.path().split('/').skip(1).map(decoded).collect();
    let whole = format!("{} {}", parts.method, path.join("/"));
    let fault = {
        let mut faults = lock(&faults);
        let at = faults.iter().position(|(part, ..)| whole.contains(part.as_str()));
        at.and_then(|at| faults.remove(at))
    };
    let asked =
        Asked { method: parts.method, path, body: serde_json::from_slice(&bytes).unwrap_or_default() };
    let (status, body) = match fault {
        Some((_, status, body)) => (status, body),
        None => lock(&world).answer(&asked),
    };
    // Null is an answer without a body in JSON, as a proxy gives.
    let text = if body.is_null() { "<html>".to_owned() } else { body.to_string() };
    (StatusCode::from_u16(status).unwrap(), text).into_response()
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

pub(super) struct Stage {
    pub(super) homeserver: StandIn<Homeserver>,
    pub(super) hongbao: StandIn<Hongbao>,
    pub(super) client: Client,
    pub(super) url: String,
}

impl Stage {
    pub(super) async fn start() -> Self {
        let homeserver = StandIn::start(Homeserver::default()).await;
        let hongbao = StandIn::start(Hongbao::default()).await;
        let client = web::client().unwrap();
        let url = Self::bridge(&homeserver, &hongbao, &client).await;
        Self { homeserver, hongbao, client, url }
    }

    async fn bridge(homeserver: &StandIn<Homeserver>, hongbao: &StandIn<Hongbao>, http: &Client) -> String {
        let http = http.clone();
        let matrix =
            Matrix { http: http.clone(), url: homeserver.url.clone(), token: "as".into(), bot: BOT.into() };
        let hongbao = hongbao::Hongbao { http, url: hongbao.url.clone(), key: "key".into() };
        let bridge = Bridge::new(matrix, hongbao, vec!["a.org".into()], "en".into(), 10_000);
        serve(serve::router(Arc::new(bridge), HS_TOKEN)).await
    }

    /// As after the death of the bridge: another one, which remembers nothing.
    pub(super) async fn begin_anew(&mut self) {
        self.url = Self::bridge(&self.homeserver, &self.hongbao, &self.client).await;
    }

    /// Delivers a body by a method and with this header for authorisation.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Vec<u8>,
    ) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).body(body);
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Delivers a transaction; gives the status of the answer.
    pub(super) async fn deliver(&self, events: &[Value]) -> u16 {
        let body = json!({"events": events}).to_string().into_bytes();
        self.call(Method::PUT, "/_matrix/app/v1/transactions/1", Some(&bearer()), body).await.0
    }

    /// Sends a packet and waits for nothing; gives the message of its card.
    pub(super) async fn card(&self) -> String {
        assert_eq!(self.deliver(&[command("$cmd", "!hongbao 9 3")]).await, 200);
        let cards = self.homeserver.world().cards();
        assert_eq!(cards.len(), 1);
        cards[0].clone()
    }
}

pub(super) fn bearer() -> String {
    format!("Bearer {HS_TOKEN}")
}

/// An event of alice's.
pub(super) fn event(id: &str, kind: &str, content: Value) -> Value {
    json!({"event_id": id, "room_id": ROOM, "sender": "@alice:a.org", "type": kind, "origin_server_ts": 1_000, "content": content})
}

pub(super) fn command(id: &str, text: &str) -> Value {
    event(id, "m.room.message", json!({"msgtype": "m.text", "body": text}))
}

/// A tap of a user's.
pub(super) fn tap(id: &str, user: &str, card: &str) -> Value {
    let relation = json!({"rel_type": "m.annotation", "event_id": card, "key": "🧧"});
    let mut tap = event(id, "m.reaction", json!({"m.relates_to": relation}));
    tap["sender"] = user.into();
    tap
}

/// Waits until something is so.
pub(super) async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..400 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never came: {what}");
}
