//! Every plugin that the process has loaded.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::task::{JoinError, spawn_blocking};

use super::{Digest, Engine, Plugin, PluginError, PluginFile, PluginSource};
use crate::runtime::code_cache::CodeCache;

/// Loads plugins, and compiles those of one digest once, however many ask for it.
///
/// What nobody uses any more is dropped when the next one is loaded.
pub struct Plugins {
    engine: Engine,
    cache: Option<Arc<CodeCache>>,
    loaded: Mutex<HashMap<Digest, Arc<OnceCell<Plugin>>>>,
    compile_ns: AtomicU64,
}

impl Plugins {
    /// No plugins yet.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self { engine, cache: None, loaded: Mutex::default(), compile_ns: AtomicU64::new(0) }
    }

    /// With compiled code that outlives the process.
    #[must_use]
    pub fn with_cache(self, cache: Arc<CodeCache>) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// What compiles them.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Where compiled code is kept, if it is.
    #[must_use]
    pub fn cache(&self) -> Option<&CodeCache> {
        self.cache.as_deref()
    }

    /// Reads and compiles a plugin where no task of the async runtime is kept waiting. One whose
    /// digest is loaded already comes at once.
    ///
    /// # Errors
    /// When it cannot be read, or is no plugin for this host.
    pub async fn load(&self, source: PluginSource) -> Result<Plugin, PluginError> {
        let read = move || source.read().map(|file| (Digest::of(&file.bytes), file));
        let (digest, file) = spawn_blocking(read).await.map_err(failed)??;
        let PluginFile { bytes, manifest } = file;
        let cell = self.cell(digest);
        let compile = || async {
            let (engine, cache) = (self.engine.clone(), self.cache.clone());
            let build = move || Plugin::build(&engine, &bytes, digest, cache.as_deref());
            let (plugin, took) = spawn_blocking(build).await.map_err(failed)??;
            let ns = took.map_or(0, |took| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            self.compile_ns.fetch_add(ns, Ordering::Relaxed);
            Ok::<_, PluginError>(plugin)
        };
        let plugin = cell.get_or_try_init(compile).await?;
        Ok(plugin.clone().with_manifest(manifest))
    }

    /// What compiling took, of all plugins that were not in the cache.
    #[must_use]
    pub fn compile_time(&self) -> Duration {
        Duration::from_nanos(self.compile_ns.load(Ordering::Relaxed))
    }

    /// How many different plugins are held.
    #[must_use]
    pub fn count(&self) -> usize {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.values().filter(|cell| cell.initialized()).count()
    }

    /// The place of this digest. What nobody uses or waits for loses its own.
    fn cell(&self, digest: Digest) -> Arc<OnceCell<Plugin>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let cell = Arc::clone(loaded.entry(digest).or_default());
        // Clones are made of what the cell holds, and cells are handed out under this lock alone:
        // what has no clone now gets none while it is dropped.
        loaded.retain(|_, cell| Arc::strong_count(cell) > 1 || cell.get().is_some_and(Plugin::is_shared));
        cell
    }
}

/// A task that blocks ends without an answer only if it panicked, or never began.
fn failed(error: JoinError) -> PluginError {
    if error.is_panic() { PluginError::CompilerFailed } else { PluginError::Stopping }
}
