//! The road of a plugin's author: the example that they copy, and the guide that they follow.

// Also in the helpers, which clippy does not count as tests: the first surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod build;
mod faults;
mod guide;
mod halving;
#[path = "../../../examples/write_a_plugin/src/rule.rs"]
mod rule;
