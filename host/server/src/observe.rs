//! Observability of requests: an id in every answer, a line in the log, a count.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::Service;
use super::connections::Closed;
use super::webhooks::WebhookMetrics;
use hongbao_runtime::Label;
use hongbao_store::{Health, Standing};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static CURRENT: u64;
}

/// A request's id: 16 hexadecimal digits, unique among those of one process and, by its random
/// beginning, most likely among all.
pub(super) struct RequestId;

impl RequestId {
    /// That of the request that is answered now.
    pub(super) fn current() -> Option<String> {
        CURRENT.try_with(|id| format!("{id:016x}")).ok()
    }

    /// Lets what belongs to the present request go on under its id in a task of its own.
    pub(super) fn carry<F: Future>(future: F) -> impl Future<Output = F::Output> {
        let id = CURRENT.try_with(|id| *id).unwrap_or_default();
        CURRENT.scope(id, future)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    /// As it is in the specification, with names of parameters and not their values.
    route: Label,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: Label,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreLabel {
    store: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreReasonLabels {
    store: &'static str,
    /// Some of it in a server's own words.
    reason: Label,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreStateLabels {
    store: &'static str,
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StoreErrorLabels {
    store: &'static str,
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

/// In an answer that is a problem: its code.
#[derive(Clone, Copy)]
pub(super) struct Code(pub(super) &'static str);

/// In seconds.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

const NEVER: u64 = u64::MAX;

/// Counts of what is asked over HTTP.
pub(super) struct HttpMetrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Family<RouteLabel, Histogram>,
    problems: Family<CodeLabel, Counter>,
    stores: Family<StoreLabel, Gauge>,
    store_states: Family<StoreStateLabels, Gauge>,
    store_reasons: Family<StoreReasonLabels, Gauge>,
    store_errors: Family<StoreErrorLabels, Counter>,
    pub(super) streams: Gauge,
    pub(super) tenants_waiting: Gauge,
    pub(super) connections: Gauge,
    closed: Family<ReasonLabel, Counter>,
    pub(super) webhooks: WebhookMetrics,
    /// When it was last logged that no connection can be accepted, in seconds since `begun`.
    logged_s: AtomicU64,
    begun: Instant,
    ids: AtomicU64,
}

impl HttpMetrics {
    pub(super) fn new(seed: u64) -> Self {
        let mut registry = Registry::with_prefix("hongbao");
        let requests = Family::<Labels, Counter>::default();
        registry.register("http_requests", "Requests by method, route and status", requests.clone());
        let seconds = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let help = "Time to the head of the answer";
        registry.register_with_unit("http_request", help, Unit::Seconds, seconds.clone());
        let problems = Family::<CodeLabel, Counter>::default();
        registry.register("http_problems", "Problems that were told, by code", problems.clone());
        let stores = Family::<StoreLabel, Gauge>::default();
        registry.register("store_up", "Whether a store reads and writes, by its last check", stores.clone());
        let store_states = Family::<StoreStateLabels, Gauge>::default();
        let help = "1 for the state that a store is in: ok, busy, away, refuses-writes or damaged";
        registry.register("store_state", help, store_states.clone());
        let store_reasons = Family::<StoreReasonLabels, Gauge>::default();
        let help = "1 for each store that is in another state than ok, and why";
        registry.register("store_reason", help, store_reasons.clone());
        let store_errors = Family::<StoreErrorLabels, Counter>::default();
        let help =
            "Calls of a store that failed, by code: busy (not carried out), unavailable, refused, corrupt";
        registry.register("store_errors", help, store_errors.clone());
        let build = Family::<VersionLabel, Gauge>::default();
        build.get_or_create(&VersionLabel { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("build_info", "The version of the program", build);
        let streams = Gauge::default();
        registry.register("http_event_streams", "Streams of events that are open", streams.clone());
        let tenants_waiting = Gauge::default();
        let help = "Tenants that are not served as the records say: they wait for the compiler, or fail";
        registry.register("tenants_waiting", help, tenants_waiting.clone());
        let connections = Gauge::default();
        registry.register("http_connections", "Connections that are open", connections.clone());
        let closed = Family::<ReasonLabel, Counter>::default();
        let help = "Connections that the listener closed or could not accept, by reason";
        registry.register("http_connections_closed", help, closed.clone());
        let webhooks = WebhookMetrics::new(&mut registry);
        let (logged_s, begun, ids) = (AtomicU64::new(NEVER), Instant::now(), AtomicU64::new(seed));
        Self {
            registry,
            requests,
            seconds,
            problems,
            stores,
            store_states,
            store_reasons,
            store_errors,
            streams,
            tenants_waiting,
            connections,
            closed,
            webhooks,
            logged_s,
            begun,
            ids,
        }
    }

    /// The listener closed a connection.
    pub(super) fn closed(&self, closed: Closed) {
        self.count_closed(closed.name());
    }

    fn count_closed(&self, reason: &'static str) {
        self.closed.get_or_create(&ReasonLabel { reason }).inc();
    }

    /// A connection could not be accepted, or its TLS handshake failed. What strangers can cause by themselves
    /// is only counted; what the machine lacks is logged, and not more often than every ten seconds.
    pub(super) fn not_accepted(&self, peer: Option<SocketAddr>, error: &io::Error) {
        const EVERY_S: u64 = 10;
        if let Some(peer) = peer {
            tracing::debug!("a connection of {peer} was not made: {error}");
            // The listener counts those that it closes in the course of a handshake.
            if !error.get_ref().is_some_and(|source| source.is::<Closed>()) {
                self.count_closed("handshake");
            }
            return;
        }
        self.count_closed("not-accepted");
        let (now_s, logged_s) = (self.begun.elapsed().as_secs(), self.logged_s.load(Ordering::Relaxed));
        let is_due = logged_s == NEVER || now_s >= logged_s.saturating_add(EVERY_S);
        let order = Ordering::Relaxed;
        if is_due && self.logged_s.compare_exchange(logged_s, now_s, order, order).is_ok() {
            tracing::error!("connections cannot be accepted: {error}");
        }
    }

    pub(super) fn stores<'a>(&self, stores: impl Iterator<Item = &'a Health>) {
        // What is over is gone, and not zero.
        self.store_reasons.clear();
        stores.for_each(|health| self.store(health));
    }

    fn store(&self, health: &Health) {
        let (store, report) = (health.store(), health.report());
        self.stores.get_or_create(&StoreLabel { store }).set(report.works().into());
        for standing in Standing::ALL {
            let labels = StoreStateLabels { store, state: standing.name() };
            self.store_states.get_or_create(&labels).set((standing == report.standing).into());
        }
        if !report.reason.is_empty() {
            let labels = StoreReasonLabels { store, reason: report.reason.into_owned().into() };
            self.store_reasons.get_or_create(&labels).set(1);
        }
        for (code, count) in health.errors() {
            let labels = StoreErrorLabels { store, code };
            self.store_errors.get_or_create(&labels).inner().store(count, Ordering::Relaxed);
        }
    }

    /// In the text format of Prometheus.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn next_id(&self) -> u64 {
        // A step that is odd and large: neighbours look different, and none comes twice in 2^64.
        self.ids.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }

    fn count(&self, method: &'static str, route: &str, status: StatusCode, begun: Instant) {
        let labels = Labels { method, route: route.into(), status: status.as_u16() };
        self.requests.get_or_create(&labels).inc();
        let route = RouteLabel { route: labels.route };
        self.seconds.get_or_create(&route).observe(begun.elapsed().as_secs_f64());
    }
}

/// The methods that there are; whatever else somebody sends is one more.
fn method(request: &Request) -> &'static str {
    match request.method().as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Gives the request its id, and counts and logs what became of it. Successes are logged for those
/// who ask for them (`debug`): at a peak there are tens of thousands a second. So are answers of 503:
/// an overload or an outage has as many, and is logged once by the health of its store.
pub(super) async fn observe(State(service): State<Service>, request: Request, next: Next) -> Response {
    let (begun, metrics) = (Instant::now(), Arc::clone(service.metrics()));
    let id = metrics.next_id();
    let method = method(&request);
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut answer = CURRENT.scope(id, next.run(request)).await;
    let status = answer.status();
    // What matches no route is one series, however many paths somebody tries.
    let route = route.as_ref().map_or("unknown", MatchedPath::as_str);
    metrics.count(method, route, status, begun);
    if let Some(Code(code)) = answer.extensions().get() {
        metrics.problems.get_or_create(&CodeLabel { code }).inc();
    }
    let (ms, status_code) = (begun.elapsed().as_millis(), status.as_u16());
    if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(
            request_id = format_args!("{id:016x}"),
            method,
            route,
            status = status_code,
            ms,
            "answered"
        );
    } else {
        tracing::debug!(
            request_id = format_args!("{id:016x}"),
            method,
            route,
            status = status_code,
            ms,
            "answered"
        );
    }
    if let Ok(id) = HeaderValue::from_str(&format!("{id:016x}")) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    answer
}
