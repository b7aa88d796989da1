//! The wasmtime engine of the process, and the epoch ticks by which it interrupts plugins.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::imports::{MOST_MEMORIES, MOST_MODULES, TABLES_FOR_EACH, TICK_MS};
use hongbao_domain::Limits;

/// Compiles plugins and owns the memory that their instances live in. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) wasmtime: wasmtime::Engine,
    /// Ahead of the pool, so that its exhaustion makes callers wait instead of failing.
    pub(super) room: Arc<Semaphore>,
    /// How many there is room for.
    pub(super) instances: usize,
    /// As long as an engine is in use, its clock ticks.
    _ticker: Arc<Ticker>,
}

/// The engine could not be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The machine gives no room for the pool of instances, or wasmtime does not run on it.
    #[error("wasmtime cannot start here: {0}")]
    Wasmtime(String),
    /// No thread can be started.
    #[error("the engine's ticker cannot start: {0}")]
    Ticker(#[from] std::io::Error),
}

impl Engine {
    /// One tick of the epoch, in which CPU limits are counted.
    const TICK: Duration = Duration::from_millis(TICK_MS);

    /// The default maximum of instances, of all tenants together.
    pub const INSTANCES: u32 = 2048;

    /// An engine with a maximum of [`Engine::INSTANCES`] instances.
    ///
    /// # Errors
    /// When this machine cannot run wasmtime.
    pub fn new() -> Result<Self, EngineError> {
        Self::with_room(Self::INSTANCES)
    }

    /// An engine with this maximum of instances, of all tenants together; an instance with several memories counts
    /// several times. When it is reached, callers wait, or an idle instance is dropped. Each instance reserves 18 MiB
    /// of address space, which becomes memory when it is used; Linux allows some 9,000 by default, and
    /// more with a larger `vm.max_map_count`.
    ///
    /// # Errors
    /// When this machine cannot run wasmtime, or has not enough address space.
    pub fn with_room(instances: u32) -> Result<Self, EngineError> {
        let instances = instances.max(1);
        // What an instance leaves is cleaned by whoever needs the place next, which takes its time: some
        // places more than instances, so that nobody finds none.
        let wasmtime = wasmtime::Engine::new(&Self::config(instances.saturating_add(256)))
            .map_err(|error| EngineError::Wasmtime(format!("{error:#}")))?;
        let ticker = Arc::new(Ticker::start(wasmtime.clone())?);
        let room = Arc::new(Semaphore::new(instances as usize));
        Ok(Self { wasmtime, room, instances: instances as usize, _ticker: ticker })
    }

    /// Whether this is the very same engine.
    pub(super) fn is(&self, other: &Self) -> bool {
        wasmtime::Engine::same(&self.wasmtime, &other.wasmtime)
    }

    /// An engine for a process that compiles one plugin and runs none: what it makes is the same, and it has
    /// no threads beside the one that it is used on.
    pub(super) fn for_compiling() -> Result<wasmtime::Engine, EngineError> {
        let mut config = Self::config(1);
        config.parallel_compilation(false);
        wasmtime::Engine::new(&config).map_err(|error| EngineError::Wasmtime(format!("{error:#}")))
    }

    fn config(places: u32) -> Config {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(places)
            .total_core_instances(places.saturating_mul(MOST_MODULES as u32))
            .total_memories(places)
            .total_tables(places.saturating_mul(TABLES_FOR_EACH as u32))
            .total_stacks(places)
            .max_memories_per_module(MOST_MEMORIES as u32)
            .max_tables_per_module((MOST_MEMORIES * TABLES_FOR_EACH) as u32)
            .max_memory_size(Limits::MAX_MEMORY_BYTES)
            .table_elements(Limits::MAX_TABLE_ELEMENTS);
        let mut config = Config::new();
        config
            .wasm_component_model(true)
            // Plain functions only: a fiber a call costs a quarter of component-model async.
            .concurrency_support(false)
            .epoch_interruption(true)
            .memory_reservation(Limits::MAX_MEMORY_BYTES as u64)
            .memory_guard_size(64 << 10)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        config
    }
}

/// A thread that raises the epoch. It ends when the last engine is dropped.
struct Ticker {
    stop: std::sync::mpsc::Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let (stop, stopped) = std::sync::mpsc::channel();
        let tick = move || {
            while stopped.recv_timeout(Engine::TICK) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        };
        let thread = std::thread::Builder::new().name("hongbao-epoch".into()).spawn(tick)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        // A thread that is gone already has nothing to stop.
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};

    use super::*;

    #[test]
    fn a_compiling_process_makes_what_this_one_would_make() {
        let hash = |engine: &wasmtime::Engine| {
            let mut hasher = DefaultHasher::new();
            engine.precompile_compatibility_hash().hash(&mut hasher);
            hasher.finish()
        };
        let (own, compiling) = (Engine::new().unwrap(), Engine::for_compiling().unwrap());
        assert_eq!(hash(&own.wasmtime), hash(&compiling));
    }
}
