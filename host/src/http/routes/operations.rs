//! What a machine asks of a service: whether it lives, whether it is ready, how it is doing.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::Service;
use crate::http::output::{answer, json};
use crate::store::StoreError;

/// A probe waits no longer: what is slower than this is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new().routes(routes!(healthy)).routes(routes!(ready)).routes(routes!(metrics))
}

/// Whether the process lives
///
/// Asks no store: restarting does not bring one back.
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "health",
    responses((status = 200, body = String, content_type = "text/plain")), security(()))]
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
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)), security(()))]
async fn ready(State(service): State<Service>) -> Response {
    let (ledger, counter, registry) = tokio::join!(
        timeout(PATIENCE, service.host().check_ledger()),
        timeout(PATIENCE, service.host().check_counter()),
        timeout(PATIENCE, service.registry().check()),
    );
    let is_stopping = *service.stopping().borrow();
    let is_ready = !is_stopping && matches!(ledger, Ok(Ok(()))) && matches!(registry, Ok(Ok(())));
    let told = Readiness {
        ready: is_ready,
        counter: word(&counter),
        ledger: word(&ledger),
        registry: word(&registry),
        host: if is_stopping { "stopping" } else { "ok" },
    };
    answer(if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, json(&told))
}

fn word<E>(check: &Result<Result<(), StoreError>, E>) -> &'static str {
    if matches!(check, Ok(Ok(()))) { "ok" } else { "away" }
}

/// How the host is doing, in the text format of Prometheus
///
/// Names of tenants are among the labels: keep it from strangers, as `metrics` in the configuration does.
#[utoipa::path(get, path = "/metrics", tag = "operations", operation_id = "metrics",
    responses((status = 200, body = String, content_type = "application/openmetrics-text")), security(()))]
async fn metrics(State(service): State<Service>) -> Response {
    const END: &str = "# EOF\n";
    let host = service.host().metrics();
    // Two registries are one text, which has one end.
    let text = format!("{}{}", host.strip_suffix(END).unwrap_or(&host), service.metrics().text());
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text).into_response()
}
