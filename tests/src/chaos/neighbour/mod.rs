//! Neighbours: a service with a well-behaved tenant under a steady load, while somebody else does harm.
//!
//! | module | does |
//! |---|---|
//! | `service` | `hongbao serve` in a process of its own, on private servers |
//! | `caller` | a client of its API |
//! | `load` | the neighbour, and how long it waits |
//! | `mischief` | what others do: `strangers`, `uploads`, `greedy` |
//! | `trial` | the neighbour alone and with mischief, turn by turn, and a check afterwards |
//! | `report` | the table and the JSON |

mod caller;
mod greedy;
mod load;
mod mischief;
mod report;
mod service;
mod strangers;
mod trial;
mod uploads;

pub use mischief::{Mischief, Tries};
pub use report::{GOAL, NeighbourRow, Pair, Trial};
pub(super) use report::{json, render};
pub use trial::{Windows, run};
