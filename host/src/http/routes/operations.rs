//! What a machine asks of a service: whether it lives, whether it is ready, how it is doing.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Service;
use crate::http::output::{answer, json};
use crate::store::StoreError;

pub(super) fn router(with_metrics: bool) -> OpenApiRouter<Service> {
    let probes = OpenApiRouter::new().routes(routes!(healthy)).routes(routes!(ready));
    if with_metrics { probes.routes(routes!(metrics)) } else { probes }
}

/// Whether the process lives
///
/// Asks no store: restarting does not bring one back.
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "health",
    responses((status = 200, description = "The process lives",
        body = String, content_type = "text/plain")), security(()))]
async fn healthy() -> &'static str {
    "ok\n"
}

/// Whether each store answers.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// Whether requests should be sent here.
    ready: bool,
    /// `ok`, `away`, or `stopping` for the whole host.
    counter: &'static str,
    ledger: &'static str,
    registry: &'static str,
    host: &'static str,
}

/// Whether requests should be sent here
///
/// 503 while a store that no request can do without is away, and from the moment the host is stopping.
/// A counter that is away is told and is no reason: the ledger decides then.
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "ready",
    responses((status = 200, description = "Requests should be sent here", body = Readiness),
        (status = 503, description = "Requests should be sent elsewhere, and why",
        body = Readiness)), security(()))]
async fn ready(State(service): State<Service>) -> Response {
    // Each answers within seconds, also where its server does not.
    let (stores, registry) = tokio::join!(service.host().check(), service.registry().check());
    let is_stopping = *service.stopping().borrow();
    let is_ready = !is_stopping && stores.is_ready() && registry.is_ok();
    let up = [("ledger", &stores.ledger), ("counter", &stores.counter), ("registry", &registry)];
    up.into_iter().for_each(|(store, check)| service.metrics().store(store, check.is_ok()));
    let told = Readiness {
        ready: is_ready,
        counter: word(&stores.counter),
        ledger: word(&stores.ledger),
        registry: word(&registry),
        host: if is_stopping { "stopping" } else { "ok" },
    };
    answer(if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, json(&told))
}

fn word(check: &Result<(), StoreError>) -> &'static str {
    if check.is_ok() { "ok" } else { "away" }
}

/// How the host is doing, in the text format of Prometheus
///
/// Names of tenants are among the labels: keep it from strangers, as `metrics` in the configuration does.
#[utoipa::path(get, path = "/metrics", tag = "operations", operation_id = "metrics",
    responses((status = 200, description = "The metrics, as OpenMetrics has them",
        body = String, content_type = "application/openmetrics-text")), security(()))]
async fn metrics(State(service): State<Service>) -> Response {
    const END: &str = "# EOF\n";
    let host = service.host().metrics();
    // Two registries are one text, which has one end.
    let text = format!("{}{}", host.strip_suffix(END).unwrap_or(&host), service.metrics().text());
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text).into_response()
}
