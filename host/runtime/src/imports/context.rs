//! What a tenant's plugin may reach: its stores, its clock, its randomness, its settings and its bounds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Clock, Entropy, OpenPackets, Place};
use hongbao_domain::{Grants, Limits, PacketId, PacketKey, Policy, Strategies, TenantId};
use hongbao_store::{Counter, Health, PacketLedger, PacketLists, StoreError};

/// How the stores of a host are doing.
#[derive(Debug)]
pub(crate) struct StoreHealth {
    pub(crate) ledger: Health,
    pub(crate) counter: Health,
}

impl StoreHealth {
    pub(crate) fn of(counter: &dyn Counter) -> Self {
        let new = if counter.health().is_some() { Health::of_watched } else { Health::new };
        Self { ledger: Health::new("ledger"), counter: new("counter") }
    }
}

/// Everything that a tenant's plugin may reach. Shared by all instances of the tenant.
pub(crate) struct TenantContext {
    pub(crate) tenant: TenantId,
    pub(crate) counter: Arc<dyn Counter>,
    pub(crate) packets: Arc<dyn PacketLedger>,
    pub(crate) lists: Arc<dyn PacketLists>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<Entropy>,
    pub(crate) policy: Policy,
    /// What the plugin has, once it has said so.
    pub(crate) strategies: Option<Strategies>,
    /// Settings that mean something to its plugin alone, by their keys.
    pub(crate) settings: BTreeMap<String, String>,
    /// What the plugin asks for and the tenant grants.
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) open_packets: Arc<OpenPackets>,
    /// How the stores are doing: every call says what it found.
    pub(crate) health: Arc<StoreHealth>,
}

impl TenantContext {
    /// The tenant is added here, so a plugin can name its own packets alone.
    pub(crate) fn key(&self, packet: PacketId) -> PacketKey {
        PacketKey { tenant: self.tenant.clone(), packet }
    }

    /// Whether the tenant's quota has room for one more packet.
    pub(crate) async fn has_room(&self) -> Result<bool, StoreError> {
        let (most, now_ms) = (self.limits.open_packets, self.clock.now_ms());
        self.open_packets.has_room(&self.tenant, &*self.lists, most, now_ms).await
    }

    /// The same, and takes that room; None where there is none.
    pub(crate) async fn take_room(&self) -> Result<Option<Place>, StoreError> {
        let (most, now_ms) = (self.limits.open_packets, self.clock.now_ms());
        self.open_packets.take(&self.tenant, &*self.lists, most, now_ms).await
    }

    /// Under which id a packet that is sent now is recorded.
    pub(crate) fn new_packet_id(&self) -> PacketId {
        PacketId::new(self.clock.now_ms(), self.entropy.u128())
    }
}
