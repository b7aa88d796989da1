//! Metrics of deliveries.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::send::{Outcome, Reply};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// See the module. Gauges are of the endpoints that this host delivers to.
pub(crate) struct WebhookMetrics {
    deliveries: Family<OutcomeLabel, Counter>,
    pub(super) endpoints: Gauge,
    pub(super) waiting: Gauge,
    pub(super) dead: Gauge,
    pub(super) lag_s: Gauge<f64, AtomicU64>,
}

impl WebhookMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let deliveries = Family::<OutcomeLabel, Counter>::default();
        let help =
            "Messages to endpoints of webhooks, by what came of them: delivered, gone, or why they failed";
        registry.register("webhook_deliveries", help, deliveries.clone());
        let endpoints = Gauge::default();
        registry.register("webhook_endpoints", "Endpoints that this host delivers to", endpoints.clone());
        let waiting = Gauge::default();
        let help = "Events that an endpoint did not take and that are sent again";
        registry.register("webhook_retries_waiting", help, waiting.clone());
        let dead = Gauge::default();
        let help = "Events that an endpoint did not take and that are sent no more";
        registry.register("webhook_dead_letters", help, dead.clone());
        let lag_s = Gauge::<f64, AtomicU64>::default();
        let help = "How long ago the oldest event happened that is not delivered, of all endpoints";
        registry.register_with_unit("webhook_lag", help, Unit::Seconds, lag_s.clone());
        Self { deliveries, endpoints, waiting, dead, lag_s }
    }

    pub(super) fn count(&self, reply: &Reply) {
        let outcome = match reply.outcome {
            Outcome::Delivered => "delivered",
            Outcome::Gone => "gone",
            Outcome::Failed { reason, .. } => reason,
        };
        self.deliveries.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
