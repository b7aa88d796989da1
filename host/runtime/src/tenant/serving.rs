//! The immutable value that serves a tenant: a plugin, its grants, policy and limits.
//!
//! It never changes. A change makes another one, which takes over for new calls, while those under
//! way finish on the one that they began with.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use governor::clock::Clock as _;
use governor::{DefaultDirectRateLimiter, Quota};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{TenantConfig, TenantError};
use crate::imports::{Calls, Deadline, TenantContext};
use crate::instance::{Done, Instance};
use crate::pool::Owner;
use crate::shared::Shared;
use crate::{CallError, Plugin, PluginManifest};
use hongbao_domain::{Grants, Limits, Manifest, Strategies, TenantId};

/// What could serve a tenant, and does not yet.
pub struct Prepared(pub(crate) Serving);

pub(crate) struct Serving {
    pub(super) owner: Owner,
    pub(super) plugin: Plugin,
    pub(super) manifest: Arc<Manifest>,
    pub(super) config: TenantConfig,
    pub(super) context: Arc<TenantContext>,
    in_flight: Semaphore,
    rate: Option<Arc<DefaultDirectRateLimiter>>,
    /// Another one serves: instances are not kept any more.
    is_retired: AtomicBool,
}

impl Serving {
    /// Makes an instance and asks the plugin what it is. Only then it may serve anybody.
    pub(crate) async fn prepare(
        shared: &Shared,
        config: TenantConfig,
        plugin: Plugin,
    ) -> Result<Self, TenantError> {
        if !plugin.engine().is(&shared.engine) {
            return Err(TenantError::OtherEngine);
        }
        let limits = config.settings.limits;
        config.settings.validate().map_err(|error| TenantError::Invalid(error.why))?;
        let asks = plugin.asks();
        let missing = asks.without(config.granted(&plugin, asks));
        if !missing.is_empty() {
            return Err(TenantError::NotGranted(missing));
        }
        // Until it has said what it is, it is given nothing.
        let context = context_of(shared, &config, Grants::NONE, None);
        let limit = Duration::from_millis(limits.call_ms);
        let ask = async {
            let room = shared.pool.room(plugin.places()).await?;
            let mut instance = Instance::make(&plugin, Arc::new(context), room).await?;
            instance.call(Deadline::after(limit), move |calls| Box::pin(calls.manifest(asks))).await.answer
        };
        let said = tokio::time::timeout(limit, ask).await;
        let said = said.unwrap_or(Err(CallError::TimedOut(limits.call_ms)));
        let manifest = plugin.share_manifest(said.map_err(TenantError::NoManifest)?);
        if let Some(written) = plugin.manifest() {
            same(written, &manifest).map_err(TenantError::OtherManifest)?;
        }
        let context = Arc::new(context_of(shared, &config, asks, Some(manifest.strategies.clone())));
        let in_flight = Semaphore::new(limits.calls_in_flight as usize);
        let rate = limits.requests_per_second;
        let rate = rate.map(|rate| Arc::new(DefaultDirectRateLimiter::direct(Quota::per_second(rate))));
        let owner = shared.new_owner();
        Ok(Self {
            owner,
            plugin,
            manifest,
            config,
            context,
            in_flight,
            rate,
            is_retired: AtomicBool::new(false),
        })
    }

    pub(crate) fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.manifest)
    }

    pub(crate) const fn id(&self) -> &TenantId {
        &self.config.id
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.config.settings.limits
    }

    /// Counts on where another one counted, if the rate is the same: else every upgrade would begin a new second.
    pub(super) fn counting_on(mut self, before: &Self) -> Self {
        if self.limits().requests_per_second == before.limits().requests_per_second {
            self.rate.clone_from(&before.rate);
        }
        self
    }

    /// Counts a request against the tenant's rate.
    pub(super) fn take_rate(&self) -> Result<(), CallError> {
        let Some(rate) = &self.rate else { return Ok(()) };
        rate.check().map_err(|not_until| {
            let wait = not_until.wait_time_from(governor::clock::DefaultClock::default().now());
            CallError::RateLimited {
                retry_after_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1),
            }
        })
    }

    /// A place among the calls that are under way.
    async fn permit(&self, deadline: Deadline) -> Result<SemaphorePermit<'_>, CallError> {
        // A place that is free needs no timer.
        if let Ok(permit) = self.in_flight.try_acquire() {
            return Ok(permit);
        }
        let permit = tokio::time::timeout(deadline.left() / 2, self.in_flight.acquire()).await;
        permit.map_err(|_| CallError::Busy)?.map_err(|_| CallError::Busy)
    }

    /// Does work that needs no plugin, within the same bounds of number and time as a call of the plugin.
    pub(super) async fn in_turn<T>(
        &self,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let deadline = Deadline::after(Duration::from_millis(self.limits().call_ms));
        let _permit = self.permit(deadline).await?;
        tokio::time::timeout(deadline.left_for_stores(), work).await.unwrap_or(Err(CallError::Unavailable))
    }

    /// Runs `act` on an instance, which is used again only if it answered in time and did not trap.
    /// A caller that goes away drops its instance with the call. One that waited in vain for a place is
    /// told that it is busy: nothing was done.
    pub(super) async fn call<T>(
        &self,
        shared: &Shared,
        act: impl for<'i> FnOnce(Calls<'i>) -> BoxFuture<'i, wasmtime::Result<T>> + Send,
    ) -> Result<Done<T>, CallError> {
        let limit = self.limits().call_ms;
        let deadline = Deadline::after(Duration::from_millis(limit));
        // Whoever waited half of the time for a place has too little left to do it well.
        let _permit = self.permit(deadline).await?;
        let taken = match shared.pool.take(self.owner) {
            Some(instance) => Ok(instance),
            None => {
                let room =
                    tokio::time::timeout(deadline.left() / 2, shared.pool.room(self.plugin.places())).await;
                Err(room.unwrap_or(Err(CallError::Busy))?)
            }
        };
        let work = async {
            let mut instance = match taken {
                Ok(instance) => instance,
                Err(room) => Instance::make(&self.plugin, Arc::clone(&self.context), room).await?,
            };
            let done = instance.call(deadline, act).await;
            let is_worn = instance.calls() >= self.limits().calls_per_instance;
            if done.answer.is_ok() && !is_worn && !self.is_retired.load(Ordering::Acquire) {
                let idle_for = Duration::from_millis(self.limits().idle_ms);
                shared.pool.give_back(self.owner, instance, idle_for);
            }
            Ok(done)
        };
        let in_time = tokio::time::timeout_at(deadline.of_call().into(), work).await;
        in_time.unwrap_or(Err(CallError::TimedOut(limit)))
    }

    /// Another one serves now.
    pub(super) fn retire(&self, shared: &Shared) {
        self.is_retired.store(true, Ordering::Release);
        shared.pool.retire(self.owner);
    }
}

/// What a plugin of this tenant may reach that has these grants and these strategies.
fn context_of(
    shared: &Shared,
    config: &TenantConfig,
    grants: Grants,
    strategies: Option<Strategies>,
) -> TenantContext {
    TenantContext {
        tenant: config.id.clone(),
        counter: Arc::clone(&shared.counter),
        packets: Arc::clone(&shared.ledger.packets),
        lists: Arc::clone(&shared.ledger.lists),
        clock: Arc::clone(&shared.clock),
        entropy: Arc::clone(&shared.entropy),
        policy: config.settings.policy.clone(),
        strategies,
        settings: config.settings.settings.clone(),
        grants,
        limits: config.settings.limits,
        open_packets: shared.open_packets(&config.id),
        health: Arc::clone(&shared.health),
    }
}

/// Whether a plugin says of itself what its `plugin.toml` says of it.
fn same(written: &PluginManifest, said: &Manifest) -> Result<(), String> {
    let differ = |what: &str, written: &str, said: &str| Err(format!("its {what} is {said}, not {written}"));
    if written.id != said.name {
        return differ("name", &written.id, &said.name);
    }
    if written.version != said.version {
        return differ("version", &written.version, &said.version);
    }
    Ok(())
}
