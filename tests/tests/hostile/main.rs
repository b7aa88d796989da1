//! Hostile guests: each is the real plugin but for one misdeed (`tests/guests/examples`). Each test shows
//! three things: its tenant is told why there is no answer, the others go on, and no money moved that
//! should not have.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failing test may stop anywhere"
)]

mod breaker;
mod cards;
mod computing;
mod handing_over;
mod manifests;
mod others;
mod refunds;
mod shares;
mod stage;
mod telling;
