//! Test doubles for applications that embed a host: in-memory stores that fail on demand, a clock that only
//! moves when told to, and draws from a seed.
//!
//! ```
//! use hongbao_domain::{Amount, Grabbed, UserId};
//! use hongbao_testkit::{Fault, Kit};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let kit = Kit::new(2026)?;
//! let tenant = kit.tenant("acme").await?;
//! let packet = kit.packet(&tenant, "alice", 1_000, 5).await?;
//! let bob = UserId::new("bob")?;
//!
//! // The cache is unavailable: users may go on to open, and the ledger decides.
//! kit.counter.set(Fault::Down);
//! assert_eq!(tenant.grab(packet, bob.clone()).await?, Grabbed::Contended);
//! kit.counter.set(Fault::None);
//!
//! // A day later the remainder is refunded to alice.
//! kit.clock.advance(24 * 60 * 60 * 1000);
//! tenant.expire_due().await?;
//! assert_eq!(tenant.balance(&UserId::new("alice")?).await?, Amount::new(1_000)?);
//! assert!(tenant.audit().await?.is_conserved());
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! To test a [`Counter`] or a [`Ledger`] of your own, run
//! [`conformance`](hongbao_store::conformance) on it.

#![warn(missing_docs)]

mod faulty;
mod records;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use faulty::{Fault, Faulty};

use hongbao_domain::{Amount, Grants, PacketId, Request, Sent, TenantId, UserId};
use hongbao_runtime::imports::{Entropy, ManualClock};
use hongbao_runtime::{
    CallError, Engine, Host, HostError, Plugin, PluginError, Tenant, TenantConfig, TenantError,
};
use hongbao_store::memory::{MemoryCounter, MemoryLedger};
use hongbao_store::{Counter, Ledger, StoreError};

/// 2026-02-16, the eve of a year of the horse.
const EVE_MS: u64 = 1_771_200_000_000;

/// A host in memory, with access to its stores and clock.
pub struct Kit {
    /// The host.
    pub host: Host,
    /// Its clock, which begins at the eve of a new year.
    pub clock: Arc<ManualClock>,
    /// Its cache.
    pub counter: Arc<Faulty<dyn Counter>>,
    /// Its books.
    pub ledger: Arc<Faulty<dyn Ledger>>,
    plugin: Plugin,
    keys: AtomicU64,
}

/// Errors of a [`Kit`].
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// The host could not be built.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The embedded plugin does not load.
    #[error(transparent)]
    Plugin(#[from] PluginError),
    /// The tenant could not be added.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// A store failed, as it may have been told to.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The call had no answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A name or an amount that is none, or a packet that was not sent.
    #[error("{0}")]
    Refused(String),
}

impl Kit {
    /// A host that draws the same amounts for the same seed.
    ///
    /// # Errors
    /// When wasmtime does not start.
    pub fn new(seed: u64) -> Result<Self, KitError> {
        let engine = Engine::new().map_err(HostError::from)?;
        let plugin = Plugin::embedded(&engine)?;
        let counter: Arc<dyn Counter> = Arc::new(MemoryCounter::new());
        let ledger: Arc<dyn Ledger> = Arc::new(MemoryLedger::new());
        let (counter, ledger) = (Faulty::new(counter), Faulty::new(ledger));
        let clock = Arc::new(ManualClock::new(EVE_MS));
        let builder = Host::builder()
            .engine(engine)
            .counter(Arc::<Faulty<dyn Counter>>::clone(&counter))
            .ledger(Arc::<Faulty<dyn Ledger>>::clone(&ledger))
            .clock(Arc::<ManualClock>::clone(&clock))
            .entropy(Entropy::seeded(seed));
        Ok(Self { host: builder.build()?, clock, counter, ledger, plugin, keys: AtomicU64::new(1) })
    }

    /// A tenant of this name with the embedded plugin, which is granted everything.
    ///
    /// # Errors
    /// When there is one of that name.
    pub async fn tenant(&self, name: &str) -> Result<Tenant, KitError> {
        let id = TenantId::new(name)
            .map_err(|error| KitError::Refused(format!("the name of a tenant {error}")))?;
        Ok(self.host.add(TenantConfig::new(id).grants(Grants::ALL), self.plugin.clone()).await?)
    }

    /// A lucky packet for everybody, in the room `room`; its sender is funded with just what it needs.
    ///
    /// # Errors
    /// When a store fails, or the packet is refused.
    pub async fn packet(
        &self,
        tenant: &Tenant,
        sender: &str,
        total: u64,
        shares: u32,
    ) -> Result<PacketId, KitError> {
        let sender = UserId::new(sender).map_err(|error| KitError::Refused(format!("the sender {error}")))?;
        let amount = Amount::new(total).map_err(|error| KitError::Refused(error.to_string()))?;
        tenant.fund(&sender, amount).await?;
        let request = Request {
            key: format!("packet-{}", self.keys.fetch_add(1, Ordering::Relaxed)),
            room: "room".into(),
            sender,
            strategy: None,
            total,
            shares,
            to: Vec::new(),
            greeting: "恭喜发财".into(),
            expires_in_ms: None,
        };
        match tenant.send(request).await? {
            Ok(Sent::Sent(packet) | Sent::Replayed(packet)) => Ok(packet),
            Err(refused) => Err(KitError::Refused(format!("the packet was not sent: {refused:?}"))),
        }
    }
}

/// The README's example is tested as documentation is.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
