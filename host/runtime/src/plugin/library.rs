//! `Plugins`: all plugins that the process has loaded.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use tokio::task::{JoinError, spawn_blocking};
use wasmtime::component::Component;

use super::costly::Costly;
use super::{Digest, Engine, Plugin, PluginError, PluginFile, PluginSource, compile};
use crate::Compiler;
use crate::code_cache::CodeCache;
use hongbao_domain::TenantId;

/// Loads plugins, and compiles each digest once, however many callers need it.
///
/// Unused plugins are dropped when the next one is loaded.
pub struct Plugins {
    engine: Engine,
    compiler: Compiler,
    cache: Option<Arc<CodeCache>>,
    loaded: Mutex<HashMap<Digest, Arc<OnceCell<Plugin>>>>,
    compile_ns: AtomicU64,
    /// By the code of the reason.
    refused: Mutex<BTreeMap<&'static str, u64>>,
    costly: Costly,
}

/// For whom a plugin is loaded, and how long they wait for their turn to have it compiled.
#[derive(Clone, Debug, Default)]
struct Asker {
    tenant: Option<TenantId>,
    wait: Option<Duration>,
}

impl Plugins {
    /// No plugins yet.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            compiler: Compiler::default(),
            cache: None,
            loaded: Mutex::default(),
            compile_ns: AtomicU64::new(0),
            refused: Mutex::default(),
            costly: Costly::default(),
        }
    }

    /// Keeps compiled plugins in this cache.
    #[must_use]
    pub fn with_cache(self, cache: Arc<CodeCache>) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Uses this compiler. The default compiles in this process.
    #[must_use]
    pub fn with_compiler(self, compiler: Compiler) -> Self {
        Self { compiler, ..self }
    }

    /// The engine that compiles them.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The compiler.
    #[must_use]
    pub const fn compiler(&self) -> &Compiler {
        &self.compiler
    }

    /// The cache of compiled plugins, if there is one.
    #[must_use]
    pub fn cache(&self) -> Option<&CodeCache> {
        self.cache.as_deref()
    }

    /// Reads and compiles a plugin, without blocking the async runtime. A digest that is loaded already is
    /// returned at once.
    ///
    /// # Errors
    /// When it cannot be read, or does not fit this host.
    pub async fn load(&self, source: PluginSource) -> Result<Plugin, PluginError> {
        self.load_by(source, Asker::default()).await
    }

    /// The same for a tenant: the compiler is shared fairly between tenants, and the wait for it is limited.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), and [`PluginError::Busy`] when the compiler was not free in time.
    pub async fn load_for(
        &self,
        tenant: &TenantId,
        source: PluginSource,
        wait: Option<Duration>,
    ) -> Result<Plugin, PluginError> {
        self.load_by(source, Asker { tenant: Some(tenant.clone()), wait }).await
    }

    /// Loads a plugin that need not be compiled: the embedded one, or one that is loaded or in the cache. None if
    /// it would have to be compiled.
    ///
    /// # Errors
    /// When it cannot be read, or does not fit this host.
    pub async fn load_ready(&self, source: PluginSource) -> Result<Option<Plugin>, PluginError> {
        let (digest, PluginFile { bytes, manifest }) = read(source).await?;
        if digest == Plugin::embedded_digest() {
            return self.load_by(PluginSource::Embedded, Asker::default()).await.map(Some);
        }
        let cell = self.cell(digest);
        if let Some(plugin) = cell.get() {
            return Ok(Some(plugin.clone().with_manifest(manifest)));
        }
        let Some(component) = self.cached(digest).await? else { return Ok(None) };
        let plugin = Plugin::of(&self.engine, &component, digest, bytes.len() as u64)?;
        // Somebody else may have been faster, or compiles it now, which is not waited for.
        let _ = cell.set(plugin.clone());
        Ok(Some(plugin.with_manifest(manifest)))
    }

    /// The total time of compilations.
    #[must_use]
    pub fn compile_time(&self) -> Duration {
        Duration::from_nanos(self.compile_ns.load(Ordering::Relaxed))
    }

    /// The number of loaded plugins.
    #[must_use]
    pub fn count(&self) -> usize {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.values().filter(|cell| cell.initialized()).count()
    }

    /// How many were not loaded, by the code of the reason.
    pub(crate) fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn load_by(&self, source: PluginSource, asker: Asker) -> Result<Plugin, PluginError> {
        let loaded = async {
            let (digest, PluginFile { bytes, manifest }) = read(source).await?;
            let cell = self.cell(digest);
            let plugin = cell.get_or_try_init(|| self.build(bytes, digest, asker)).await?;
            Ok(plugin.clone().with_manifest(manifest))
        };
        loaded.await.inspect_err(|error: &PluginError| {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            *refused.entry(error.code()).or_default() += 1;
        })
    }

    async fn build(
        &self,
        bytes: Cow<'static, [u8]>,
        digest: Digest,
        asker: Asker,
    ) -> Result<Plugin, PluginError> {
        Plugin::measure(&bytes)?;
        let (size, cached) = (bytes.len() as u64, self.cached(digest).await?);
        let is_cached = cached.is_some();
        let component = match cached {
            Some(component) => component,
            None => self.compile(bytes, digest, asker).await?,
        };
        let (engine, cache) = (self.engine.clone(), self.cache.clone().filter(|_| !is_cached));
        let check = move || {
            let plugin = Plugin::of(&engine, &component, digest, size)?;
            // Only now, so that what does not fit fills no disk.
            if let Some(cache) = cache {
                cache.store(&engine.wasmtime, digest, &component);
            }
            Ok(plugin)
        };
        spawn_blocking(check).await.map_err(failed)?
    }

    /// What the cache has of this digest.
    async fn cached(&self, digest: Digest) -> Result<Option<Component>, PluginError> {
        let Some(cache) = self.cache.clone() else { return Ok(None) };
        let engine = self.engine.clone();
        spawn_blocking(move || cache.load(&engine.wasmtime, digest)).await.map_err(failed)
    }

    async fn compile(
        &self,
        bytes: Cow<'static, [u8]>,
        digest: Digest,
        asker: Asker,
    ) -> Result<Component, PluginError> {
        let (component, took) = if digest == Plugin::embedded_digest() {
            // It is ours, and small: no tenant's plugin keeps it waiting.
            let (engine, begun) = (self.engine.clone(), Instant::now());
            let component = spawn_blocking(move || compile(&engine, &bytes)).await.map_err(failed)??;
            (component, begun.elapsed())
        } else {
            self.costly.check(digest, Instant::now())?;
            let (compiler, bytes) = (self.compiler.clone(), Arc::<[u8]>::from(bytes));
            let looked = {
                let (compiler, bytes) = (compiler.clone(), Arc::clone(&bytes));
                spawn_blocking(move || compiler.look(&bytes))
            };
            looked.await.map_err(failed)??;
            let compiled = compiler.compile(&self.engine, bytes, asker.tenant, asker.wait).await;
            compiled.inspect_err(|why| self.costly.note(digest, why, Instant::now()))?
        };
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.compile_ns.fetch_add(ns, Ordering::Relaxed);
        Ok(component)
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

async fn read(source: PluginSource) -> Result<(Digest, PluginFile), PluginError> {
    let read = move || source.read().map(|file| (Digest::of(&file.bytes), file));
    spawn_blocking(read).await.map_err(failed)?
}

/// A task that blocks ends without an answer only if it panicked, or never began.
pub(crate) fn failed(error: JoinError) -> PluginError {
    if error.is_panic() { PluginError::CompilerFailed } else { PluginError::Stopping }
}
