//! Time limits of stores. Each wait is shorter than the one around it, and all
//! of them are shorter than what a plugin's call has for its stores by default (4.5 s), so that it is
//! the store that gives up first, with its own words, and not its caller.

use std::time::Duration;

/// For an answer that users wait for, the wait for a connection included.
pub const ANSWER: Duration = Duration::from_secs(4);
/// For a statement. The server itself gives up after this time, so that no lock outlives its caller
/// for long.
pub const STATEMENT: Duration = Duration::from_millis(3_500);
/// For a lock inside of a statement, or on a file.
pub const LOCK: Duration = Duration::from_secs(2);
/// For a connection: a free one, or a new one.
pub const CONNECTION: Duration = Duration::from_secs(2);

/// So far clocks may be apart: half of the time that a seat is kept for whoever took it.
pub const CLOCKS_APART: Duration = Duration::from_secs(30);

const _: () = assert!(LOCK.as_millis() < STATEMENT.as_millis());
const _: () = assert!(STATEMENT.as_millis() < ANSWER.as_millis());
const _: () = assert!(CONNECTION.as_millis() < ANSWER.as_millis());
