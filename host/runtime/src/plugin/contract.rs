//! The contract, as far as a plugin must keep it to be loaded at all.
//!
//! Everything that belongs to one version stands in one [`Contract`] and its `link`. A further
//! version is served by a second pair beside the first: `check` gives the contract that a
//! component keeps, and with it the choice between them.

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::error::one_line;
use super::{Engine, PluginError};
use crate::imports::Linked;

/// The versions that this host speaks, for a sentence.
pub(super) const SPOKEN: &str = "hongbao:plugin@0.1.0";

/// One version of the contract.
struct Contract {
    version: &'static str,
    /// What a plugin may import.
    imports: &'static [&'static str],
    /// What a plugin must export.
    exports: &'static [&'static str],
}

const V0_1_0: Contract = Contract {
    version: "0.1.0",
    imports: &[
        "hongbao:plugin/types@0.1.0",
        "hongbao:plugin/counter@0.1.0",
        "hongbao:plugin/ledger@0.1.0",
        "hongbao:plugin/entropy@0.1.0",
        "hongbao:plugin/clock@0.1.0",
        "hongbao:plugin/log@0.1.0",
        "hongbao:plugin/policy@0.1.0",
    ],
    exports: &[
        "hongbao:plugin/packets@0.1.0",
        "hongbao:plugin/allocation@0.1.0",
        "hongbao:plugin/chat@0.1.0",
    ],
};

/// Links a component with what version 0.1.0 gives to a plugin.
pub(super) fn link(engine: &Engine, component: &Component) -> Result<Linked, PluginError> {
    let mismatch = |error: wasmtime::Error| PluginError::Mismatch(one_line(&format!("{error:#}")));
    Linked::v0_1(&engine.wasmtime, component).map_err(mismatch)
}

/// The interfaces of a component, in alphabetical order.
pub(super) struct Names {
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

impl Names {
    pub(super) fn of(engine: &Engine, component: &Component) -> Self {
        let ty = component.component_type();
        let mut imports: Vec<String> =
            ty.imports(&engine.wasmtime).map(|(name, _)| name.to_owned()).collect();
        let exports = ty.exports(&engine.wasmtime);
        // A function may have an interface's name without being one.
        let exports = exports.filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)));
        let mut exports: Vec<String> = exports.map(|(name, _)| name.to_owned()).collect();
        imports.sort_unstable();
        exports.sort_unstable();
        Self { imports, exports }
    }
}

/// Whether a component keeps a version of the contract by the names of its interfaces.
pub(super) fn check(imports: &[String], exports: &[String]) -> Result<(), PluginError> {
    let contract = V0_1_0;
    if let Some(foreign) = imports.iter().find(|name| !contract.imports.contains(&name.as_str())) {
        return Err(match is_other_version(foreign) {
            true => PluginError::ContractVersion(foreign.clone()),
            false => PluginError::ForeignImport(foreign.clone()),
        });
    }
    let missing = contract.exports.iter().find(|name| !exports.iter().any(|export| export == *name));
    let Some(missing) = missing else { return Ok(()) };
    let other = exports.iter().find(|name| is_other_version(name) && interface(name) == interface(missing));
    Err(match other {
        Some(other) => PluginError::ContractVersion(other.clone()),
        None => PluginError::MissingExport(missing),
    })
}

/// `counter` of `hongbao:plugin/counter@0.1.0`; none where the name is not the contract's.
pub(super) fn interface(name: &str) -> Option<&str> {
    let name = name.strip_prefix("hongbao:plugin/")?;
    Some(name.split_once('@').map_or(name, |(interface, _)| interface))
}

/// `0.1.0` of `hongbao:plugin/counter@0.1.0`; none where the name is not the contract's.
pub(super) fn version(name: &str) -> Option<&str> {
    let (_, version) = name.strip_prefix("hongbao:plugin/")?.split_once('@')?;
    Some(version)
}

fn is_other_version(name: &str) -> bool {
    version(name).is_some_and(|version| version != V0_1_0.version)
}

/// The interface that a plugin calls the host by, such as `counter`: what it can ask for, and be
/// granted or not. None for names that are not the contract's, and for `types`, which does nothing.
pub(super) fn askable(name: &str) -> Option<&str> {
    interface(name).filter(|interface| *interface != "types")
}

/// Every name that a plugin can ask for.
pub(super) fn all_askable() -> impl Iterator<Item = &'static str> {
    V0_1_0.imports.iter().filter_map(|name| askable(name))
}
