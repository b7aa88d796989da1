//! Red packets for chat platforms: the library that an application embeds to run Hongbao plugins.
//!
//! A [`Host`](runtime::Host) serves [tenants](runtime::Tenant). Each has a plugin (a WebAssembly
//! component that speaks the contract in `wit/`), grants, a policy and limits of its own; they share
//! a [`Counter`](store::Counter), the cache, and a [`Ledger`](store::Ledger), the source of truth. The plugin
//! decides; the ledger itself refuses whatever would violate an invariant.
//!
//! # A chat server with red packets
//!
//! ```
//! use std::sync::Arc;
//!
//! use hongbao_host::domain::{Amount, Grabbed, Opened, Request, Sent, TenantId, UserId};
//! use hongbao_host::runtime::{Host, Pace, Plugin, TenantConfig, Workers};
//! use hongbao_host::store::sqlite::SqliteLedger;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # runtime.block_on(async {
//! // Once, when the server starts. Unset parts use their defaults: a counter in memory, the machine's
//! // clock and randomness.
//! let ledger = SqliteLedger::open(directory.path())?;
//! let host = Host::builder().ledger(Arc::new(ledger)).build()?;
//! let workers = Workers::start(&host, Pace::default());
//!
//! // Each tenant has its plugin and its grants. The embedded plugin, as here, is granted what it asks
//! // for; any other plugin needs `TenantConfig::grants`.
//! let config = TenantConfig::new(TenantId::new("acme")?);
//! let tenant = host.add(config, Plugin::embedded(host.engine())?).await?;
//!
//! // Somebody types a command: ¥10.00 for 5 of the room. The key makes a repeated request harmless.
//! let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
//! tenant.fund(&alice, Amount::new(1_000)?).await?;
//! let request = Request {
//!     key: "message-4711".into(),
//!     room: "family".into(),
//!     sender: alice,
//!     strategy: None,
//!     total: 1_000,
//!     shares: 5,
//!     to: vec![],
//!     greeting: "新年快乐".into(),
//!     expires_in_ms: None,
//! };
//! let packet = match tenant.send(request).await? {
//!     Ok(Sent::Sent(packet) | Sent::Replayed(packet)) => packet,
//!     Err(refused) => panic!("shown to the sender: {refused:?}"),
//! };
//!
//! // Somebody taps the card, then opens it.
//! assert_eq!(tenant.grab(packet, bob.clone()).await?, Grabbed::Admitted);
//! let Opened::Opened(share) = tenant.open(packet, bob.clone()).await? else {
//!     panic!("a seat was free");
//! };
//! println!("bob got {} fen and is number {}", share.amount, share.sequence);
//!
//! // When the server stops: settlement finishes its queue.
//! workers.stop().await;
//! assert_eq!(tenant.balance(&bob).await?, share.amount);
//! # Ok(())
//! # })
//! # }
//! ```

#![warn(missing_docs)]

#[doc(inline)]
pub use hongbao_domain as domain;
#[doc(inline)]
pub use hongbao_runtime as runtime;
#[doc(inline)]
pub use hongbao_runtime::imports;
#[cfg(feature = "server")]
#[doc(inline)]
pub use hongbao_server as server;

/// Storage: the contracts, in-memory stores, and the backends that are enabled as features.
pub mod store {
    pub use hongbao_store::*;
    #[cfg(feature = "postgres")]
    pub use hongbao_store_postgres as postgres;
    #[cfg(feature = "redis")]
    pub use hongbao_store_redis as redis;
    #[cfg(feature = "sqlite")]
    pub use hongbao_store_sqlite as sqlite;
}

/// The README's example is tested as documentation is.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
