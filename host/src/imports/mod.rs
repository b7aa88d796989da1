//! Where the contract meets the host: WIT values become domain values here, and nowhere else.
//!
//! There is one module for each interface. Two roads lead out of an imported function, never
//! blended: an answer for the plugin, failures of a store included, or a trap, which costs the
//! instance. A trap is for a plugin that breaks the contract itself: a name that is none, more
//! random numbers than a call gives, too many host calls.

mod ambient;
pub(crate) mod bindings;
mod convert;
mod counter;
mod exports;
mod ledger;
mod state;

pub use ambient::{Clock, Entropy, ManualClock, SystemClock};
pub(crate) use exports::{Calls, Said};
pub(crate) use state::{Breach, InstanceState, Surroundings};
