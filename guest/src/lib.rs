//! The red packet plugin.
//!
//! Pure decisions over the contract in `wit/`: who may grab, what an open draws, when a packet
//! ends. Everything that can be true only once (a seat, a claim, a refund) is asked of the
//! host, which is free to refuse.
//!
//! The same code is built twice. For `wasm32-unknown-unknown` it is the component that a host
//! loads; natively it is a library whose functions take any [`Host`], so that tests and
//! benchmarks run the very logic that the component holds.

pub mod allocation;
pub mod bindings;
mod cache;
pub mod chat;
#[cfg(all(target_arch = "wasm32", feature = "component"))]
mod component;
mod details;
mod draws;
mod expire;
mod grab;
mod host;
mod imports;
mod open;
mod preview;
mod send;

pub use details::details;
pub use expire::expire;
pub use grab::grab;
pub use host::{Counter, Host, Ledger};
pub use imports::Imports;
pub use open::open;
pub use preview::preview;
pub use send::send;

/// How often a compare-and-swap is tried before the caller is told that it was contended.
///
/// Within one host the lane of a packet makes its calls one at a time, so a try is lost only to
/// another host; eight losses in a row mean that waiting longer would not help the user.
pub const MAX_TRIES: u32 = 8;
