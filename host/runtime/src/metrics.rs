//! Prometheus metrics of the host.
//!
//! Names of tenants are labels only for the first tenants of a host; the others are counted
//! together, as `_other`. Everything else that is a label is one of a few words.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::label::Label;
use super::{CallError, Operation};
use hongbao_domain::Limit;
use hongbao_store::{Backlog, Settled};

/// The name under which tenants without one are counted.
const OTHER: &str = "_other";

type Labels<const N: usize> = [(&'static str, Label); N];

/// All metrics of a host.
pub(super) struct Metrics {
    registry: Registry,
    gauges: Gauges,
    requests: Family<Labels<3>, Counter>,
    request_seconds: Family<Labels<1>, Histogram>,
    call_seconds: Family<Labels<1>, Histogram>,
    call_users: Family<Labels<1>, Histogram>,
    limits: Family<Labels<2>, Counter>,
    traps: Family<Labels<1>, Counter>,
    settled: Family<Labels<1>, Counter>,
    settlement_seconds: Family<Labels<1>, Histogram>,
    tenants: Mutex<HashMap<String, Arc<TenantMetrics>>>,
    most_named: usize,
}

#[derive(Default)]
struct Gauges {
    tenants: Gauge,
    suspended: Gauge,
    waiting: Gauge,
    instances: Family<Labels<1>, Gauge>,
    plugins: Gauge,
    compile_seconds: Gauge<f64, AtomicU64>,
    code_cache: Family<Labels<1>, Gauge>,
    compiling: Family<Labels<1>, Gauge>,
    refused_plugins: Family<Labels<1>, Gauge>,
    failing_refunds: Gauge,
    backlog: Family<Labels<1>, Gauge>,
    oldest_seconds: Family<Labels<1>, Gauge<f64, AtomicU64>>,
    held_withdrawals: Gauge,
    oldest_withdrawal_seconds: Gauge<f64, AtomicU64>,
    clock_offset_seconds: Gauge<f64, AtomicU64>,
}

/// What is true at this moment.
pub(super) struct Now {
    pub(super) tenants: usize,
    pub(super) suspended: usize,
    pub(super) waiting: usize,
    pub(super) idle: usize,
    pub(super) all: usize,
    pub(super) plugins: usize,
    pub(super) compile_time: Duration,
    pub(super) cache_hits: u64,
    pub(super) cache_misses: u64,
    /// Plugins that are compiled, and those that wait for it.
    pub(super) compiling: (usize, usize),
    /// By the code of the reason.
    pub(super) refused_plugins: BTreeMap<&'static str, u64>,
    pub(super) clock_ahead_ms: i64,
}

/// What is counted for one tenant. Looked up once, since every request comes here.
pub(super) struct TenantMetrics {
    tenant: Label,
    operations: Vec<OfOperation>,
    requests: Family<Labels<3>, Counter>,
    limits: Family<Labels<2>, Counter>,
    traps: Counter,
}

struct OfOperation {
    answered: Counter,
    request_seconds: Histogram,
    call_seconds: Histogram,
    call_users: Histogram,
}

/// How old something is; nothing where it is not there.
fn age_seconds(since_ms: Option<u64>, now_ms: u64) -> f64 {
    Duration::from_millis(since_ms.map_or(0, |since| now_ms.saturating_sub(since))).as_secs_f64()
}

/// From 50 microseconds to some seconds.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.00005, 2.0, 18))
}

fn users() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 10))
}

/// From 10 milliseconds to a day.
fn long_seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.01, 4.0, 12))
}

impl Metrics {
    pub(super) fn new(most_named: usize) -> Self {
        let mut registry = Registry::with_prefix("hongbao");
        let gauges = Gauges::default();
        let metrics = Self {
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            call_seconds: Family::new_with_constructor(seconds),
            call_users: Family::new_with_constructor(users),
            limits: Family::default(),
            traps: Family::default(),
            settled: Family::default(),
            settlement_seconds: Family::new_with_constructor(long_seconds),
            tenants: Mutex::default(),
            most_named,
            registry: Registry::default(),
            gauges,
        };
        metrics.register(&mut registry);
        Self { registry, ..metrics }
    }

    fn register(&self, registry: &mut Registry) {
        let gauges = &self.gauges;
        registry.register("tenants", "Tenants that are served", gauges.tenants.clone());
        registry.register(
            "tenants_suspended",
            "Tenants whose requests are refused",
            gauges.suspended.clone(),
        );
        registry.register("waiting_callers", "Callers who wait for an answer", gauges.waiting.clone());
        registry.register("instances", "Instances of plugins, by state", gauges.instances.clone());
        registry.register("plugins", "Different plugins that are loaded", gauges.plugins.clone());
        let help = "What compiling plugins took since the host was built";
        registry.register_with_unit("compile", help, Unit::Seconds, gauges.compile_seconds.clone());
        let help = "Plugins that were looked for in the cache of compiled code, by result";
        registry.register("code_cache_loads", help, gauges.code_cache.clone());
        let help = "Plugins at the compiler, by state: compiled or waiting";
        registry.register("compiling", help, gauges.compiling.clone());
        let help = "Plugins that were not loaded since the host was built, by code of the reason";
        registry.register("refused_plugins", help, gauges.refused_plugins.clone());
        let help = "Packets past their time whose refund failed, and is tried again";
        registry.register("failing_refunds", help, gauges.failing_refunds.clone());
        let help = "How far the host's clock is ahead of those that it is compared with";
        let offset = gauges.clock_offset_seconds.clone();
        registry.register_with_unit("clock_offset", help, Unit::Seconds, offset);
        let help = "Claims that wait for settlement, or for a person, by class";
        registry.register("settlement_backlog", help, gauges.backlog.clone());
        let help = "Age of the oldest claim that waits for settlement, by class";
        registry.register_with_unit("settlement_oldest", help, Unit::Seconds, gauges.oldest_seconds.clone());
        let help = "Withdrawals that are held until their platform says what became of them";
        registry.register("held_withdrawals", help, gauges.held_withdrawals.clone());
        let help = "Age of the oldest withdrawal that is held";
        let oldest = gauges.oldest_withdrawal_seconds.clone();
        registry.register_with_unit("held_withdrawals_oldest", help, Unit::Seconds, oldest);
        registry.register("requests", "Requests by tenant, operation and outcome", self.requests.clone());
        let help = "From request to answer";
        registry.register_with_unit("request", help, Unit::Seconds, self.request_seconds.clone());
        let help = "Calls of plugins, each for a batch of users";
        registry.register_with_unit("call", help, Unit::Seconds, self.call_seconds.clone());
        registry.register("call_users", "Users of one call of a plugin", self.call_users.clone());
        registry.register("limits", "Refusals and stops by tenant and limit", self.limits.clone());
        registry.register("traps", "Instances that broke, by tenant", self.traps.clone());
        registry.register("settled_claims", "Claims credited to wallets, by class", self.settled.clone());
        let help = "From claim to credit, by class";
        registry.register_with_unit("settlement", help, Unit::Seconds, self.settlement_seconds.clone());
    }

    /// The metrics of a tenant; those of the first ones have its name.
    pub(super) fn of_tenant(&self, name: &str) -> Arc<TenantMetrics> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let named = tenants.len() - usize::from(tenants.contains_key(OTHER));
        let is_named = tenants.contains_key(name) || named < self.most_named;
        let name = if is_named { name } else { OTHER };
        let made = tenants.entry(name.to_owned()).or_insert_with(|| Arc::new(self.make(name.into())));
        Arc::clone(made)
    }

    fn make(&self, tenant: Label) -> TenantMetrics {
        let of = |operation: Operation| {
            let name = Label::from(operation.name());
            let by_operation = [("operation", name.clone())];
            let labels = [("tenant", tenant.clone()), ("operation", name), ("outcome", "answered".into())];
            OfOperation {
                answered: self.requests.get_or_create(&labels).clone(),
                request_seconds: self.request_seconds.get_or_create(&by_operation).clone(),
                call_seconds: self.call_seconds.get_or_create(&by_operation).clone(),
                call_users: self.call_users.get_or_create(&by_operation).clone(),
            }
        };
        TenantMetrics {
            operations: Operation::ALL.into_iter().map(of).collect(),
            requests: self.requests.clone(),
            limits: self.limits.clone(),
            traps: self.traps.get_or_create(&[("tenant", tenant.clone())]).clone(),
            tenant,
        }
    }

    pub(super) fn settled(&self, settled: &[Settled], now_ms: u64) {
        for claim in settled {
            let class = [("class", claim.priority.name().into())];
            self.settled.get_or_create(&class).inc();
            let waited = Duration::from_millis(now_ms.saturating_sub(claim.claimed_at_ms));
            self.settlement_seconds.get_or_create(&class).observe(waited.as_secs_f64());
        }
    }

    pub(super) fn backlog(&self, backlog: &Backlog, now_ms: u64) {
        let classes = [("large", backlog.large), ("normal", backlog.normal)];
        for (class, queue) in classes {
            let label = [("class", class.into())];
            let claims = i64::try_from(queue.claims).unwrap_or(i64::MAX);
            self.gauges.backlog.get_or_create(&label).set(claims);
            self.gauges.oldest_seconds.get_or_create(&label).set(age_seconds(queue.oldest_ms, now_ms));
        }
        let held = i64::try_from(backlog.held.withdrawals).unwrap_or(i64::MAX);
        self.gauges.held_withdrawals.set(held);
        self.gauges.oldest_withdrawal_seconds.set(age_seconds(backlog.held.oldest_ms, now_ms));
        let parked = i64::try_from(backlog.parked).unwrap_or(i64::MAX);
        self.gauges.backlog.get_or_create(&[("class", "parked".into())]).set(parked);
    }

    pub(super) fn failing_refunds(&self, packets: usize) {
        self.gauges.failing_refunds.set(i64::try_from(packets).unwrap_or(i64::MAX));
    }

    pub(super) fn text(&self, now: &Now) -> String {
        let gauge = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.gauges.tenants.set(gauge(now.tenants));
        self.gauges.suspended.set(gauge(now.suspended));
        self.gauges.waiting.set(gauge(now.waiting));
        for (state, count) in [("idle", now.idle), ("busy", now.all.saturating_sub(now.idle))] {
            self.gauges.instances.get_or_create(&[("state", state.into())]).set(gauge(count));
        }
        self.gauges.plugins.set(gauge(now.plugins));
        self.gauges.compile_seconds.set(now.compile_time.as_secs_f64());
        for (result, count) in [("hit", now.cache_hits), ("miss", now.cache_misses)] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.gauges.code_cache.get_or_create(&[("result", result.into())]).set(count);
        }
        for (state, count) in [("compiled", now.compiling.0), ("waiting", now.compiling.1)] {
            self.gauges.compiling.get_or_create(&[("state", state.into())]).set(gauge(count));
        }
        for (code, count) in &now.refused_plugins {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            self.gauges.refused_plugins.get_or_create(&[("code", (*code).into())]).set(count);
        }
        self.gauges.clock_offset_seconds.set(now.clock_ahead_ms as f64 / 1000.0);
        let mut text = String::new();
        if let Err(error) = encode(&mut text, &self.registry) {
            // A string does not refuse to be written to.
            let _ = write!(text, "# {error}");
        }
        text
    }
}

impl TenantMetrics {
    fn of(&self, operation: Operation) -> Option<&OfOperation> {
        self.operations.get(operation as usize)
    }

    /// A request has its answer, or the reason why there is none.
    pub(super) fn request<T>(&self, operation: Operation, answer: &Result<T, CallError>, took: Duration) {
        let Some(of) = self.of(operation) else { return };
        of.request_seconds.observe(took.as_secs_f64());
        let Err(error) = answer else {
            of.answered.inc();
            return;
        };
        let labels = [
            ("tenant", self.tenant.clone()),
            ("operation", operation.name().into()),
            ("outcome", error.code().into()),
        ];
        self.requests.get_or_create(&labels).inc();
        if let Some(limit) = error.limit() {
            self.limit(limit);
        }
    }

    /// A plugin was called for so many users.
    pub(super) fn call(&self, operation: Operation, users: usize, took: Duration) {
        if let Some(of) = self.of(operation) {
            of.call_seconds.observe(took.as_secs_f64());
            of.call_users.observe(users as f64);
        }
    }

    pub(super) fn limit(&self, limit: Limit) {
        let labels = [("tenant", self.tenant.clone()), ("limit", limit.name().into())];
        self.limits.get_or_create(&labels).inc();
    }

    pub(super) fn trap(&self) {
        self.traps.inc();
    }
}
