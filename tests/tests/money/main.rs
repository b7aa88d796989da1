//! Money: the mistakes that others made, each with a test, the invariants under a crowd, and how amounts are shown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may stop anywhere"
)]

mod crowd;
mod faults;
mod mistakes;
mod overload;
mod shown;
