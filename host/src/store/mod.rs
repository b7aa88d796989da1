//! Where state lives: a [`Counter`] that may forget and a [`Ledger`] that may not.
//!
//! Backends know nothing of plugins or components. Every backend, and every wrapper around
//! one, passes the same suite in [`conformance`].

mod checks;
pub mod committer;
pub mod conformance;
mod counter;
mod error;
pub mod finished;
pub(crate) mod gatherer;
mod ledger;
pub mod memory;
pub mod postgres;
pub mod redis;
pub mod sqlite;

pub use counter::{
    Card, Counter, CounterState, Holder, Lease, OpenedSeat, Opening, Seat, Seating, Swapped, View,
};
pub use error::StoreError;
pub use ledger::{
    Audit, Backlog, Claimed, Closed, Discrepancy, Due, LARGE_HEAD_START_MS, Ledger, Loaded, Parked, Queue,
    RETRY_MS, Receipt, Recorded, Refusal, Settled,
};
