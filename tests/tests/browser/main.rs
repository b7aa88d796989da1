//! The demo's page in a real browser: people in windows of their own, who talk and open packets.

// Also in the helpers, which clippy does not count as tests: the first surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod accessible;
mod amounts;
mod axe;
mod company;
mod crowd;
mod driver;
mod endings;
mod fits;
mod kept;
mod keyboard;
mod large;
mod looks;
mod payout;
mod refused;
mod stage;
mod talk;
mod turned;
mod two;
mod window;
