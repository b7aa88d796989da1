//! The bridge to Matrix on a real homeserver: Synapse, `hongbao serve` and `hongbao-matrix` as processes, and people who
//! use the client API.
//!
//! `cargo xtask setup matrix` installs Synapse; nothing is downloaded here.

#![cfg(unix)]
// Also in the helpers, which clippy does not count as tests: the first surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod away;
mod encrypted;
mod ending;
mod killed;
mod limits;
mod people;
#[path = "../hosts/process.rs"]
mod process;
mod rooms;
mod service;
mod stage;
mod synapse;
mod twice;
