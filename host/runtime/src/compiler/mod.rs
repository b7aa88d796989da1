//! The compiler of plugins: concurrency, separate processes and their limits.
//!
//! A plugin is somebody else's, and compiling it takes more time and memory than anything else that a host
//! does for one tenant. So a look comes first (`look`), then a queue with turns between tenants (`queue`),
//! then a process of its own that can be killed (`process`), where the host has a program for it.

mod look;
mod process;
mod queue;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use wasmtime::component::Component;

pub use process::compile_for_parent;

use super::plugin::{PluginError, compile, failed};
use super::{Engine, code_cache};
use hongbao_domain::TenantId;
use queue::Queue;

/// Limits of compiling plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Maximum number of concurrent compilations; at least one.
    pub at_once: usize,
    /// Time limit for one plugin. Enforced only in a separate process.
    pub time: Duration,
    /// Memory limit for one plugin, in bytes. Enforced only in a separate process.
    pub memory_bytes: u64,
    /// Maximum code size of one plugin, in bytes of WebAssembly.
    pub code_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { at_once: 1, time: Duration::from_secs(10), memory_bytes: 512 << 20, code_bytes: 4 << 20 }
    }
}

/// The compiler of plugins. Cheap to clone; clones share one queue.
#[derive(Clone)]
pub struct Compiler {
    limits: CompileLimits,
    program: Option<Arc<Path>>,
    queue: Queue,
}

impl Default for Compiler {
    fn default() -> Self {
        Self::in_this_process(CompileLimits::default())
    }
}

impl Compiler {
    /// Compiles on threads of this process. Such a compilation cannot be stopped: there is no limit on time and
    /// memory, only on concurrency and code size.
    #[must_use]
    pub fn in_this_process(limits: CompileLimits) -> Self {
        Self { limits, program: None, queue: Queue::new(limits.at_once) }
    }

    /// Compiles each plugin in a process of its own, which is killed at a limit, or when nobody waits for it any
    /// more. `program` must accept the arguments of [`compile_for_parent`], as `hongbao` does, and be of the same
    /// version as this library.
    #[must_use]
    pub fn in_processes(program: PathBuf, limits: CompileLimits) -> Self {
        Self { program: Some(program.into()), ..Self::in_this_process(limits) }
    }

    /// The limits.
    #[must_use]
    pub const fn limits(&self) -> &CompileLimits {
        &self.limits
    }

    /// The numbers of plugins that are being compiled and that wait.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        self.queue.count()
    }

    /// Whether a component is small enough to be tried.
    pub(super) fn look(&self, bytes: &[u8]) -> Result<(), PluginError> {
        look::look(bytes, &self.limits)
    }

    /// Compiles a component when it is the turn of whoever asks; waits for that so long at most. Gives how
    /// long compiling took as well.
    pub(super) async fn compile(
        &self,
        engine: &Engine,
        bytes: Arc<[u8]>,
        whose: Option<TenantId>,
        wait: Option<Duration>,
    ) -> Result<(Component, Duration), PluginError> {
        let place = self.queue.enter(whose, wait).await?;
        let begun = place.since();
        let engine = engine.clone();
        let component = match &self.program {
            Some(program) => {
                let code = process::compile(program, &bytes, &self.limits).await?;
                // Linking is short, and the next plugin is not kept waiting for it.
                drop(place);
                let load = move || code_cache::deserialize(&engine.wasmtime, &code);
                let loaded = spawn_blocking(load).await.map_err(failed)?;
                loaded.map_err(PluginError::OtherCompiler)?
            }
            None => {
                let compile = move || {
                    // Held to the end, also where nobody waits for the answer any more.
                    let _place = place;
                    compile(&engine, &bytes)
                };
                spawn_blocking(compile).await.map_err(failed)??
            }
        };
        Ok((component, begun.elapsed()))
    }
}

impl std::fmt::Debug for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { limits, program, .. } = self;
        f.debug_struct("Compiler").field("limits", limits).field("program", program).finish_non_exhaustive()
    }
}
