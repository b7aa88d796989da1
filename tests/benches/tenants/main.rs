//! What many tenants cost each other: memory and time of one that is idle, of its first call, of
//! having ten thousand instead of one, of fresh instances, of compiling, and of a neighbour that
//! asks for more than it may.
//!
//! Stores are in memory, so that the host alone is measured. Each figure stands beside a baseline of
//! the same run; where both are rates they are measured turn by turn.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a benchmark may stop where it stands"
)]

mod code;
mod crowd;
mod idle;
mod neighbour;
mod reuse;
mod throughput;

/// How often each pair is measured, unless the first argument says otherwise.
const ROUNDS: usize = 5;

fn main() {
    // `cargo bench` passes `--bench`. A number is that of rounds, a word that of one measurement.
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let rounds = asked.iter().find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let names: Vec<&String> = asked.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|one| *one == name);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        if wanted("code") {
            code::measure(rounds).await;
        }
        if wanted("idle") {
            idle::measure().await;
        }
        println!("\n{:<46}{:>11}{:>11}{:>9}{:>8}  spread", "", "baseline", "hongbao", "ratio", "goal");
        if wanted("reuse") {
            reuse::measure(rounds).await;
        }
        if wanted("throughput") {
            throughput::measure(rounds).await;
        }
        if wanted("neighbour") {
            neighbour::measure(rounds).await;
        }
    });
}
