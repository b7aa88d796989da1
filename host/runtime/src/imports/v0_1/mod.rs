//! Version 0.1.0 of the contract. A later version stands beside this one, in a module of its own.

mod ambient;
pub(super) mod bindings;
mod chat;
mod convert;
mod counter;
mod exports;
mod ledger;

use wasmtime::component::{Component, HasSelf, Linker};

use bindings::PluginPre;

use super::InstanceState;

/// Links a component with the host's functions.
pub(super) fn link(
    engine: &wasmtime::Engine,
    component: &Component,
) -> wasmtime::Result<PluginPre<InstanceState>> {
    let mut linker = Linker::new(engine);
    bindings::Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    linker.instantiate_pre(component).and_then(PluginPre::new)
}
