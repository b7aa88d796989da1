//! Version 0.2 of the contract. One that is not compatible with it stands beside this one, in a module of its own.

mod ambient;
pub(super) mod bindings;
mod chat;
mod convert;
mod counter;
mod exports;
mod ledger;

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Result, Store};

use super::InstanceState;
use bindings::exports::hongbao::plugin::{chat as wit_chat, packets as wit_packets};

/// A component, linked with the host's functions.
#[derive(Clone)]
pub(crate) struct Linked {
    instance: InstancePre<InstanceState>,
    packets: wit_packets::GuestIndices,
    /// None where it is of the world `core`.
    chat: Option<wit_chat::GuestIndices>,
}

/// What an instance gives.
pub(crate) struct Exports {
    packets: wit_packets::Guest,
    chat: Option<wit_chat::Guest>,
}

/// Links a component with the host's functions.
pub(super) fn link(engine: &wasmtime::Engine, component: &Component) -> Result<Linked> {
    let mut linker = Linker::new(engine);
    bindings::Plugin::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    let instance = linker.instantiate_pre(component)?;
    let is_chat = |name: &str| name.starts_with("hongbao:plugin/chat@");
    let has_chat = component.component_type().exports(engine).any(|(name, _)| is_chat(name));
    let packets = wit_packets::GuestIndices::new(&instance)?;
    let chat = if has_chat { Some(wit_chat::GuestIndices::new(&instance)?) } else { None };
    Ok(Linked { instance, packets, chat })
}

impl Linked {
    pub(super) async fn instantiate(&self, store: &mut Store<InstanceState>) -> Result<Exports> {
        let instance = self.instance.instantiate_async(&mut *store).await?;
        let packets = self.packets.load(&mut *store, &instance)?;
        let chat = self.chat.as_ref().map(|chat| chat.load(&mut *store, &instance)).transpose()?;
        Ok(Exports { packets, chat })
    }

    pub(super) const fn has_chat(&self) -> bool {
        self.chat.is_some()
    }
}
