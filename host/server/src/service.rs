//! `Service`: the state that all requests share.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::bodies::Bodies;
use super::connections::ConnectionLimits;
use super::demo::{Demo, DemoSettings};
use super::following::FOLLOW_EVERY;
use super::known_keys::Keys;
use super::observe::HttpMetrics;
use super::problem::Problem;
use super::quota::Quotas;
use super::rate::{RateSettings, Rates};
use super::refusals::Refusals;
use super::roster::Roster;
use super::serving::stopped;
use super::webhooks::{Dispatch, WebhookSettings};
use hongbao_runtime::{Checked, Host, TenantsFile};
use hongbao_store::memory::{MemoryEvents, MemoryRegistry};
use hongbao_store::{ANSWER_KEPT_MS, Events, Health, Registry, Report, StoreError};

/// Bounds of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceSettings {
    /// How often a key and a user may ask.
    pub rate: RateSettings,
    /// Largest body in bytes, but for a plugin that is installed, which may be 16 MiB.
    pub body_bytes: usize,
    /// Longest request, but for streams of events.
    pub request_time: Duration,
    /// Connections that may be open at once.
    pub connections: ConnectionLimits,
    /// Streams of events that may be open at once.
    pub streams: usize,
    /// Whether `/metrics` is served.
    pub metrics: bool,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            rate: RateSettings::default(),
            body_bytes: 64 << 10,
            request_time: Duration::from_secs(30),
            connections: ConnectionLimits::default(),
            streams: 10_000,
            metrics: true,
        }
    }
}

/// A host with everything that HTTP needs beside it. Cheap to clone.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    host: Host,
    events: Arc<dyn Events>,
    registry: Arc<dyn Registry>,
    health: Health,
    /// Told by the events themselves, where they look after their server.
    events_health: Health,
    settings: ServiceSettings,
    keys: Keys,
    rates: Rates,
    quotas: Quotas,
    bodies: Bodies,
    refusals: Refusals,
    roster: Roster,
    metrics: Arc<HttpMetrics>,
    dispatch: Dispatch,
    streams: Arc<Semaphore>,
    demo: Option<Demo>,
    stopping: watch::Sender<bool>,
}

/// How a [`Service`] is put together. Unset parts use their defaults: records and events in memory, no
/// demo.
pub struct ServiceBuilder {
    host: Host,
    events: Option<Arc<dyn Events>>,
    registry: Option<Arc<dyn Registry>>,
    settings: ServiceSettings,
    demo: Option<DemoSettings>,
    webhooks: WebhookSettings,
}

impl ServiceBuilder {
    /// With these events, to which the host's announcer posts as well.
    #[must_use]
    pub fn events(mut self, events: Arc<dyn Events>) -> Self {
        self.events = Some(events);
        self
    }

    /// With these records.
    #[must_use]
    pub fn registry(mut self, registry: Arc<dyn Registry>) -> Self {
        self.registry = Some(registry);
        self
    }

    /// With these bounds.
    #[must_use]
    pub const fn settings(mut self, settings: ServiceSettings) -> Self {
        self.settings = settings;
        self
    }

    /// With these rules of where messages to endpoints may go.
    #[must_use]
    pub fn webhooks(mut self, webhooks: WebhookSettings) -> Self {
        self.webhooks = webhooks;
        self
    }

    /// With the page, on which anybody may join as whoever they like. Not for strangers.
    #[must_use]
    pub fn demo(mut self, demo: DemoSettings) -> Self {
        self.demo = Some(demo);
        self
    }

    /// Puts it together.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn build(self) -> Result<Service, getrandom::Error> {
        let registry = self.registry.unwrap_or_else(|| Arc::new(MemoryRegistry::new()));
        let inner = Inner {
            keys: Keys::new(Arc::clone(&registry)),
            rates: Rates::new(self.settings.rate),
            quotas: Quotas::default(),
            bodies: Bodies::default(),
            refusals: Refusals::default(),
            metrics: Arc::new(HttpMetrics::new(getrandom::u64()?)),
            dispatch: Dispatch::new(self.webhooks)?,
            streams: Arc::new(Semaphore::new(self.settings.streams.min(Semaphore::MAX_PERMITS))),
            events: self.events.unwrap_or_else(|| Arc::new(MemoryEvents::new())),
            demo: self.demo.map(Demo::new),
            host: self.host,
            settings: self.settings,
            roster: Roster::default(),
            health: Health::new("registry"),
            events_health: Health::of_watched("events"),
            stopping: watch::Sender::new(false),
            registry,
        };
        Ok(Service { inner: Arc::new(inner) })
    }
}

impl Service {
    /// Starts putting a service together.
    #[must_use]
    pub fn builder(host: Host) -> ServiceBuilder {
        let settings = ServiceSettings::default();
        let webhooks = WebhookSettings::default();
        ServiceBuilder { host, events: None, registry: None, settings, demo: None, webhooks }
    }

    /// The host behind it.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.inner.host
    }

    pub(super) fn events(&self) -> &dyn Events {
        &*self.inner.events
    }

    pub(super) fn registry(&self) -> &dyn Registry {
        &*self.inner.registry
    }

    /// How the registry is doing.
    pub(super) fn health(&self) -> &Health {
        &self.inner.health
    }

    /// How the events' server is doing, where they have one. Asks nobody, and makes no host not ready.
    pub(super) fn events_health(&self) -> Option<&Health> {
        let report = self.events().health()?;
        self.inner.events_health.tell(report);
        Some(&self.inner.events_health)
    }

    /// Asks every store how it is doing, at the same time; see [`Host::check`].
    pub(super) async fn check(&self) -> (Checked, Report) {
        let registry = self.health().check(self.registry().check());
        tokio::join!(self.host().check(), registry)
    }

    pub(super) fn settings(&self) -> &ServiceSettings {
        &self.inner.settings
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.inner.keys
    }

    pub(super) fn rates(&self) -> &Rates {
        &self.inner.rates
    }

    pub(super) fn quotas(&self) -> &Quotas {
        &self.inner.quotas
    }

    pub(super) fn bodies(&self) -> &Bodies {
        &self.inner.bodies
    }

    pub(super) fn refusals(&self) -> &Refusals {
        &self.inner.refusals
    }

    pub(super) fn roster(&self) -> &Roster {
        &self.inner.roster
    }

    pub(super) fn metrics(&self) -> &Arc<HttpMetrics> {
        &self.inner.metrics
    }

    /// What all deliveries to endpoints share.
    pub(super) fn dispatch(&self) -> &Dispatch {
        &self.inner.dispatch
    }

    pub(super) fn demo(&self) -> Option<&Demo> {
        self.inner.demo.as_ref()
    }

    pub(super) fn stream_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.inner.streams).try_acquire_owned().ok()
    }

    /// True from the moment at which no new work should come.
    pub(super) fn stopping(&self) -> watch::Receiver<bool> {
        self.inner.stopping.subscribe()
    }

    /// Says that it is not ready any more, and ends its streams.
    pub(super) fn stop(&self) {
        self.inner.stopping.send_replace(true);
    }

    /// Serves the tenants of the registry, and those of a file where it says something new.
    pub(super) async fn open(&self, file: &TenantsFile) -> Result<(), Problem> {
        // So that no request has to wait for it.
        self.keys().seal().await?;
        self.follow_ready().await?;
        self.declare(file).await?;
        if let Some(demo) = self.demo() {
            demo.open(self).await?;
        }
        Ok(())
    }

    /// Follows the registry, checks the stores, forgets what is old and writes down what was left out of the log, until
    /// it is stopped. Stores are
    /// checked here as well, so that metrics and the log tell of one that fails where nobody asks
    /// whether the host is ready.
    pub(super) async fn look_after(self) {
        const FORGET_EVERY: u32 = 60;
        const CHECK_EVERY: u32 = 5;
        let mut waits_for = None;
        for round in 1_u32.. {
            tokio::select! {
                () = tokio::time::sleep(FOLLOW_EVERY) => {}
                () = stopped(self.stopping()) => return self.note_left_out(true).await,
            }
            self.note_left_out(false).await;
            let followed = self.follow().await;
            self.log_change(&mut waits_for, followed.err());
            if round % CHECK_EVERY == 0 {
                self.check().await;
            }
            if round % FORGET_EVERY == 0 {
                self.forget().await;
            }
        }
    }

    /// Logs once that changes of tenants wait, by the code of the reason, and once that they do no more.
    fn log_change(&self, told: &mut Option<&'static str>, error: Option<StoreError>) {
        match error {
            Some(error) if *told == Some(error.code()) => self.health().note::<()>(&Err(error)),
            Some(error) => {
                self.log(&error, "changes of tenants wait");
                if !error.may_pass() {
                    *told = Some(error.code());
                }
            }
            None if told.take().is_some() => tracing::info!("changes of tenants are followed again"),
            None => {}
        }
    }

    /// Logs what waits for the registry. That the registry is away is logged once, by its health.
    fn log(&self, error: &StoreError, what: &str) {
        self.health().note::<()>(&Err(error.again()));
        match error.may_pass() {
            true => tracing::debug!(code = error.code(), "{what}: {error}"),
            false => tracing::warn!(code = error.code(), "{what}: {error}"),
        }
    }

    async fn forget(&self) {
        self.rates().forget();
        self.keys().forget_old();
        self.demo().into_iter().for_each(Demo::forget);
        if self.host().trust_clock().is_err() {
            return;
        }
        let now_ms = self.host().now_ms();
        self.quotas().forget(now_ms);
        let forgotten = async {
            self.registry().forget_answers(now_ms.saturating_sub(ANSWER_KEPT_MS)).await?;
            self.registry().forget_keys(now_ms.saturating_sub(ANSWER_KEPT_MS)).await
        };
        if let Err(error) = forgotten.await {
            self.log(&error, "old answers wait to be forgotten");
        }
    }
}
