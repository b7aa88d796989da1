//! The process's one wasmtime engine, and the ticks by which it interrupts a plugin.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::domain::Limits;
use crate::imports::TICK_MS;

/// Compiles plugins and owns the memory that their instances live in. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(super) wasmtime: wasmtime::Engine,
    /// Ahead of the pool, so that its exhaustion makes callers wait instead of failing.
    pub(super) room: Arc<Semaphore>,
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

    /// Most instances at one time, of all tenants.
    pub(super) const MAX_INSTANCES: u32 = 2048;

    /// An engine with a pool of instances.
    ///
    /// # Errors
    /// When this machine cannot run wasmtime.
    pub fn new() -> Result<Self, EngineError> {
        let wasmtime = wasmtime::Engine::new(&Self::config())
            .map_err(|error| EngineError::Wasmtime(format!("{error:#}")))?;
        let ticker = Arc::new(Ticker::start(wasmtime.clone())?);
        let room = Arc::new(Semaphore::new(Self::MAX_INSTANCES as usize));
        Ok(Self { wasmtime, room, _ticker: ticker })
    }

    /// Whether this is the very same engine.
    pub(super) fn is(&self, other: &Self) -> bool {
        wasmtime::Engine::same(&self.wasmtime, &other.wasmtime)
    }

    fn config() -> Config {
        let mut pool = PoolingAllocationConfig::default();
        pool.total_component_instances(Self::MAX_INSTANCES)
            .total_core_instances(Self::MAX_INSTANCES * 4)
            .total_memories(Self::MAX_INSTANCES)
            .total_tables(Self::MAX_INSTANCES * 2)
            .total_stacks(Self::MAX_INSTANCES)
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
