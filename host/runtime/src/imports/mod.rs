//! Where the contract meets the host: WIT values become domain values here, and nowhere else.
//!
//! Each version of the contract has a module of its own, named after it; what they share stands
//! beside them. Two roads lead out of an imported function, never blended: an answer for the
//! plugin, failures of a store included, or a trap, which costs the instance. A trap is for a plugin
//! that breaks the contract itself or reaches for what this call is not about: see `mandate`.

mod ambient;
mod asking;
mod breach;
mod mandate;
mod memory;
mod meter;
mod open_packets;
mod origin;
mod state;
mod steady;
mod v0_1;
mod version;
mod witness;

pub use ambient::{Clock, Entropy, ManualClock, Skew, SystemClock};
pub(crate) use asking::{Deadline, StoreHealth};
pub(crate) use breach::Breach;
pub(crate) use mandate::{Mandate, asks_for};
pub(crate) use meter::TICK_MS;
pub(crate) use open_packets::{OpenPackets, Place};
pub(crate) use origin::{of_message, of_request};
pub(crate) use state::{InstanceState, Surroundings};
pub use steady::{SteadyClock, Uptime};
pub(crate) use version::{Calls, Exports, Linked, Said};
