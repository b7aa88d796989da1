//! A plugin instance in a wasmtime store; dropped after its first failure.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::{Store, StoreContextMut, UpdateDeadline};

use super::{CallError, Plugin};
use crate::imports::{Breach, Calls, Deadline, Exports, InstanceState, TenantContext};
use hongbao_domain::Limit;

pub(super) struct Instance {
    store: Store<InstanceState>,
    exports: Exports,
    calls: u32,
    /// Its place in the engine's pool.
    _room: OwnedSemaphorePermit,
}

/// What became of a call, beside its answer.
pub(super) struct Done<T> {
    pub(super) answer: Result<T, CallError>,
    /// Limits that were reached and did not stop it, such as that of the log.
    pub(super) reached: Vec<Limit>,
}

impl Instance {
    pub(super) async fn make(
        plugin: &Plugin,
        context: Arc<TenantContext>,
        room: OwnedSemaphorePermit,
    ) -> Result<Self, CallError> {
        let host_bytes = context.limits.host_bytes;
        let mut store = Store::new(&plugin.engine().wasmtime, InstanceState::new(context));
        store.limiter(|state| &mut state.memory);
        store.set_hostcall_fuel(host_bytes);
        store.epoch_deadline_callback(deadline);
        store.set_epoch_deadline(1);
        match plugin.linked().instantiate(&mut store).await {
            Ok(exports) => Ok(Self { store, exports, calls: 0, _room: room }),
            Err(error) => Err(trapped(&error, store.data_mut())),
        }
    }

    /// Runs `act`, which asks stores until its deadline at most. An instance that gave no answer must
    /// not be used again.
    pub(super) async fn call<T>(
        &mut self,
        deadline: Deadline,
        act: impl for<'i> FnOnce(Calls<'i>) -> BoxFuture<'i, wasmtime::Result<T>> + Send,
    ) -> Done<T> {
        self.calls += 1;
        self.store.set_epoch_deadline(1);
        self.store.data_mut().until(deadline);
        let calls = Calls { exports: &self.exports, store: &mut self.store };
        let answer = act(calls).await;
        let state = self.store.data_mut();
        let answer = answer.map_err(|error| trapped(&error, state));
        Done { answer, reached: std::mem::take(&mut state.reached) }
    }

    pub(super) const fn calls(&self) -> u32 {
        self.calls
    }
}

/// At each tick the plugin yields to its neighbours, or has computed too long.
fn deadline(mut store: StoreContextMut<'_, InstanceState>) -> wasmtime::Result<UpdateDeadline> {
    store.data_mut().tick()?;
    Ok(UpdateDeadline::Yield(1))
}

/// A breach in its own words; anything else in wasmtime's.
fn trapped(error: &wasmtime::Error, state: &mut InstanceState) -> CallError {
    let refused = state.memory.take_refusal();
    let too_many_bytes = Breach::HostBytes(state.context.limits.host_bytes);
    let breach = match error.downcast_ref::<Breach>() {
        Some(breach) => Some(breach),
        None if is_out_of_fuel(error) => Some(&too_many_bytes),
        // A plugin that got no memory mostly gives up, with no word of why.
        None => refused.as_ref(),
    };
    let why = match (breach, error.downcast_ref::<wasmtime::Trap>()) {
        (Some(breach), _) => breach.to_string(),
        (None, Some(trap)) => trap.to_string(),
        (None, None) => error.root_cause().to_string(),
    };
    let tenant = state.context.tenant.as_str();
    tracing::warn!(tenant, why = format!("{error:#}"), "a plugin's instance was dropped");
    CallError::Trapped { limit: breach.and_then(Breach::limit), why: why.into() }
}

/// Wasmtime's error for too many bytes from a plugin has no type that could be named.
fn is_out_of_fuel(error: &wasmtime::Error) -> bool {
    error.chain().any(|cause| cause.to_string().contains("fuel allocated for hostcalls"))
}
