//! `Host`, the API for embedders: many tenants on the same stores.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::ledger::LedgerParts;
use super::metrics::{Metrics, Now};
use super::shared::Shared;
use super::tenant::Serving;
use super::{
    CallError, CodeCache, Compiler, Engine, EngineError, LoadError, Plugin, Plugins, Prepared, Refunds,
    Settlements, Tenant, TenantConfig, TenantError, TenantsFile,
};
use crate::imports::{Clock, Entropy, Skew, SteadyClock};
use hongbao_domain::{Manifest, MoneyEvent, MoneyEventId, Suspension, TenantId};
use hongbao_store::memory::{MemoryCounter, MemoryLedger};
use hongbao_store::{
    Audit, Backlog, Counter, Discrepancy, Health, Ledger, PacketLedger, Parked, Report, Settled, StoreError,
};

/// A host serves many tenants: they share an engine, stores and a clock; each has a plugin, grants, a
/// policy and limits for each. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    shared: Arc<Shared>,
    // Beside what the tenants share and not in it, since tenants hold on to that.
    tenants: Arc<RwLock<HashMap<TenantId, Tenant>>>,
    plugins: Arc<Plugins>,
    settlements: Arc<Mutex<Settlements>>,
    pub(super) expected: Arc<RwLock<HashSet<TenantId>>>,
}

/// The health of a host's stores and clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Without the ledger nothing can be opened or sent.
    pub ledger: Report,
    /// Without the counter the ledger decides alone: slower, but correctly.
    pub counter: Report,
    /// The error of this host's clock. While there is one, operations that depend on the time are refused.
    pub clock: Skew,
}

impl Checked {
    /// Whether the host can do its work.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.ledger.works() && !self.clock.is_off
    }
}

/// The builder of a [`Host`]. Unset parts use their defaults: an engine of its own, stores in memory,
/// the machine's clock and randomness.
#[derive(Default)]
pub struct HostBuilder {
    engine: Option<Engine>,
    counter: Option<Arc<dyn Counter>>,
    ledger: Option<Arc<dyn Ledger>>,
    packets: Option<Arc<dyn PacketLedger>>,
    clock: Option<Arc<dyn Clock>>,
    entropy: Option<Entropy>,
    code_cache: Option<Arc<CodeCache>>,
    compiler: Compiler,
    named_in_metrics: Option<usize>,
}

/// Why a host could not be built.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Wasmtime does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Entropy(#[from] getrandom::Error),
}

impl HostBuilder {
    /// Uses this engine, which must be the one that compiles the plugins.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Uses this counter.
    #[must_use]
    pub fn counter(mut self, counter: Arc<dyn Counter>) -> Self {
        self.counter = Some(counter);
        self
    }

    /// Uses this ledger.
    #[must_use]
    pub fn ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Uses this wrapper of the ledger's packet side, such as a [change feed](hongbao_store::change_feed), to record,
    /// load, claim and close packets.
    #[must_use]
    pub fn packets(mut self, packets: Arc<dyn PacketLedger>) -> Self {
        self.packets = Some(packets);
        self
    }

    /// Uses this clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Uses this source of randomness.
    #[must_use]
    pub fn entropy(mut self, entropy: Entropy) -> Self {
        self.entropy = Some(entropy);
        self
    }

    /// Keeps compiled plugins in this cache.
    #[must_use]
    pub fn code_cache(mut self, cache: Arc<CodeCache>) -> Self {
        self.code_cache = Some(cache);
        self
    }

    /// Uses this compiler of plugins. The default compiles in this process.
    #[must_use]
    pub fn compiler(mut self, compiler: Compiler) -> Self {
        self.compiler = compiler;
        self
    }

    /// Limits the tenants that are named in metrics, to the first that are added. The others are counted
    /// together, since each name adds time series to the monitoring.
    #[must_use]
    pub const fn named_in_metrics(mut self, tenants: usize) -> Self {
        self.named_in_metrics = Some(tenants);
        self
    }

    /// Builds the host.
    ///
    /// # Errors
    /// When wasmtime does not start or the operating system gives no randomness.
    pub fn build(self) -> Result<Host, HostError> {
        const NAMED_IN_METRICS: usize = 100;
        let engine = match self.engine {
            Some(engine) => engine,
            None => Engine::new()?,
        };
        let entropy = match self.entropy {
            Some(entropy) => entropy,
            None => Entropy::from_os()?,
        };
        let plugins = Plugins::new(engine.clone()).with_compiler(self.compiler);
        let plugins = match self.code_cache {
            Some(cache) => plugins.with_cache(cache),
            None => plugins,
        };
        let counter = self.counter.unwrap_or_else(|| Arc::new(MemoryCounter::new()));
        let ledger = self.ledger.unwrap_or_else(|| Arc::new(MemoryLedger::new()));
        counter.follow(ledger.history());
        let ledger = LedgerParts::new(ledger, self.packets);
        let clock = self.clock.unwrap_or_else(|| Arc::new(SteadyClock::of_the_machine()));
        let metrics = Metrics::new(self.named_in_metrics.unwrap_or(NAMED_IN_METRICS));
        let shared = Shared::new(engine, counter, ledger, clock, entropy, metrics);
        Ok(Host {
            shared: Arc::new(shared),
            tenants: Arc::default(),
            plugins: Arc::new(plugins),
            settlements: Arc::default(),
            expected: Arc::default(),
        })
    }
}

impl Host {
    /// Starts building a host.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// The engine that compiles this host's plugins.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// Loads this host's plugins, each digest once.
    #[must_use]
    pub fn plugins(&self) -> &Plugins {
        &self.plugins
    }

    /// Adds a tenant, served by this plugin once the plugin has returned its manifest.
    ///
    /// # Errors
    /// When a tenant of that name exists, or the plugin returns no manifest, or it imports what the tenant
    /// does not grant.
    pub async fn add(&self, config: TenantConfig, plugin: Plugin) -> Result<Tenant, TenantError> {
        if self.tenant(&config.id).is_some() {
            return Err(TenantError::Exists(config.id));
        }
        self.add_prepared(self.prepare(config, plugin).await?, Suspension::default())
    }

    /// Prepares a plugin for a tenant, new or not: it is instantiated and has returned its manifest, but does
    /// not serve yet, so that the change can be recorded first.
    pub async fn prepare(&self, config: TenantConfig, plugin: Plugin) -> Result<Prepared, TenantError> {
        Ok(Prepared(Serving::prepare(&self.shared, config, plugin).await?))
    }

    /// Adds a tenant, served by what was prepared; suspended from the beginning if so given.
    pub fn add_prepared(
        &self,
        Prepared(serving): Prepared,
        suspension: Suspension,
    ) -> Result<Tenant, TenantError> {
        let id = serving.id().clone();
        let tenant = Tenant::new(Arc::clone(&self.shared), serving);
        tenant.set_suspension(suspension);
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have added one meanwhile.
        if tenants.contains_key(&id) {
            return Err(TenantError::Exists(id));
        }
        tenants.insert(id, tenant.clone());
        Ok(tenant)
    }

    /// Adds every tenant of a file, in the order of their names. Plugins of the same digest are compiled
    /// once.
    ///
    /// # Errors
    /// At the first that cannot be added; those before it stay.
    pub async fn add_all(&self, file: &TenantsFile) -> Result<Vec<Tenant>, LoadError> {
        let mut tenants = Vec::with_capacity(file.tenants.len());
        for entry in &file.tenants {
            let id = &entry.config.id;
            let plugin: Plugin = self
                .plugins()
                .load(file.plugin(entry))
                .await
                .map_err(|error| LoadError::Plugin(id.clone(), error))?;
            let tenant = self.add(entry.config.clone(), plugin).await;
            tenants.push(tenant.map_err(|error| LoadError::Tenant(id.clone(), error))?);
        }
        Ok(tenants)
    }

    /// The manifest of a plugin, if it could serve such a tenant. The plugin does not begin to serve.
    ///
    /// # Errors
    /// Those of [`add`](Self::add), except that a tenant of that name may exist.
    pub async fn try_out(&self, config: TenantConfig, plugin: Plugin) -> Result<Arc<Manifest>, TenantError> {
        Ok(self.prepare(config, plugin).await?.0.manifest())
    }

    /// The tenant of this name.
    #[must_use]
    pub fn tenant(&self, id: &TenantId) -> Option<Tenant> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All tenants, in the order of their names.
    #[must_use]
    pub fn tenants(&self) -> Vec<Tenant> {
        let mut tenants: Vec<_> =
            self.tenants.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        tenants.sort_unstable_by(|one, other| one.id().cmp(other.id()));
        tenants
    }

    /// Stops serving a tenant; false if there is none. Its data in the ledger is kept.
    pub fn remove(&self, id: &TenantId) -> bool {
        let removed = self.tenants.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.shared.forget_open_packets(id);
        removed.inspect(Tenant::retire).is_some()
    }

    /// The host's clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.shared.clock)
    }

    /// Milliseconds since the Unix epoch, by the host's clock.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.shared.clock.now_ms()
    }

    /// Credits at most `limit` claims to wallets, in the ledger's order and of all its tenants; gives
    /// them in that order.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn settle(&self, limit: u32) -> Result<Vec<Settled>, StoreError> {
        let settled = self.shared.ledger.settlement.settle(limit, self.now_ms()).await;
        self.shared.health.ledger.note(&settled);
        let settled = settled?;
        let tenants: HashSet<_> = settled.iter().map(|claim| &claim.key.tenant).collect();
        tenants.into_iter().for_each(|tenant| self.shared.wakes.wake(tenant));
        let now_ms = self.now_ms();
        self.shared.metrics.settled(&settled, now_ms);
        self.settlements.lock().unwrap_or_else(PoisonError::into_inner).count(&settled, now_ms);
        Ok(settled)
    }

    /// Statistics of what this host has settled since it was built.
    #[must_use]
    pub fn settlements(&self) -> Settlements {
        self.settlements.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The sums of a tenant's ledger, whether or not this host serves the tenant.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn audit(&self, tenant: &TenantId) -> Result<Audit, StoreError> {
        self.shared.ledger.audit.audit(tenant).await
    }

    /// Inconsistencies in a tenant's ledger; empty if there are none.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn verify(&self, tenant: &TenantId) -> Result<Vec<Discrepancy>, StoreError> {
        self.shared.ledger.audit.verify(tenant).await
    }

    /// At most `limit` events of a tenant's money after this one, whether or not this host serves the tenant; None where
    /// `after` is no event of the ledger.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn money_events(
        &self,
        tenant: &TenantId,
        after: Option<MoneyEventId>,
        limit: u32,
    ) -> Result<Option<Vec<MoneyEvent>>, StoreError> {
        self.shared.ledger.money_events.money_events(tenant, after, limit).await
    }

    /// The last event of a tenant's money that can be told now; None where there is none yet.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn last_money_event(&self, tenant: &TenantId) -> Result<Option<MoneyEventId>, StoreError> {
        self.shared.ledger.money_events.last_money_event(tenant).await
    }

    /// The backlog of settlement and the withdrawals that are held, for all tenants of the ledger. The metrics show the latest result.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        let backlog = self.shared.ledger.settlement.backlog().await?;
        self.shared.metrics.backlog(&backlog, self.now_ms());
        Ok(backlog)
    }

    /// At most `limit` parked claims, which could not be settled and need an operator.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        self.shared.ledger.settlement.parked(limit).await
    }

    /// Puts every parked claim back into the settlement queue; returns their number.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn unpark(&self) -> Result<u64, StoreError> {
        self.shared.ledger.settlement.unpark().await
    }

    /// Checks both stores concurrently, by reading and writing. A report is reused for a second, however
    /// often this is called.
    pub async fn check(&self) -> Checked {
        let Shared { health, ledger, counter, .. } = &*self.shared;
        let asked = (health.ledger.check(ledger.audit.check()), health.counter.check(counter.check()));
        let (ledger, asked, clock) = futures::join!(asked.0, asked.1, self.check_clock());
        let known = counter.health().filter(|known| !known.works());
        Checked { ledger, counter: known.unwrap_or(asked), clock }
    }

    /// Compares the host's clock with the clock of the ledger's server, if it has one: once a second at most,
    /// however often this is called.
    pub async fn check_clock(&self) -> Skew {
        self.shared.clock_watch.check(&*self.shared.ledger.audit).await
    }

    /// Checks that the host's clock is right.
    ///
    /// # Errors
    /// When it is off: see [`Skew`].
    pub fn trust_clock(&self) -> Result<(), CallError> {
        self.shared.clock_watch.trust()
    }

    /// The health of the stores according to earlier calls and checks. Makes no request.
    pub fn health(&self) -> [&Health; 2] {
        let Shared { health, counter, .. } = &*self.shared;
        if let Some(report) = counter.health() {
            health.counter.tell(report);
        }
        [&health.ledger, &health.counter]
    }

    /// Frees the seats whose lease has ended; returns their number.
    ///
    /// # Errors
    /// When the counter is away, or the host's clock is off.
    pub async fn end_leases(&self) -> Result<u64, StoreError> {
        self.trust_clock().map_err(|error| StoreError::Unavailable(error.into()))?;
        self.shared.counter.sweep(self.now_ms()).await
    }

    /// Drops instances that were idle for longer than their tenant's limit.
    pub fn drop_idle(&self) {
        self.shared.pool.drop_idle();
    }

    /// Deletes all counters and seats, like a restart of the cache. No money is lost by it.
    ///
    /// # Errors
    /// When the counter is away.
    pub async fn lose_cache(&self) -> Result<(), StoreError> {
        self.shared.counter.clear().await
    }

    /// Refunds every expired packet of this host's tenants. A failed refund does not stop the others: it is
    /// reported in the answer, and retried by the next sweep.
    ///
    /// # Errors
    /// When the ledger cannot say which packets are due, or the host's clock is off.
    pub async fn expire_due(&self) -> Result<Refunds, CallError> {
        self.trust_clock()?;
        Refunds::sweep(&self.shared, None, |id| self.tenant(id).is_some()).await
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// How many refunds failed, and are tried again.
    pub(super) fn note_failing_refunds(&self, packets: usize) {
        self.shared.metrics.failing_refunds(packets);
    }

    /// The host's metrics, in the text format of Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        let tenants = self.tenants();
        let suspended = tenants.iter().filter(|tenant| tenant.is_suspended()).count();
        let waiting = tenants.iter().map(Tenant::waiting).sum();
        let (idle, all) = self.shared.pool.count();
        let cache = self.plugins.cache();
        self.shared.metrics.text(&Now {
            tenants: tenants.len(),
            suspended,
            waiting,
            idle,
            all,
            plugins: self.plugins.count(),
            compile_time: self.plugins.compile_time(),
            cache_hits: cache.map_or(0, CodeCache::hits),
            cache_misses: cache.map_or(0, CodeCache::misses),
            compiling: self.plugins.compiler().count(),
            refused_plugins: self.plugins.refused(),
            clock_ahead_ms: self.shared.clock.skew().ahead_ms,
        })
    }
}
