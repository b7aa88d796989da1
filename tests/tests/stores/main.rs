//! The stores of real runs, on private servers that the tests start and end.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that meets something unexpected stops there")]

mod postgres;
