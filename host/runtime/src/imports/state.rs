//! The state of an instance.

use std::sync::Arc;
use std::time::Duration;

use super::call::Call;
use super::memory::Memory;
use super::meter::Meter;
use super::stores::{Deadline, StoreHealth, Stores};
use super::{Breach, Clock, Entropy, OpenPackets, Place};
use hongbao_domain::{Grant, Grants, Limit, Limits, PacketId, PacketKey, Policy, Strategies, TenantId};
use hongbao_store::{Counter, Ledger, StoreError};

/// Settings that mean something to a plugin alone, by their keys.
pub(crate) type Settings = std::collections::BTreeMap<String, String>;

/// Everything that a tenant's plugin may reach. Shared by all instances of the tenant.
pub(crate) struct Surroundings {
    pub(crate) tenant: TenantId,
    pub(crate) counter: Arc<dyn Counter>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<Entropy>,
    pub(crate) policy: Policy,
    /// What the plugin has, once it has said so.
    pub(crate) strategies: Option<Strategies>,
    /// Settings of the tenant's own for its plugin.
    pub(crate) settings: Arc<Settings>,
    /// What the plugin asks for and the tenant grants.
    pub(crate) grants: Grants,
    pub(crate) limits: Limits,
    pub(crate) open_packets: Arc<OpenPackets>,
    /// How the stores are doing: every call says what it found.
    pub(crate) health: Arc<StoreHealth>,
}

impl Surroundings {
    /// The tenant is added here, so a plugin can name its own packets alone.
    pub(crate) fn key(&self, packet: PacketId) -> PacketKey {
        PacketKey { tenant: self.tenant.clone(), packet }
    }

    /// Whether the tenant's quota has room for one more packet.
    pub(crate) async fn has_room(&self) -> Result<bool, StoreError> {
        let (most, now_ms) = (self.limits.open_packets, self.clock.now_ms());
        self.open_packets.has_room(&self.tenant, &*self.ledger, most, now_ms).await
    }

    /// The same, and takes that room; None where there is none.
    pub(crate) async fn take_room(&self) -> Result<Option<Place>, StoreError> {
        let (most, now_ms) = (self.limits.open_packets, self.clock.now_ms());
        self.open_packets.take(&self.tenant, &*self.ledger, most, now_ms).await
    }

    /// Under which id a packet that is sent now is recorded.
    pub(crate) fn new_packet_id(&self) -> PacketId {
        PacketId::new(self.clock.now_ms(), self.entropy.u128())
    }
}

/// Plain data of one wasmtime store.
pub(crate) struct InstanceState {
    pub(crate) around: Arc<Surroundings>,
    pub(crate) memory: Memory,
    pub(super) call: Call,
    pub(super) meter: Meter,
    deadline: Deadline,
    host_calls: u32,
    pub(super) log_bytes: usize,
    /// Limits that this call reached and that did not stop it, each once.
    pub(crate) reached: Vec<Limit>,
}

impl InstanceState {
    pub(crate) fn new(around: Arc<Surroundings>) -> Self {
        Self {
            memory: Memory::new(&around.limits),
            around,
            call: Call::default(),
            meter: Meter::default(),
            deadline: Deadline::after(Duration::ZERO),
            host_calls: 0,
            log_bytes: 0,
            reached: Vec::new(),
        }
    }

    /// Before each call.
    pub(crate) fn begin(&mut self, call: Call) {
        self.call = call;
        self.meter = Meter::default();
        self.host_calls = 0;
        self.log_bytes = 0;
        self.reached.clear();
    }

    /// The call goes on without what this limit is about.
    pub(super) fn reach(&mut self, limit: Limit) {
        if !self.reached.contains(&limit) {
            self.reached.push(limit);
        }
    }

    /// When the next call must have its answer.
    pub(crate) const fn until(&mut self, deadline: Deadline) {
        self.deadline = deadline;
    }

    /// Counts a tick of the epoch.
    pub(crate) fn tick(&mut self) -> Result<(), Breach> {
        let (computed, most) = (self.meter.tick(), self.around.limits.cpu_ms);
        if computed >= Duration::from_millis(most.max(1)) { Err(Breach::Cpu(most)) } else { Ok(()) }
    }

    /// Every imported function comes through here first.
    pub(super) fn enter(&mut self, grant: Grant) -> Result<(), Breach> {
        if !self.around.grants.has(grant) {
            return Err(Breach::NotGranted(grant));
        }
        self.host_calls += 1;
        let most = self.around.limits.host_calls;
        if self.host_calls > most {
            return Err(Breach::HostCalls(most));
        }
        Ok(())
    }

    /// The parts that a question to the stores needs: what is asked, who waits, what is known.
    pub(super) fn parts(&mut self) -> (Stores<'_>, &mut Meter, &mut Call) {
        (Stores::new(&self.around, self.deadline), &mut self.meter, &mut self.call)
    }
}
