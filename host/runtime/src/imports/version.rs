//! The versions of the contract that this host speaks, and what a plugin of each gives.
//!
//! Every plugin is of one version; from here on upwards nobody needs to know which.

use wasmtime::component::Component;
use wasmtime::{Result, Store};

use super::v0_1::{self, bindings};
use super::{InstanceState, Mandate};

/// A component, linked with the host's functions. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Linked {
    V0_1(bindings::PluginPre<InstanceState>),
}

/// What an instance gives.
pub(crate) enum Exports {
    V0_1(bindings::Plugin),
}

impl Linked {
    /// Of version 0.1.0.
    pub(crate) fn v0_1(engine: &wasmtime::Engine, component: &Component) -> Result<Self> {
        Ok(Self::V0_1(v0_1::link(engine, component)?))
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<InstanceState>) -> Result<Exports> {
        match self {
            Self::V0_1(pre) => Ok(Exports::V0_1(pre.instantiate_async(store).await?)),
        }
    }
}

/// Why an answer of the plugin is none: it, or a store behind it, says so itself.
pub(crate) enum Said {
    Busy,
    Unavailable,
    Other(String),
}

/// An instance's exports, for one call. An outer error is a trap: the store must not be used again.
pub(crate) struct Calls<'i> {
    pub(crate) exports: &'i Exports,
    pub(crate) store: &'i mut Store<InstanceState>,
}

impl Calls<'_> {
    /// Says what the call is about; to be done before each.
    pub(super) fn begin(&mut self, mandate: Mandate) {
        self.store.data_mut().begin(mandate);
    }
}
