//! The host of red packet plugins: a library that a chat platform embeds, and the `hongbao` command.
//!
//! A [`Host`](runtime::Host) runs a plugin (a WebAssembly component that speaks the contract in
//! `wit/`) over a [`Counter`](store::Counter), the cache, and a [`Ledger`](store::Ledger), the
//! truth. The plugin decides; the ledger refuses by itself whatever would break an invariant.
//!
//! # A chat server with red packets
//!
//! ```
//! use std::sync::Arc;
//!
//! use hongbao_host::domain::{Amount, Grabbed, Opened, Request, Sent, UserId};
//! use hongbao_host::runtime::{Host, Pace, Workers};
//! use hongbao_host::store::sqlite::SqliteLedger;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let runtime = tokio::runtime::Runtime::new()?;
//! # runtime.block_on(async {
//! // Once, when the server starts. What is not said stays at its default: the embedded plugin,
//! // a counter in memory, CNY with WeChat's limits.
//! let ledger = SqliteLedger::open(directory.path())?;
//! let host = Host::builder().ledger(Arc::new(ledger)).build()?;
//! let workers = Workers::start(&host, Pace::default());
//!
//! // Somebody types a command: ¥10.00 for 5 of the room. The key makes a repeated request harmless.
//! let (alice, bob) = (UserId::new("alice")?, UserId::new("bob")?);
//! host.fund(&alice, Amount::new(1_000)?).await?;
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
//! let packet = match host.send(request).await? {
//!     Ok(Sent::Sent(packet) | Sent::Replayed(packet)) => packet,
//!     Err(refused) => panic!("shown to the sender: {refused:?}"),
//! };
//!
//! // Somebody taps the card, then opens it.
//! assert_eq!(host.grab(packet, bob.clone()).await?, Grabbed::Admitted);
//! let Opened::Opened(share) = host.open(packet, bob.clone()).await? else {
//!     panic!("a seat was free");
//! };
//! println!("bob got {} fen and is number {}", share.amount, share.sequence);
//!
//! // When the server stops: settlement finishes its queue.
//! workers.stop().await;
//! assert_eq!(host.balance(&bob).await?, share.amount);
//! # Ok(())
//! # })
//! # }
//! ```

#![warn(missing_docs)]

pub mod cli;
pub mod domain;
pub mod imports;
pub mod runtime;
pub mod store;
