//! `Plugin`: a component that was measured, compiled and checked against the contract.

mod contract;
mod costly;
mod digest;
mod directory;
mod error;
mod form;
mod inspection;
mod library;
mod read;
mod source;

pub use digest::{Digest, DigestError};
pub use directory::PluginManifest;
pub use error::PluginError;
pub(super) use error::one_line;
pub use form::Form;
pub use inspection::Inspection;
pub use library::Plugins;
pub(super) use library::failed;
pub use source::{PluginFile, PluginSource};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, OnceLock};

use wasmtime::component::Component;

use super::Engine;
use crate::imports::{Linked, MOST_MEMORIES, TABLES_FOR_EACH};
use contract::Names;
use hongbao_domain::{Grants, Manifest};

/// A compiled plugin that fits this host. Instances come from it. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    engine: Engine,
    linked: Linked,
    facts: Arc<Facts>,
    manifest: Option<Arc<PluginManifest>>,
}

/// What is known of a plugin without running it.
struct Facts {
    digest: Digest,
    size: u64,
    imports: Vec<String>,
    /// Of the engine's pool, that an instance takes.
    places: u32,
    /// What the first instance said of itself. Shared by all tenants that are told the same.
    said: OnceLock<Arc<Manifest>>,
}

impl Plugin {
    /// The plugin that this crate was built with.
    pub const EMBEDDED: &'static [u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hongbao.wasm"));

    /// The maximum size of a component, in bytes.
    pub const MAX_BYTES: u64 = 16 << 20;

    /// Compiles the embedded plugin.
    ///
    /// # Errors
    /// None, unless the build is broken; see [`Plugin::from_bytes`].
    pub fn embedded(engine: &Engine) -> Result<Self, PluginError> {
        Self::from_bytes(engine, Self::EMBEDDED)
    }

    /// Compiles a component and checks that it fits, without running it. This takes a core for some tenths
    /// of a second; [`Plugins`] does it without blocking the async runtime, and once for each digest.
    ///
    /// # Errors
    /// When it is too large or not a component, imports what this host does not provide, lacks an
    /// export, or uses an incompatible version of the contract.
    pub fn from_bytes(engine: &Engine, bytes: &[u8]) -> Result<Self, PluginError> {
        Self::measure(bytes)?;
        Self::of(engine, &compile(engine, bytes)?, Digest::of(bytes), bytes.len() as u64)
    }

    /// Whether the bytes are of a component at all, by their first ones.
    fn measure(bytes: &[u8]) -> Result<(), PluginError> {
        match Form::of(bytes)? {
            Form::Component => Ok(()),
            Form::CoreModule => Err(PluginError::CoreModule),
        }
    }

    /// Of a component that was compiled from so many bytes of this digest.
    fn of(engine: &Engine, component: &Component, digest: Digest, size: u64) -> Result<Self, PluginError> {
        let Names { imports, exports } = Names::of(engine, component);
        contract::check(&imports, &exports)?;
        let linked = contract::link(engine, component)?;
        let places = places(engine, component)?;
        let facts = Facts { digest, size, imports, places, said: OnceLock::new() };
        Ok(Self { engine: engine.clone(), linked, facts: Arc::new(facts), manifest: None })
    }

    /// The sha256 of the component.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.facts.digest
    }

    /// Whether it is the embedded plugin, wherever it was loaded from.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.digest() == Self::embedded_digest()
    }

    /// The sha256 of the embedded plugin.
    #[must_use]
    pub fn embedded_digest() -> Digest {
        static EMBEDDED: LazyLock<Digest> = LazyLock::new(|| Digest::of(Plugin::EMBEDDED));
        *EMBEDDED
    }

    /// The size of the component, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.facts.size
    }

    /// The interfaces that this plugin imports, in alphabetical order.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.facts.imports
    }

    /// The grants that it needs: the interfaces of the host that it imports.
    #[must_use]
    pub fn asks(&self) -> Grants {
        contract::asks(self.imports())
    }

    /// Whether it exports `chat`: it implements the world `plugin`, not only `core`.
    #[must_use]
    pub const fn has_chat(&self) -> bool {
        self.linked.has_chat()
    }

    /// Its `plugin.toml`; none if it was not loaded from a plugin directory.
    #[must_use]
    pub fn manifest(&self) -> Option<&PluginManifest> {
        self.manifest.as_deref()
    }

    /// The engine that compiled it.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many places of the engine's pool an instance takes.
    pub(super) fn places(&self) -> u32 {
        self.facts.places
    }

    pub(super) const fn linked(&self) -> &Linked {
        &self.linked
    }

    /// One manifest for all tenants that are told the same.
    pub(super) fn share_manifest(&self, said: Manifest) -> Arc<Manifest> {
        let first = self.facts.said.get_or_init(|| Arc::new(said.clone()));
        if **first == said { Arc::clone(first) } else { Arc::new(said) }
    }

    fn with_manifest(self, manifest: Option<PluginManifest>) -> Self {
        Self { manifest: manifest.map(Arc::new), ..self }
    }

    /// Whether there is a clone of it.
    fn is_shared(&self) -> bool {
        Arc::strong_count(&self.facts) > 1
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("digest", &self.facts.digest).finish_non_exhaustive()
    }
}

/// How many places an instance takes: one for each memory, and for as many tables as belong to one.
fn places(engine: &Engine, component: &Component) -> Result<u32, PluginError> {
    // Of a component that imports modules nothing is known; but then it was not linked.
    let Some(needs) = component.resources_required() else { return Ok(1) };
    let (memories, tables) = (needs.num_memories, needs.num_tables);
    let places = memories.max(tables.div_ceil(TABLES_FOR_EACH as u32)).max(1);
    let most = MOST_MEMORIES.min(engine.instances);
    match places as usize <= most {
        true => Ok(places),
        false => Err(PluginError::TooManyMemories { memories, tables, most }),
    }
}

pub(super) fn compile(engine: &Engine, bytes: &[u8]) -> Result<Component, PluginError> {
    guarded(|| Component::from_binary(&engine.wasmtime, bytes))
}

/// Compiled code for another process; None where there was no memory for it.
pub(super) fn precompile(engine: &wasmtime::Engine, bytes: &[u8]) -> Result<Option<Vec<u8>>, PluginError> {
    guarded(|| match engine.precompile_component(bytes) {
        Err(error) if error.is::<wasmtime::OutOfMemory>() => Ok(None),
        compiled => compiled.map(Some),
    })
}

/// The bytes are somebody else's. Should they meet a mistake of the compiler that makes it panic,
/// that must cost them their plugin and nobody else anything.
fn guarded<T>(compile: impl FnOnce() -> wasmtime::Result<T>) -> Result<T, PluginError> {
    match catch_unwind(AssertUnwindSafe(compile)) {
        Ok(compiled) => compiled.map_err(|error| PluginError::Malformed(one_line(&format!("{error:#}")))),
        Err(_) => Err(PluginError::CompilerFailed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_panics_costs_the_plugin_alone() {
        let refused = guarded::<()>(|| panic!("a mistake of the compiler")).unwrap_err();
        assert_eq!(refused.code(), "compiler-failed");
    }
}
