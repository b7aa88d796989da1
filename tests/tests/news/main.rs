//! News: what rooms are told, from the ledger's change to the event, whatever goes wrong between.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may stop anywhere"
)]

mod away;
mod bench;
mod telling;
mod untouched;
