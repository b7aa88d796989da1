//! The task of a host that delivers to endpoints: it takes leases, and keeps a [`Pump`] for each.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::pump::Pump;
use crate::Service;
use crate::serving::stopped;
use hongbao_domain::WebhookId;
use hongbao_store::{WebhookLease, WebhookState};

/// Endpoints that one host has at most.
const MOST: usize = 4096;
/// Endpoints that it takes in one round: hosts that begin at the same time have about as many each.
const IN_ONE_ROUND: u32 = 32;

/// Of one endpoint, for the metrics.
#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) waiting: AtomicU64,
    pub(super) dead: AtomicU64,
    pub(super) lag_ms: AtomicU64,
}

/// A pump that runs.
struct Running {
    /// Dropped, it tells the pump that the lease is lost.
    told: watch::Sender<Arc<WebhookState>>,
    task: JoinHandle<()>,
    figures: Arc<Figures>,
}

#[derive(Default)]
struct Pumps {
    running: HashMap<WebhookId, Running>,
    /// Those that finish what is under way.
    ending: HashMap<WebhookId, JoinHandle<()>>,
}

impl Pumps {
    /// Has a pump for each of these, and for no other.
    fn follow(&mut self, service: &Service, held: Vec<WebhookState>) {
        self.ending.retain(|_, task| !task.is_finished());
        let (mut before, ending) = (std::mem::take(&mut self.running), &self.ending);
        for state in held {
            let id = state.webhook.id;
            let running = match before.remove(&id).filter(|running| !running.task.is_finished()) {
                Some(running) => {
                    running.told.send_replace(Arc::new(state));
                    running
                }
                // Two at once would each write what it knows.
                None if ending.contains_key(&id) => continue,
                None => start(service, state),
            };
            self.running.insert(id, running);
        }
        self.ending.extend(before.into_iter().map(|(id, running)| (id, running.task)));
    }

    fn tell(&self, service: &Service) {
        let figures = || self.running.values().map(|running| &running.figures);
        let metrics = &service.metrics().webhooks;
        metrics.endpoints.set(self.running.len() as i64);
        let sum = |of: fn(&Figures) -> &AtomicU64| figures().map(|one| of(one).load(Relaxed)).sum::<u64>();
        metrics.waiting.set(sum(|one| &one.waiting) as i64);
        metrics.dead.set(sum(|one| &one.dead) as i64);
        let lag_ms = figures().map(|one| one.lag_ms.load(Relaxed)).max().unwrap_or_default();
        metrics.lag_s.set(lag_ms as f64 / 1000.0);
    }

    /// Waits for all of them, which know by themselves that the service stops.
    async fn end(self) {
        let (running, tasks): (Vec<_>, Vec<_>) =
            self.running.into_values().map(|running| (running.told, running.task)).unzip();
        for task in tasks.into_iter().chain(self.ending.into_values()) {
            let _ = task.await;
        }
        drop(running);
    }
}

fn start(service: &Service, state: WebhookState) -> Running {
    let (told, heard) = watch::channel(Arc::new(state));
    let figures = Arc::new(Figures::default());
    let pump = Pump::new(service.clone(), heard, Arc::clone(&figures));
    Running { told, task: tokio::spawn(pump.run()), figures }
}

impl Service {
    /// Delivers to endpoints until it is stopped, and then waits for what is under way.
    pub(crate) async fn deliver_webhooks(self) {
        let (dispatch, mut pumps) = (self.dispatch(), Pumps::default());
        loop {
            tokio::select! {
                () = tokio::time::sleep(dispatch.settings.poll) => {}
                () = stopped(self.stopping()) => break,
            }
            dispatch.forget();
            let leased = self.registry().lease_webhooks(self.lease(pumps.running.len())).await;
            self.health().note(&leased);
            match leased {
                Ok(held) => pumps.follow(&self, held),
                // Pumps go on as long as their leases may hold.
                Err(error) => tracing::debug!("leases of webhooks wait: {error}"),
            }
            pumps.tell(&self);
        }
        pumps.end().await;
        if let Err(error) = self.registry().release_webhooks(dispatch.holder).await {
            tracing::debug!("leases of webhooks end by themselves: {error}");
        }
    }

    fn lease(&self, held: usize) -> WebhookLease {
        let (dispatch, now_ms) = (self.dispatch(), self.host().now_ms());
        let lease_ms = dispatch.settings.lease.as_millis() as u64;
        let room = u32::try_from(MOST.saturating_sub(held)).unwrap_or(u32::MAX);
        WebhookLease {
            holder: dispatch.holder,
            now_ms,
            renew_before_ms: now_ms.saturating_add(lease_ms / 2),
            until_ms: now_ms.saturating_add(lease_ms),
            most: room.min(IN_ONE_ROUND),
        }
    }
}
