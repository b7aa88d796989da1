//! The HTTP API from outside: a service on a free port, called as a platform calls it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failing test may stop anywhere"
)]

mod access;
mod administration;
mod api;
mod bodies;
mod changed;
mod clock;
mod compiling;
mod connections;
mod demo;
mod events;
mod http2;
mod keys;
mod limits;
mod messages;
mod money_events;
mod names;
mod once;
mod operations;
mod problems;
mod quotas;
mod stage;
mod suspension;
mod tenants;
mod tls;
mod typed;
mod webhooks;
mod withdrawals;
