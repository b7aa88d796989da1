//! The baseline: axum, which reads the same body and answers with a constant.

use std::net::SocketAddr;

use axum::extract::Path;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub struct Bare {
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Bare {
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub async fn start() -> Bare {
    let router = Router::new().route("/v1/packets/{packet}/grab", post(grab));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Bare { address, server }
}

async fn grab(Path(_packet): Path<String>, Json(body): Json<Value>) -> Json<Value> {
    assert!(body["user"].is_string());
    Json(json!({"outcome": "admitted", "may_open": true}))
}
