//! Instances: warm ones are used again, broken ones never.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use super::{CallError, Engine, Plugin};
use crate::imports::{Breach, Calls, InstanceState, Surroundings, bindings};

/// What a tenant's plugins may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest computing between two host calls.
    pub cpu_ms: u64,
    /// Longest call, waiting for stores included.
    pub call_ms: u64,
    /// Most linear memory of one instance, at most 16 MiB.
    pub memory_bytes: usize,
    /// Instances at work at one time; further calls wait.
    pub instances: u32,
    /// Calls after which an instance is replaced by a fresh one.
    pub calls_per_instance: u32,
    /// Users waiting in all lanes; past them the answer is `busy`.
    pub waiting: usize,
    /// Users waiting for one packet; past them the answer is `busy`.
    pub waiting_per_packet: usize,
    /// Most users in one call.
    pub batch: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms: 100,
            call_ms: 5_000,
            memory_bytes: Engine::MAX_MEMORY_BYTES,
            instances: 1024,
            calls_per_instance: 10_000,
            waiting: 16_384,
            waiting_per_packet: 8_192,
            batch: 256,
        }
    }
}

/// A tenant's instances.
pub(super) struct Instances {
    plugin: Plugin,
    around: Arc<Surroundings>,
    limits: Limits,
    idle: Mutex<Vec<Instance>>,
    /// Ahead of the engine's pool, so that exhaustion makes callers wait instead of failing.
    permits: Semaphore,
}

struct Instance {
    store: Store<InstanceState>,
    plugin: bindings::Plugin,
    calls: u32,
}

impl Instances {
    pub(super) fn new(plugin: Plugin, around: Arc<Surroundings>, limits: Limits) -> Self {
        let permits = Semaphore::new(limits.instances.clamp(1, Engine::MAX_INSTANCES) as usize);
        Self { plugin, around, limits, idle: Mutex::default(), permits }
    }

    /// Runs `act` on an instance, which is used again only if it answered in time and did not
    /// trap. A caller that goes away drops its instance with the call.
    pub(super) async fn call<T>(
        &self,
        act: impl AsyncFnOnce(Calls<'_>) -> wasmtime::Result<T>,
    ) -> Result<T, CallError> {
        let work = async {
            let _permit = self.permits.acquire().await.map_err(|_| CallError::Busy)?;
            let mut instance = self.take().await?;
            instance.prepare(&self.limits);
            let calls = Calls { plugin: &instance.plugin, store: &mut instance.store };
            let answer = act(calls).await.map_err(|error| trapped(&error))?;
            self.give_back(instance);
            Ok(answer)
        };
        let limit = Duration::from_millis(self.limits.call_ms);
        let in_time = tokio::time::timeout(limit, work).await;
        in_time.unwrap_or(Err(CallError::TimedOut(self.limits.call_ms)))
    }

    async fn take(&self) -> Result<Instance, CallError> {
        // In a statement of its own: the lock must not be held while an instance is made.
        let idle = self.idle().pop();
        match idle {
            Some(instance) => Ok(instance),
            None => self.make().await,
        }
    }

    async fn make(&self) -> Result<Instance, CallError> {
        let state = InstanceState::new(Arc::clone(&self.around), self.limits.memory_bytes);
        let mut store = Store::new(&self.plugin.engine.wasmtime, state);
        store.limiter(|state| &mut state.limits);
        store.epoch_deadline_callback(deadline(self.limits.ticks()));
        store.set_epoch_deadline(self.limits.ticks());
        let plugin = self.plugin.pre.instantiate_async(&mut store).await.map_err(|error| trapped(&error))?;
        Ok(Instance { store, plugin, calls: 0 })
    }

    fn give_back(&self, mut instance: Instance) {
        instance.calls += 1;
        if instance.calls < self.limits.calls_per_instance {
            self.idle().push(instance);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instance {
    fn prepare(&mut self, limits: &Limits) {
        self.store.set_epoch_deadline(limits.ticks());
        let state = self.store.data_mut();
        state.host_calls = 0;
        state.host_calls_seen = 0;
    }
}

impl Limits {
    fn ticks(&self) -> u64 {
        // The first tick may come at once, so one more makes the limit a lower bound.
        self.cpu_ms.div_ceil(Engine::TICK.as_millis() as u64) + 1
    }
}

/// Time passes while a plugin waits for a store as well. So a passed deadline stops only a
/// plugin that has not called the host since the last one; any other yields to its neighbours
/// and goes on, up to the limits of host calls and of the whole call.
fn deadline(
    ticks: u64,
) -> impl FnMut(StoreContextMut<'_, InstanceState>) -> wasmtime::Result<UpdateDeadline> + Send + Sync {
    move |mut store| {
        let state = store.data_mut();
        if state.host_calls == state.host_calls_seen {
            return Err(Breach::Cpu.into());
        }
        state.host_calls_seen = state.host_calls;
        Ok(UpdateDeadline::Yield(ticks))
    }
}

/// A breach in its own words; anything else in wasmtime's.
fn trapped(error: &wasmtime::Error) -> CallError {
    let why = match (error.downcast_ref::<Breach>(), error.downcast_ref::<wasmtime::Trap>()) {
        (Some(breach), _) => breach.to_string(),
        (None, Some(trap)) => trap.to_string(),
        (None, None) => error.root_cause().to_string(),
    };
    tracing::warn!("a plugin's instance was dropped: {error:#}");
    CallError::Trapped(why.into())
}
