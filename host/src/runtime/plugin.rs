//! A plugin, compiled and checked against the contract.

use std::sync::{Arc, OnceLock};

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::Engine;
use crate::domain::Manifest;
use crate::imports::Linked;

/// A compiled plugin that fits this host. Instances come from it. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    engine: Engine,
    linked: Linked,
    imports: Arc<[String]>,
    /// What the first instance said of itself. Shared by all tenants that are told the same.
    said: Arc<OnceLock<Arc<Manifest>>>,
}

/// Why a file is no plugin for this host.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// No WebAssembly component at all.
    #[error("this is no WebAssembly component: {0}")]
    NotAComponent(String),
    /// It wants what this host does not give.
    #[error("the plugin imports {0}, which this host does not give")]
    ForeignImport(String),
    /// It lacks what every plugin gives.
    #[error("the plugin does not export {0}")]
    MissingExport(&'static str),
    /// Names fit, types do not.
    #[error("the plugin's interfaces are not those of {CONTRACT}: {0}")]
    Mismatch(String),
}

impl PluginError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAComponent(_) => "not-a-component",
            Self::ForeignImport(_) => "foreign-import",
            Self::MissingExport(_) => "missing-export",
            Self::Mismatch(_) => "contract-mismatch",
        }
    }
}

/// The contract that this host speaks.
const CONTRACT: &str = "hongbao:plugin@0.1.0";

/// What a plugin may import.
const IMPORTS: [&str; 7] = [
    "hongbao:plugin/types@0.1.0",
    "hongbao:plugin/counter@0.1.0",
    "hongbao:plugin/ledger@0.1.0",
    "hongbao:plugin/entropy@0.1.0",
    "hongbao:plugin/clock@0.1.0",
    "hongbao:plugin/log@0.1.0",
    "hongbao:plugin/policy@0.1.0",
];

/// What a plugin must export.
const EXPORTS: [&str; 3] =
    ["hongbao:plugin/packets@0.1.0", "hongbao:plugin/allocation@0.1.0", "hongbao:plugin/chat@0.1.0"];

impl Plugin {
    /// The plugin that this crate was built with.
    pub const EMBEDDED: &'static [u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hongbao.wasm"));

    /// Compiles the embedded plugin.
    ///
    /// # Errors
    /// Never, as long as the build is whole; see [`Plugin::from_bytes`].
    pub fn embedded(engine: &Engine) -> Result<Self, PluginError> {
        Self::from_bytes(engine, Self::EMBEDDED)
    }

    /// Compiles a component and checks that it fits. Nothing of it runs yet.
    ///
    /// # Errors
    /// When it is no component, imports what this host does not give, lacks an export, or uses
    /// other types than the contract's.
    pub fn from_bytes(engine: &Engine, bytes: &[u8]) -> Result<Self, PluginError> {
        let component = Component::from_binary(&engine.wasmtime, bytes)
            .map_err(|error| PluginError::NotAComponent(one_line(&error)))?;
        let imports = check_names(engine, &component)?;
        let linked = Linked::v0_1(&engine.wasmtime, &component);
        let linked = linked.map_err(|error| PluginError::Mismatch(one_line(&error)))?;
        Ok(Self { engine: engine.clone(), linked, imports: imports.into(), said: Arc::default() })
    }

    /// The engine that compiled it.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) const fn linked(&self) -> &Linked {
        &self.linked
    }

    /// One manifest for all tenants that are told the same.
    pub(super) fn share_manifest(&self, said: Manifest) -> Arc<Manifest> {
        let first = self.said.get_or_init(|| Arc::new(said.clone()));
        if **first == said { Arc::clone(first) } else { Arc::new(said) }
    }

    /// The interfaces that this plugin imports, in alphabetical order.
    #[must_use]
    pub fn imports(&self) -> &[String] {
        &self.imports
    }
}

fn check_names(engine: &Engine, component: &Component) -> Result<Vec<String>, PluginError> {
    let ty = component.component_type();
    let mut imports: Vec<String> = ty.imports(&engine.wasmtime).map(|(name, _)| name.to_owned()).collect();
    imports.sort_unstable();
    if let Some(foreign) = imports.iter().find(|name| !IMPORTS.contains(&name.as_str())) {
        return Err(PluginError::ForeignImport(foreign.clone()));
    }
    let exports = |name: &str| {
        let item = ty.get_export(&engine.wasmtime, name);
        item.is_some_and(|item| matches!(item.ty, ComponentItem::ComponentInstance(_)))
    };
    match EXPORTS.into_iter().find(|name| !exports(name)) {
        Some(missing) => Err(PluginError::MissingExport(missing)),
        None => Ok(imports),
    }
}

/// What a compiler says over many lines, on one.
fn one_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
