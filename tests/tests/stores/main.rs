//! Stores on servers of their own: what is true of every store, and what happens when a server
//! goes away.

#![cfg(unix)]
// Also in the helpers: a test stops at its first surprise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod postgres;
mod redis;
