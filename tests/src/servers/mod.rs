//! Private servers for tests, benchmarks and chaos: each on a free port of 127.0.0.1, with a
//! temporary directory, and gone with the process that started it, however that one ends.
//!
//! Everything here blocks. Whatever a server is told, it is told through `&self`, so that a test
//! can share one between its threads and kill it from any of them.

#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test whose server does not start stops there")]

mod account;
mod keeper;
mod pgbouncer;
mod ports;
mod postgres;
mod programs;
mod proxy;
mod redis;
mod redis_cluster;
mod redis_sentinel;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use pgbouncer::PgBouncer;
pub use postgres::{Postgres, TlsFiles};
pub use programs::{find, program};
pub use proxy::{Mode, Proxy};
pub use redis::{Redis, ServerTls};
pub use redis_cluster::RedisCluster;
pub use redis_sentinel::RedisSentinel;

/// Long enough for a server on a machine that is busy compiling.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is an answer.
///
/// # Panics
///
/// When there is none for too long; `what` says what did not happen.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a program prints, without the line's end; if it fails, what it complains about.
fn printed(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
