//! The private servers of tests: that each starts, dies, comes back and leaves nothing behind.

#![cfg(unix)]
// Also in the helpers, which clippy does not count as tests: the first surprise ends the test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod postgres;
mod proxy;
mod redis;
mod remains;

use std::time::{Duration, Instant};

/// Waits for something that is to become true.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}: not in time");
        std::thread::sleep(Duration::from_millis(10));
    }
}
