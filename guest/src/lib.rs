//! The red packet plugin.
//!
//! Pure decisions over the contract in `wit/`: who may grab, what an open draws. Everything that can be
//! true only once (a seat, a claim) is asked of the host, which is free to refuse.
//!
//! The same code is built twice. For `wasm32-unknown-unknown` it is the component that a host
//! loads; natively it is a library whose functions take any [`Host`], so that tests and
//! benchmarks run the very logic that the component holds.

pub mod allocation;
pub mod bindings;
pub mod chat;
#[cfg(all(target_arch = "wasm32", feature = "component"))]
mod component;
mod draws;
mod grab;
mod host;
mod imports;
mod manifest;
mod open;
mod preview;
mod send;
mod tasks;

pub use grab::grab;
pub use host::{Counter, Host, Ledger};
pub use imports::Imports;
pub use manifest::manifest;
pub use open::open;
pub use preview::preview;
pub use send::send;

/// How often a compare-and-swap is tried before the caller is told that it was contended.
///
/// Within one host a packet is in one call at a time, so a try is lost only to
/// another host; eight losses in a row mean that waiting longer would not help the user.
pub const MAX_TRIES: u32 = 8;
