//! Routes for operators: liveness, readiness, metrics.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Service;
use crate::output::{answer, json};
use hongbao_store::Report;

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

/// How each store is doing, each in one word: `ok`; `busy` where it has no room for more calls; `away`
/// where it does not answer; `refuses-writes` where it answers and takes no writes; `damaged` where what
/// it holds is not whole or lacks a guard.
#[derive(Debug, Serialize, ToSchema)]
struct Readiness {
    /// Whether requests should be sent here.
    ready: bool,
    counter: &'static str,
    ledger: &'static str,
    registry: &'static str,
    /// `ok`, or `off` where this host's clock is too far from those that it is compared with.
    clock: &'static str,
    /// `ok`, or `stopping`.
    host: &'static str,
    /// For each store that is not `ok`, and for the clock, why, in a few words.
    #[schema(value_type = BTreeMap<String, String>)]
    reasons: BTreeMap<&'static str, String>,
}

/// Whether requests should be sent here
///
/// 503 while a store that no request can do without does not read and write, and from the moment the
/// host is stopping, and while its clock is wrong. A counter that is away or refuses writes is reported and is no reason: the ledger
/// decides then. A store that is `busy` is no reason either: its load would fall on other hosts.
/// Each store is asked for a small durable write, once a second at most, however often this is called.
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "ready",
    responses((status = 200, description = "Requests should be sent here", body = Readiness),
        (status = 503, description = "Requests should be sent elsewhere, and why",
        body = Readiness)), security(()))]
async fn ready(State(service): State<Service>) -> Response {
    let (stores, registry) = service.check().await;
    let is_stopping = *service.stopping().borrow();
    let is_ready = !is_stopping && stores.is_ready() && registry.works();
    let clock = stores.clock;
    let skew = clock.is_off.then(|| ("clock", format!("this machine's clock is {}", clock.in_words())));
    let reports = [("ledger", &stores.ledger), ("counter", &stores.counter), ("registry", &registry)];
    let reason = |(store, report): (&'static str, &Report)| (store, report.reason.to_string());
    let told = Readiness {
        ready: is_ready,
        counter: stores.counter.standing.name(),
        ledger: stores.ledger.standing.name(),
        registry: registry.standing.name(),
        clock: if clock.is_off { "off" } else { "ok" },
        host: if is_stopping { "stopping" } else { "ok" },
        reasons: reports
            .into_iter()
            .map(reason)
            .filter(|(_, reason)| !reason.is_empty())
            .chain(skew)
            .collect(),
    };
    answer(if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, json(&told))
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
    let stores = service.host().health().into_iter().chain([service.health()]).chain(service.events_health());
    service.metrics().stores(stores);
    let waiting = i64::try_from(service.roster().waiting()).unwrap_or(i64::MAX);
    service.metrics().tenants_waiting.set(waiting);
    // Two registries are one text, which has one end.
    let text = format!("{}{}", host.strip_suffix(END).unwrap_or(&host), service.metrics().text());
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text).into_response()
}
