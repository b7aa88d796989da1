//! The check of a component against the contract, as far as loading requires it.
//!
//! Versions follow semver (semver.org): within 0.2 a later version only adds, so a host of 0.2.1 runs a plugin of 0.2.0.
//! A plugin of a later version than the host's may call what the host does not have, and is refused.

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::error::one_line;
use super::{Engine, PluginError};
use crate::imports::Linked;
use hongbao_domain::{Grant, Grants};

/// Major, minor, patch.
type Version = [u64; 3];

const HOST: Version = [0, 2, 0];
/// What every plugin exports.
const CORE: &str = "packets";
/// What a plugin exports that people talk to.
const CHAT: &str = "chat";
const CORE_EXPORT: &str = "hongbao:plugin/packets@0.2.0";

/// Links a component with what version 0.2 gives to a plugin.
pub(super) fn link(engine: &Engine, component: &Component) -> Result<Linked, PluginError> {
    let mismatch = |error: wasmtime::Error| PluginError::Mismatch(one_line(&format!("{error:#}")));
    Linked::v0_2(&engine.wasmtime, component).map_err(mismatch)
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

/// Whether a component keeps the contract, by the names of its interfaces.
pub(super) fn check(imports: &[String], exports: &[String]) -> Result<(), PluginError> {
    for import in imports {
        match interface(import) {
            Some(name) if name == "types" || is_grant(name) => speaks(import, HOST)?,
            Some(_) if version(import).is_some_and(|version| !is_spoken(version, HOST)) => {
                return Err(PluginError::ContractVersion(import.clone()));
            }
            _ => return Err(PluginError::ForeignImport(import.clone())),
        }
    }
    let own = |wanted: &str| exports.iter().find(|name| interface(name) == Some(wanted));
    speaks(own(CORE).ok_or(PluginError::MissingExport(CORE_EXPORT))?, HOST)?;
    own(CHAT).map_or(Ok(()), |chat| speaks(chat, HOST))
}

/// Whether a host of this version has what an interface of a plugin needs.
fn speaks(name: &str, host: Version) -> Result<(), PluginError> {
    match version(name).is_some_and(|version| is_spoken(version, host)) {
        true => Ok(()),
        false => Err(PluginError::ContractVersion(name.to_owned())),
    }
}

/// Before 1.0 a minor version breaks, as semver has it.
fn is_spoken(version: &str, host: Version) -> bool {
    let numbers = version.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>();
    let [major, minor, patch] = host;
    matches!(numbers.as_deref(), Some([a, b, c]) if (*a, *b) == (major, minor) && *c <= patch)
}

/// `counter` of `hongbao:plugin/counter@0.2.0`; none where the name is not the contract's.
pub(super) fn interface(name: &str) -> Option<&str> {
    let name = name.strip_prefix("hongbao:plugin/")?;
    Some(name.split_once('@').map_or(name, |(interface, _)| interface))
}

/// `0.2.0` of `hongbao:plugin/counter@0.2.0`; none where the name is not the contract's.
pub(super) fn version(name: &str) -> Option<&str> {
    let (_, version) = name.strip_prefix("hongbao:plugin/")?.split_once('@')?;
    Some(version)
}

fn is_grant(interface: &str) -> bool {
    interface.parse::<Grant>().is_ok()
}

/// What a component imports: what a tenant has to grant.
pub(super) fn asks(imports: &[String]) -> Grants {
    imports.iter().filter_map(|name| interface(name)?.parse::<Grant>().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::error::SPOKEN;

    #[test]
    fn a_later_host_runs_an_earlier_plugin_of_the_same_minor_version() {
        let of = |version: &str| vec![format!("hongbao:plugin/counter@{version}")];
        let exports = |version: &str| vec![format!("hongbao:plugin/packets@{version}")];
        assert!(check(&of("0.2.0"), &exports("0.2.0")).is_ok());
        for (version, host, is_fine) in [
            ("0.2.0", [0, 2, 1], true),
            ("0.2.1", [0, 2, 1], true),
            ("0.2.2", [0, 2, 1], false),
            ("0.1.0", [0, 2, 1], false),
            ("0.3.0", [0, 2, 1], false),
            ("1.2.0", [0, 2, 1], false),
            ("0.2", [0, 2, 1], false),
            ("0.2.0-rc", [0, 2, 1], false),
        ] {
            assert_eq!(is_spoken(version, host), is_fine, "{version} on {host:?}");
        }
        let newer = check(&of("0.2.1"), &exports("0.2.0")).unwrap_err();
        assert_eq!(newer.code(), "contract-version");
        assert_eq!(check(&of("0.2.0"), &exports("0.2.1")).unwrap_err().code(), "contract-version");
        let foreign = vec!["wasi:cli/environment@0.2.0".to_owned()];
        assert_eq!(check(&foreign, &exports("0.2.0")).unwrap_err().code(), "foreign-import");
        assert_eq!(check(&of("0.2.0"), &[]).unwrap_err().code(), "missing-export");
        assert_eq!(SPOKEN, format!("hongbao:plugin@{}.{}.{}", HOST[0], HOST[1], HOST[2]));
    }

    /// A host of 0.2.1 whose every interface has one more function.
    #[test]
    fn a_component_of_0_2_0_is_linked_by_a_host_of_0_2_1() {
        let engine = Engine::new().unwrap();
        let component = Component::new(&engine.wasmtime, super::super::Plugin::EMBEDDED).unwrap();
        let mut linker = wasmtime::component::Linker::<()>::new(&engine.wasmtime);
        let ty = component.component_type();
        for (name, item) in ty.imports(&engine.wasmtime) {
            let ComponentItem::ComponentInstance(interface) = item.ty else { panic!("{name}") };
            let mut later = linker.instance(&name.replace("@0.2.0", "@0.2.1")).unwrap();
            let functions = interface.exports(&engine.wasmtime);
            let functions = functions.filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)));
            for name in functions.map(|(name, _)| name).chain(["one-more"]) {
                later.func_new(name, |_, _, _, _| Ok(())).unwrap();
            }
        }
        linker.instantiate_pre(&component).unwrap();
    }

    #[test]
    fn what_a_component_imports_is_what_it_asks_for() {
        let imports = ["types", "counter", "log"].map(|name| format!("hongbao:plugin/{name}@0.2.0"));
        assert_eq!(asks(&imports), [Grant::Counter, Grant::Log].into_iter().collect());
    }
}
