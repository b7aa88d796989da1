//! Several `hongbao serve` processes on one Redis and one PostgreSQL, behind the HAProxy of `deploy/`: what
//! one host does the others know, and where one dies nothing that was answered is lost.

#![cfg(unix)]
// Also in the helpers, which clippy does not count as tests: the first surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod balancer;
mod cache;
mod caller;
mod check;
mod deaths;
mod history;
mod keys;
mod load;
mod process;
mod rooms;
mod stage;
mod stream;
mod webhooks;
