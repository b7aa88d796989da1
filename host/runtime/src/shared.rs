//! The state that all tenants of a host share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Engine;
use super::clock_watch::ClockWatch;
use super::ledger::LedgerParts;
use super::metrics::Metrics;
use super::pool::{Owner, Pool};
use super::turns::Turns;
use super::wakes::Wakes;
use crate::imports::{Clock, Entropy, OpenPackets, StoreHealth};
use hongbao_domain::TenantId;
use hongbao_store::Counter;

pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) pool: Pool,
    /// Where calls begin.
    pub(super) turns: Arc<Turns>,
    pub(super) counter: Arc<dyn Counter>,
    pub(super) ledger: LedgerParts,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) clock_watch: ClockWatch,
    pub(super) metrics: Metrics,
    pub(super) health: Arc<StoreHealth>,
    pub(super) entropy: Arc<Entropy>,
    pub(super) wakes: Wakes,
    owners: AtomicU64,
    /// Of each tenant, whatever becomes of its plugin and its settings.
    open_packets: Mutex<HashMap<TenantId, Arc<OpenPackets>>>,
}

impl Shared {
    /// Begins with nothing in it.
    pub(super) fn new(
        engine: Engine,
        counter: Arc<dyn Counter>,
        ledger: LedgerParts,
        clock: Arc<dyn Clock>,
        entropy: Entropy,
        metrics: Metrics,
    ) -> Self {
        Self {
            pool: Pool::new(engine.clone()),
            turns: Arc::default(),
            engine,
            health: Arc::new(StoreHealth::of(&*counter)),
            counter,
            ledger,
            clock_watch: ClockWatch::new(Arc::clone(&clock)),
            clock,
            metrics,
            entropy: Arc::new(entropy),
            wakes: Wakes::default(),
            owners: AtomicU64::new(0),
            open_packets: Mutex::default(),
        }
    }

    /// A number that nobody had before.
    pub(super) fn new_owner(&self) -> Owner {
        Owner(self.owners.fetch_add(1, Ordering::Relaxed))
    }

    pub(super) fn open_packets(&self, tenant: &TenantId) -> Arc<OpenPackets> {
        let mut all = self.open_packets.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(tenant.clone()).or_default())
    }

    /// Of a tenant that is served no more.
    pub(super) fn forget_open_packets(&self, tenant: &TenantId) {
        self.open_packets.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }
}
