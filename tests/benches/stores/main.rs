//! What the real stores carry behind the plugin, each figure beside a baseline of the same run on
//! the same servers: opens on PostgreSQL against pgbench, grabs on Redis against redis-benchmark,
//! and what happens when twice as much is offered as can be served.
//!
//! The servers are private, on this machine, and durable as they are in earnest: `fsync` and
//! `synchronous_commit` are on. Everything shares the machine's cores. Each pair is measured
//! several times, turn by turn; the figure is the median of the ratios.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a benchmark may stop where it stands"
)]

mod crowd;
mod overload;
mod pgbench;
mod postgres;
mod redis;

/// How often each pair is measured, unless the first argument says otherwise.
const ROUNDS: usize = 3;

fn main() {
    // `cargo bench` passes `--bench`. A number is that of rounds, a name that of one store.
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let rounds = asked.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let wanted = |name: &str| asked.iter().any(|one| one == name) || !asked.iter().any(|one| is_store(one));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("{:<46}{:>11}{:>11}{:>9}{:>8}  spread", "", "baseline", "hongbao", "ratio", "goal");
    runtime.block_on(async {
        if wanted("postgres") {
            postgres::measure(rounds).await;
        }
        if wanted("redis") {
            redis::measure(rounds).await;
        }
    });
}

fn is_store(name: &str) -> bool {
    matches!(name, "postgres" | "redis")
}
