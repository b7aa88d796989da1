//! The rules of the product, asked of a host inside of the test: no process, no pipe, no server.
//!
//! A file for each thing that somebody looks for. What a command, HTTP or a server adds to a rule is in a
//! suite of its own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may stop anywhere"
)]

mod audience;
mod books;
mod cache;
mod chat;
mod crowd;
mod details;
mod expiry;
mod grab;
mod keys;
mod open;
mod send;
mod settlement;
mod shares;
mod stage;
mod wallets;
mod withdrawals;
