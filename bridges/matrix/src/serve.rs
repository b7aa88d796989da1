//! What the homeserver calls: the application service API, version 1 (<https://spec.matrix.org/latest/application-service-api/>).

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post, put};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;
use tokio::sync::Mutex;

use crate::bridge::Bridge;
use crate::transaction;

/// A hundred events of the largest size, several times over.
const LARGEST_TRANSACTION: usize = 32 << 20;

/// What the routes share.
#[derive(Clone)]
struct Service {
    bridge: Arc<Bridge>,
    hs_token: Arc<str>,
    /// One transaction at a time: a homeserver that did not wait for the answer sends the same again, which then finds
    /// everything done.
    turn: Arc<Mutex<()>>,
}

pub(crate) fn router(bridge: Arc<Bridge>, hs_token: &str) -> Router {
    let service = Service { bridge, hs_token: hs_token.into(), turn: Arc::default() };
    let no_such =
        |what: &'static str| any(move || async move { error(StatusCode::NOT_FOUND, "M_NOT_FOUND", what) });
    Router::new()
        .route("/_matrix/app/v1/transactions/{txn}", put(take).fallback(no_method))
        .route("/_matrix/app/v1/ping", post(|| async { done() }).fallback(no_method))
        // The namespaces are reserved, and nobody is in them.
        .route("/_matrix/app/v1/users/{user}", no_such("there is no such user"))
        .route("/_matrix/app/v1/rooms/{alias}", no_such("there is no such room"))
        .route("/_matrix/app/v1/thirdparty/{*path}", no_such("there is nothing of a third party"))
        .layer(from_fn_with_state(service.clone(), authenticated))
        .route("/livez", get(|| async { "alive\n" }))
        .fallback(async || error(StatusCode::NOT_FOUND, "M_UNRECOGNIZED", "there is no such path"))
        .layer(DefaultBodyLimit::max(LARGEST_TRANSACTION))
        .with_state(service)
}

async fn no_method() -> Response {
    error(StatusCode::METHOD_NOT_ALLOWED, "M_UNRECOGNIZED", "this path takes another method")
}

fn done() -> Response {
    answer(StatusCode::OK, &json!({}))
}

fn error(status: StatusCode, code: &str, why: &str) -> Response {
    answer(status, &json!({"errcode": code, "error": why}))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Lets the homeserver in, and nobody else.
async fn authenticated(State(service): State<Service>, request: Request, next: Next) -> Response {
    let known = token(request.headers()).is_some_and(|token| service.hs_token.as_bytes().ct_eq(token).into());
    if known {
        return next.run(request).await;
    }
    tracing::warn!(method = ?request.method(), "a request without the homeserver's token was refused");
    error(StatusCode::FORBIDDEN, "M_FORBIDDEN", "this is not the homeserver's token")
}

fn token(headers: &HeaderMap) -> Option<&[u8]> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (sent.next()?, sent.next());
    first.as_bytes().strip_prefix(b"Bearer ").filter(|_| second.is_none())
}

/// A transaction. 200 means that everything in it is done; 500, that it is to come again.
async fn take(State(service): State<Service>, request: Request) -> Response {
    let events = match read(request).await {
        Ok(events) => events,
        Err(Refusal(status, code, why)) => return error(status, code, why),
    };
    // A task of its own: a homeserver that hangs up must not stop it between two steps.
    let task = tokio::spawn(async move {
        let _turn = service.turn.lock().await;
        transaction::handle(&service.bridge, &events).await
    });
    match task.await {
        Ok(Ok(())) => done(),
        Ok(Err(fault)) => {
            tracing::warn!("a transaction has to come again: {fault}");
            error(
                StatusCode::INTERNAL_SERVER_ERROR,
                "M_UNKNOWN",
                "not everything in it could be done; send it again",
            )
        }
        Err(broken) => {
            tracing::error!("a transaction broke: {broken}");
            error(StatusCode::INTERNAL_SERVER_ERROR, "M_UNKNOWN", "something broke; send it again")
        }
    }
}

/// Why a body is no transaction.
struct Refusal(StatusCode, &'static str, &'static str);

async fn read(request: Request<Body>) -> Result<Vec<Value>, Refusal> {
    let bytes = match Bytes::from_request(request, &()).await {
        Ok(bytes) => bytes,
        Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            let why = "a transaction has at most 32 MiB";
            return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, "M_TOO_LARGE", why));
        }
        Err(_) => return Err(bad("M_NOT_JSON", "the body could not be read")),
    };
    let body: Result<Value, _> = serde_json::from_slice(&bytes);
    match body.map_err(|_| bad("M_NOT_JSON", "the body is no JSON"))?.get_mut("events").map(Value::take) {
        Some(Value::Array(events)) => Ok(events),
        _ => Err(bad("M_BAD_JSON", "a transaction has a list of events")),
    }
}

const fn bad(code: &'static str, why: &'static str) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, code, why)
}
