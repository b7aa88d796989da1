//! What an instance carries.

use std::sync::Arc;
use std::time::Duration;

use super::asking::{Asking, Deadline, StoreHealth};
use super::mandate::Mandate;
use super::memory::Memory;
use super::witness::Witness;
use super::{Breach, Clock, Entropy, OpenPackets, Place};
use hongbao_domain::{
    Amount, Claim, Grant, Grants, Limit, Limits, PacketId, PacketKey, Policy, TenantId, UserId,
};
use hongbao_store::{Counter, Ledger, Loaded, StoreError};

/// Everything that a tenant's plugin may reach. Shared by all instances of the tenant.
pub(crate) struct Surroundings {
    pub(crate) tenant: TenantId,
    pub(crate) counter: Arc<dyn Counter>,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<Entropy>,
    pub(crate) policy: Policy,
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
    mandate: Mandate,
    pub(super) witness: Witness,
    host_calls: u32,
    pub(super) log_bytes: usize,
    /// Limits that this call reached and that did not stop it, each once.
    pub(crate) reached: Vec<Limit>,
    pub(super) asking: Asking,
}

impl InstanceState {
    pub(crate) fn new(around: Arc<Surroundings>) -> Self {
        Self {
            memory: Memory::new(&around.limits),
            asking: Asking::new(Arc::clone(&around.health)),
            around,
            mandate: Mandate::Nothing,
            witness: Witness::default(),
            host_calls: 0,
            log_bytes: 0,
            reached: Vec::new(),
        }
    }

    /// Before each call.
    pub(crate) fn begin(&mut self, mandate: Mandate) {
        self.mandate = mandate;
        self.witness.clear();
        self.host_calls = 0;
        self.log_bytes = 0;
        self.reached.clear();
        self.asking.begin();
    }

    /// The call goes on without what this limit is about.
    pub(super) fn reach(&mut self, limit: Limit) {
        if !self.reached.contains(&limit) {
            self.reached.push(limit);
        }
    }

    /// When the next call must have its answer.
    pub(crate) const fn until(&mut self, deadline: Deadline) {
        self.asking.until(deadline);
    }

    /// Counts a tick of the epoch.
    pub(crate) fn tick(&mut self) -> Result<(), Breach> {
        let (computed, most) = (self.asking.meter.tick(), self.around.limits.cpu_ms);
        if computed >= Duration::from_millis(most.max(1)) { Err(Breach::Cpu(most)) } else { Ok(()) }
    }

    /// Every imported function comes through here first.
    pub(super) fn enter(&mut self, grant: Grant) -> Result<&Surroundings, Breach> {
        if !self.around.grants.has(grant) {
            return Err(Breach::NotGranted(grant));
        }
        self.host_calls += 1;
        let most = self.around.limits.host_calls;
        if self.host_calls > most {
            return Err(Breach::HostCalls(most));
        }
        Ok(&self.around)
    }

    /// As [`enter`](Self::enter), on a packet that the call is about.
    pub(super) fn enter_packet(&mut self, grant: Grant, packet: PacketId) -> Result<PacketKey, Breach> {
        self.enter(grant)?;
        if self.may_name(packet) { Ok(self.around.key(packet)) } else { Err(Mandate::other_packet()) }
    }

    /// Whether the call is about this packet, or came upon it in a way that it may.
    pub(super) fn may_name(&self, packet: PacketId) -> bool {
        self.mandate.is_about(packet) || self.witness.gave(packet)
    }

    pub(super) const fn mandate(&self) -> &Mandate {
        &self.mandate
    }

    /// These users, if the call is made in their names.
    pub(super) fn own(&self, users: Vec<String>) -> Result<Vec<UserId>, Breach> {
        self.check_count(users.len())?;
        let mut near = 0;
        for user in &users {
            near = 1 + self.place_of(user, near)?;
        }
        users.into_iter().map(|user| UserId::new(user).map_err(Breach::Name)).collect()
    }

    /// Whether there are no more of something than users who asked. Lists are held against each other,
    /// which takes the host's time.
    pub(super) fn check_count(&self, count: usize) -> Result<(), Breach> {
        match count > self.mandate.users() {
            true => Err(Breach::Beyond("more users than asked")),
            false => Ok(()),
        }
    }

    /// Whether each of the call's users has one answer.
    pub(super) fn check_answers<T>(&self, answers: Vec<T>) -> Result<Vec<T>, Breach> {
        let (given, asked) = (answers.len(), self.mandate.users());
        if given == asked { Ok(answers) } else { Err(Breach::Answers { given, asked }) }
    }

    /// Whether a store may have told of so many shares in this call.
    pub(super) fn check_seats(&self, count: usize) -> bool {
        count <= self.mandate.users() + self.witness.claims_read()
    }

    /// Where the user stands among those in whose names the call is made, probably at `near`.
    pub(super) fn place_of(&self, user: &str, near: usize) -> Result<usize, Breach> {
        self.mandate.place_of(user, near).ok_or(Breach::Beyond("a user who did not ask"))
    }

    /// Remembers the shares of the call's own users, in an order near that of the call.
    pub(super) fn saw<'a>(&mut self, shares: impl Iterator<Item = (&'a UserId, Amount, Option<u32>)>) {
        let mut near = 0;
        for (user, amount, sequence) in shares {
            if let Some(place) = self.mandate.place_of(user.as_str(), near) {
                self.witness.share(place, amount, sequence);
                near = place + 1;
            }
        }
    }

    pub(super) fn saw_loaded(&mut self, loaded: &Loaded) {
        self.witness.loaded(&loaded.packet);
        self.saw(super::witness::shares_of(loaded));
    }

    /// Whether a store said in this call that this user has this share.
    pub(super) fn is_share_of(&self, user: &UserId, amount: Amount, near: usize) -> bool {
        let place = self.mandate.place_of(user.as_str(), near);
        place.is_some_and(|place| self.witness.has_share(place, amount, None))
            || self.witness.has_claim(user, amount, u32::try_from(near + 1).ok())
            || self.witness.has_claim(user, amount, None)
    }

    /// Remembers claims that were read of the packet that the call is about.
    pub(super) fn saw_claims(&mut self, packet: PacketId, claims: &[Claim]) {
        if self.mandate.is_about(packet) {
            self.witness.claims(claims);
        }
    }

    /// Whether a store said in this call that the call's user at this place has this share. Of a
    /// user who stands there several times, the first place is remembered.
    pub(super) fn is_own_share(&self, place: usize, amount: Amount, sequence: Option<u32>) -> bool {
        if self.witness.has_share(place, amount, sequence) {
            return true;
        }
        let Mandate::Packet { users, .. } = &self.mandate else { return false };
        let Some(user) = users.get(place) else { return false };
        let mut twins = users.iter().enumerate().filter(|(_, other)| *other == user);
        twins.any(|(twin, _)| self.witness.has_share(twin, amount, sequence))
    }
}
