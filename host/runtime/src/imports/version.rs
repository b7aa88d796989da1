//! The versions of the contract that this host supports, and the exports of a plugin of each.
//!
//! Every plugin is of one version; from here on upwards nobody needs to know which.

use wasmtime::component::Component;
use wasmtime::{Result, Store};

use super::InstanceState;
use super::call::Call;
use super::v0_2;

/// A component, linked with the host's functions. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Linked {
    V0_2(v0_2::Linked),
}

/// What an instance gives.
pub(crate) enum Exports {
    V0_2(v0_2::Exports),
}

impl Linked {
    /// Of version 0.2.
    pub(crate) fn v0_2(engine: &wasmtime::Engine, component: &Component) -> Result<Self> {
        Ok(Self::V0_2(v0_2::link(engine, component)?))
    }

    pub(crate) async fn instantiate(&self, store: &mut Store<InstanceState>) -> Result<Exports> {
        match self {
            Self::V0_2(linked) => Ok(Exports::V0_2(linked.instantiate(store).await?)),
        }
    }

    /// Whether people can talk to it.
    pub(crate) const fn has_chat(&self) -> bool {
        match self {
            Self::V0_2(linked) => linked.has_chat(),
        }
    }
}

/// An instance's exports, for one call. An outer error is a trap: the store must not be used again.
pub(crate) struct Calls<'i> {
    pub(crate) exports: &'i Exports,
    pub(crate) store: &'i mut Store<InstanceState>,
}

impl Calls<'_> {
    /// Says what the call is about; to be done before each.
    pub(super) fn begin(&mut self, call: Call) {
        self.store.data_mut().begin(call);
    }
}
