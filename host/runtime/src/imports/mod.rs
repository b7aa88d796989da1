//! The glue between contract and host: WIT values become domain values here, and nowhere else.
//!
//! Each version of the contract that is not compatible with the one before has a module of its own, named after
//! it; what they share stands beside them. `call::Call` describes a call: its packets, its users, and what the stores
//! said of them. Two roads lead out of an imported function, never blended: an answer for the plugin,
//! failures of a store included, or a trap, which costs the instance. A trap is for a plugin that breaks the
//! contract itself or reaches for what this call is not about.

mod ambient;
mod breach;
mod call;
mod context;
mod failure;
mod memory;
mod meter;
mod open_packets;
mod orders;
mod origin;
mod packets;
mod state;
mod steady;
mod stores;
mod v0_2;
mod version;

pub use ambient::{Clock, Entropy, ManualClock, Skew, SystemClock, Uptime};
pub(crate) use breach::Breach;
pub(crate) use context::{StoreHealth, TenantContext};
pub(crate) use memory::{MOST_MEMORIES, MOST_MODULES, TABLES_FOR_EACH};
pub(crate) use meter::TICK_MS;
pub(crate) use open_packets::{OpenPackets, Place};
pub(crate) use orders::asks_for;
pub(crate) use origin::{of_message, of_request};
pub(crate) use state::InstanceState;
pub use steady::SteadyClock;
pub(crate) use stores::Deadline;
pub(crate) use version::{Calls, Exports, Linked};
