//! What a chat platform embeds.

use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;

use super::instance::Instances;
use super::lane::Lanes;
use super::{CallError, Engine, EngineError, Limits, Plugin, PluginError, Settlements};
use crate::domain::{
    Amount, Details, Expired, Grabbed, Opened, PacketId, PacketKey, Policy, Request, SendError, Sent,
    Strategy, TenantId, UserId,
};
use crate::imports::{Clock, Entropy, Surroundings, SystemClock};
use crate::store::memory::{MemoryCounter, MemoryLedger};
use crate::store::{Audit, Backlog, Counter, Discrepancy, Due, Ledger, Parked, Settled, StoreError};

/// A red packet system for one tenant: a plugin, its stores, its policy. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    instances: Arc<Instances>,
    grabs: Arc<Lanes<Grabbed>>,
    opens: Arc<Lanes<Opened>>,
    settlements: Arc<Mutex<Settlements>>,
    pub(super) around: Arc<Surroundings>,
}

/// What a sweep of expired packets did.
#[derive(Clone, Debug, Default)]
pub struct Refunds {
    /// What went back to senders, packet by packet.
    pub refunded: Vec<(PacketId, Amount)>,
    /// Packets that could not be refunded now, and why.
    pub failed: Vec<(PacketId, CallError)>,
}

/// How a [`Host`] is put together. What is not said stays at its default: the embedded plugin,
/// stores in memory, the default policy, the machine's clock and randomness.
#[derive(Default)]
pub struct HostBuilder {
    plugin: Option<Plugin>,
    tenant: TenantId,
    counter: Option<Arc<dyn Counter>>,
    ledger: Option<Arc<dyn Ledger>>,
    policy: Policy,
    clock: Option<Arc<dyn Clock>>,
    entropy: Option<Entropy>,
    limits: Limits,
}

/// Why a host could not be built.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Wasmtime does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The plugin does not fit.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The operating system gives no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Entropy(#[from] getrandom::Error),
}

impl HostBuilder {
    /// This plugin instead of the embedded one.
    #[must_use]
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugin = Some(plugin);
        self
    }

    /// Under this name in the stores.
    #[must_use]
    pub fn tenant(mut self, tenant: TenantId) -> Self {
        self.tenant = tenant;
        self
    }

    /// With this cache.
    #[must_use]
    pub fn counter(mut self, counter: Arc<dyn Counter>) -> Self {
        self.counter = Some(counter);
        self
    }

    /// With this ledger.
    #[must_use]
    pub fn ledger(mut self, ledger: Arc<dyn Ledger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// With these limits and defaults for packets.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// With this clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// With this randomness.
    #[must_use]
    pub fn entropy(mut self, entropy: Entropy) -> Self {
        self.entropy = Some(entropy);
        self
    }

    /// With these limits for the plugin.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Puts it together.
    ///
    /// # Errors
    /// When wasmtime does not start or the operating system gives no randomness.
    pub fn build(self) -> Result<Host, HostError> {
        let plugin = match self.plugin {
            Some(plugin) => plugin,
            None => Plugin::embedded(&Engine::new()?)?,
        };
        let around = Arc::new(Surroundings {
            tenant: self.tenant,
            counter: self.counter.unwrap_or_else(|| Arc::new(MemoryCounter::new())),
            ledger: self.ledger.unwrap_or_else(|| Arc::new(MemoryLedger::new())),
            policy: self.policy,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock)),
            entropy: match self.entropy {
                Some(entropy) => entropy,
                None => Entropy::from_os()?,
            },
        });
        let instances = Arc::new(Instances::new(plugin, Arc::clone(&around), self.limits));
        let (grabs, opens) = (Arc::clone(&instances), Arc::clone(&instances));
        let grab = move |packet, users| {
            let instances = Arc::clone(&grabs);
            async move { instances.call(async |calls| calls.grab(packet, users).await).await }.boxed()
        };
        let open = move |packet, users| {
            let instances = Arc::clone(&opens);
            async move { instances.call(async |calls| calls.open(packet, users).await).await }.boxed()
        };
        Ok(Host {
            instances,
            grabs: Lanes::new(self.limits, Box::new(grab)),
            opens: Lanes::new(self.limits, Box::new(open)),
            settlements: Arc::default(),
            around,
        })
    }
}

impl Host {
    /// Starts putting a host together.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// The tenant's limits and defaults.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.around.policy
    }

    /// Milliseconds since the Unix epoch, by the host's clock.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.around.clock.now_ms()
    }

    /// Sends a packet, once for each key of its sender; its money leaves the wallet at once.
    ///
    /// # Errors
    /// The inner one is the plugin's or the ledger's refusal, the outer one a call that has no
    /// answer: ask again with the same key.
    pub async fn send(&self, request: Request) -> Result<Result<Sent, SendError>, CallError> {
        self.instances.call(async |calls| calls.send(request).await).await
    }

    /// Tries to take a seat.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe.
    pub async fn grab(&self, packet: PacketId, user: UserId) -> Result<Grabbed, CallError> {
        self.grabs.ask(packet, user).await
    }

    /// Claims a share; the amount is drawn now. What is answered is in the ledger.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe, and tells what a lost answer told.
    pub async fn open(&self, packet: PacketId, user: UserId) -> Result<Opened, CallError> {
        self.opens.ask(packet, user).await
    }

    /// Takes seats for many users of one packet in one call, past the lanes.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe.
    pub async fn grab_batch(&self, packet: PacketId, users: Vec<UserId>) -> Result<Vec<Grabbed>, CallError> {
        self.instances.call(async |calls| calls.grab(packet, users).await).await
    }

    /// Claims shares for many users of one packet in one call, past the lanes.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe.
    pub async fn open_batch(&self, packet: PacketId, users: Vec<UserId>) -> Result<Vec<Opened>, CallError> {
        self.instances.call(async |calls| calls.open(packet, users).await).await
    }

    /// Refunds what is left of a packet that is past its time.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe.
    pub async fn expire(&self, packet: PacketId) -> Result<Expired, CallError> {
        Ok(self.instances.call(async |calls| calls.expire(packet).await).await??)
    }

    /// A packet with its claims; None where there is no such packet.
    ///
    /// # Errors
    /// When the call has no answer.
    pub async fn details(&self, packet: PacketId) -> Result<Option<Details>, CallError> {
        Ok(self.instances.call(async |calls| calls.details(packet).await).await??)
    }

    /// The shares of an imaginary packet in minor units, or the sentence that says why not.
    ///
    /// # Errors
    /// When the call has no answer.
    pub async fn preview(
        &self,
        strategy: Strategy,
        total: u64,
        shares: u32,
    ) -> Result<Result<Vec<u64>, String>, CallError> {
        self.instances.call(async |calls| calls.preview(strategy, total, shares).await).await
    }

    /// Credits a wallet from outside; gives the new balance.
    ///
    /// # Errors
    /// When the amount is nothing, the wallet would pass [`Amount::MAX`], or the ledger is away.
    pub async fn fund(&self, user: &UserId, amount: Amount) -> Result<Amount, StoreError> {
        self.around.ledger.fund(&self.around.tenant, user, amount, self.now_ms()).await
    }

    /// What a wallet holds.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn balance(&self, user: &UserId) -> Result<Amount, StoreError> {
        self.around.ledger.balance(&self.around.tenant, user).await
    }

    /// Credits at most `limit` claims to wallets, in the ledger's order; gives them in that order.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn settle(&self, limit: u32) -> Result<Vec<Settled>, StoreError> {
        let settled = self.around.ledger.settle(limit, self.now_ms()).await?;
        let mut settlements = self.settlements.lock().unwrap_or_else(PoisonError::into_inner);
        settlements.count(&settled, self.around.clock.now_ms());
        Ok(settled)
    }

    /// What this host has settled since it was built.
    #[must_use]
    pub fn settlements(&self) -> Settlements {
        self.settlements.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What settlement has before it, of all tenants of the ledger.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.around.ledger.backlog().await
    }

    /// At most `limit` claims that could not be settled and wait for a person.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn parked(&self, limit: u32) -> Result<Vec<Parked>, StoreError> {
        self.around.ledger.parked(limit).await
    }

    /// Puts every parked claim back in the queue of settlement; gives how many.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn unpark(&self) -> Result<u64, StoreError> {
        self.around.ledger.unpark().await
    }

    /// The sums of the books.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        self.around.ledger.audit(&self.around.tenant).await
    }

    /// What in the books does not agree; empty when all is well.
    ///
    /// # Errors
    /// When the ledger is away.
    pub async fn verify(&self) -> Result<Vec<Discrepancy>, StoreError> {
        self.around.ledger.verify(&self.around.tenant).await
    }

    /// Refunds every packet that is past its time. One that cannot be refunded is not in the way
    /// of the next: it is told of in the answer, and tried again by the next sweep.
    ///
    /// # Errors
    /// When the ledger cannot say which packets are due.
    pub async fn expire_due(&self) -> Result<Refunds, CallError> {
        const AT_ONCE: u32 = 256;
        let mut refunds = Refunds::default();
        let mut cursor = None;
        loop {
            let due =
                self.around.ledger.due(Some(&self.around.tenant), self.now_ms(), cursor, AT_ONCE).await?;
            for Due { key: PacketKey { packet, .. }, .. } in &due {
                match self.expire(*packet).await {
                    Ok(Expired::Refunded(amount)) => refunds.refunded.push((*packet, amount)),
                    Ok(_) => {}
                    Err(error) => refunds.failed.push((*packet, error)),
                }
            }
            cursor = due.last().cloned();
            if due.len() < AT_ONCE as usize {
                return Ok(refunds);
            }
        }
    }

    /// Frees the seats whose lease has ended; gives how many.
    ///
    /// # Errors
    /// When the counter is away.
    pub async fn end_leases(&self) -> Result<u64, StoreError> {
        self.around.counter.sweep(self.now_ms()).await
    }

    /// Forgets every counter and seat, as a cache does that is restarted. Nothing is lost by it.
    ///
    /// # Errors
    /// When the counter is away.
    pub async fn lose_cache(&self) -> Result<(), StoreError> {
        self.around.counter.clear().await
    }
}
