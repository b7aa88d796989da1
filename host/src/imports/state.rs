//! What an instance carries.

use std::sync::Arc;

use wasmtime::{StoreLimits, StoreLimitsBuilder};

use super::{Clock, Entropy};
use crate::domain::{PacketId, PacketKey, Policy, TenantId};
use crate::store::{Counter, Ledger};

/// Everything that the plugins of a tenant may reach. Shared by all instances of the tenant.
pub(crate) struct Surroundings {
    pub(crate) tenant: TenantId,
    pub(crate) counter: Arc<dyn Counter>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) policy: Policy,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Entropy,
}

impl Surroundings {
    /// The tenant is added here, so a plugin can name its own packets alone.
    pub(crate) fn key(&self, packet: PacketId) -> PacketKey {
        PacketKey { tenant: self.tenant.clone(), packet }
    }

    /// Under which id a packet that is sent now is recorded.
    pub(crate) fn new_packet_id(&self) -> PacketId {
        PacketId::new(self.clock.now_ms(), self.entropy.u128())
    }
}

/// Plain data of one wasmtime store.
pub(crate) struct InstanceState {
    pub(crate) around: Arc<Surroundings>,
    pub(crate) limits: StoreLimits,
    /// Host calls since the plugin was called.
    pub(crate) host_calls: u32,
    /// Host calls when the last epoch deadline passed.
    pub(crate) host_calls_seen: u32,
}

/// Why a plugin was stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Breach {
    #[error("the plugin computed too long without asking the host")]
    Cpu,
    #[error("the plugin made more than {} host calls in one call", InstanceState::MAX_HOST_CALLS)]
    HostCalls,
    #[error("the plugin named a user that is none: a user {0}")]
    Name(crate::domain::IdError),
    #[error("the plugin used an amount that is none: {0}")]
    Amount(crate::domain::AmountError),
    #[error("the plugin asked for {0} random numbers at once")]
    Entropy(u32),
}

impl InstanceState {
    /// An honest open takes some dozens at most.
    pub(crate) const MAX_HOST_CALLS: u32 = 10_000;

    pub(crate) fn new(around: Arc<Surroundings>, max_memory_bytes: usize) -> Self {
        let limits = StoreLimitsBuilder::new()
            .memory_size(max_memory_bytes)
            .memories(1)
            .tables(2)
            .table_elements(10_000)
            .instances(8)
            .trap_on_grow_failure(false)
            .build();
        Self { around, limits, host_calls: 0, host_calls_seen: 0 }
    }

    /// Every imported function comes through here first.
    pub(crate) fn enter(&mut self) -> Result<&Surroundings, Breach> {
        self.host_calls += 1;
        if self.host_calls > Self::MAX_HOST_CALLS {
            return Err(Breach::HostCalls);
        }
        Ok(&self.around)
    }
}
