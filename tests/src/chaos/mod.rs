//! Chaos: two host processes under load, one fault after another, and the question after each of
//! them whether everything that was acknowledged is still there. The same of a service of which one
//! tenant behaves well while somebody else does harm, and how much longer that tenant waits.
//!
//! | module | does |
//! |---|---|
//! | `load` | what a host process does: senders, guests, and a line on standard output for each answer |
//! | `line` | those lines, written and read |
//! | `told` | what the lines of all processes come to |
//! | `process` | a child process and the thread that listens to it |
//! | `tally` | what is heard from all of them, and waiting for it |
//! | `stage` | servers, proxies and host processes, put up together |
//! | `fault`, `tamper` | what goes wrong, and how it is made right again |
//! | `drill` | one fault under load: before, meanwhile, after, check |
//! | `books` | everything the ledger holds, read without the code under test |
//! | `check` | the books compared with themselves and with what was told |
//! | `report` | the table and the JSON |
//! | `neighbour` | a service, a well-behaved tenant under load, and somebody else who does harm |
//!
//! A line is written before its user goes on, and a pipe keeps what a killed process has written.
//! So the runner knows what was acknowledged up to the very last moment of a process.

#![cfg(unix)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a runner that meets something unexpected stops there, and its servers with it"
)]

mod books;
mod check;
mod dice;
mod drill;
mod fault;
mod line;
mod load;
pub mod neighbour;
mod payouts;
mod process;
mod report;
mod stage;
mod tally;
mod tamper;
mod told;

pub use books::{Books, Claim, Movement, Packet, Withdrawal};
pub use check::{Harm, Wrong, compare};
pub use dice::Dice;
pub use drill::{Options, run};
pub use fault::Fault;
pub use line::Line;
pub use load::{Load, host, settler};
pub use report::{Drill, Report, Row, grouped, seconds};
pub use told::Told;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than anything takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// Milliseconds since the Unix epoch: processes of one machine agree on it.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
