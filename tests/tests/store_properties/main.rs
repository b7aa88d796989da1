//! Random histories, held against something plain: a ledger against the ledger in memory, a
//! counter against a model of a page. The fixed cases are the conformance suites'; here come
//! the combinations that nobody thought of. What fails is shrunk to the shortest history.

#![expect(clippy::expect_used, clippy::panic, reason = "a test stops at its first surprise")]

mod counter;
mod history;
mod ledger;
mod model;

use std::fmt::Debug;

use hongbao_host::domain::{Amount, TenantId, UserId};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use tokio::runtime::Runtime;

/// The times of every history count from here, in milliseconds.
const START: u64 = 1_750_000_000_000;

/// Everybody who takes part, known by index.
const USERS: [&str; 5] = ["alice", "bob", "carol", "dave", "erin"];

/// Runs so many random histories.
fn check<H: Debug>(
    histories: u32,
    strategy: impl Strategy<Value = H>,
    holds: impl AsyncFn(H) -> Result<(), TestCaseError>,
) {
    let runtime = Runtime::new().expect("a runtime starts");
    let config = Config { failure_persistence: None, ..Config::with_cases(histories) };
    let ran = TestRunner::new(config).run(&strategy, |history| runtime.block_on(holds(history)));
    if let Err(failure) = ran {
        panic!("{failure}");
    }
}

fn user(index: usize) -> UserId {
    let name = USERS.get(index).expect("histories use the users there are");
    UserId::new(*name).expect("a good name")
}

fn users() -> Vec<UserId> {
    (0..USERS.len()).map(user).collect()
}

fn amount(minor: u64) -> Amount {
    Amount::new(minor).expect("histories use amounts in range")
}

fn tenant(number: usize) -> TenantId {
    TenantId::new(&format!("tenant {number}")).expect("a good name")
}
