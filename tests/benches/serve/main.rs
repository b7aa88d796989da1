//! What HTTP costs: grabs over the API beside a bare handler that reads the same body, by the same
//! load generator (wrk) in the same run; and how long a grab takes at half of the peak.
//!
//! The service runs in this process, wrk in another, and both share the machine's cores. Each pair is
//! measured turn by turn; the figure is the median of the ratios.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a benchmark may stop where it stands"
)]

mod bare;
mod open_loop;
mod stage;
mod wrk;

use std::fmt::Write as _;
use std::time::Duration;

use stage::{Stage, Stores};

/// How often each pair is measured, unless the first argument says otherwise.
const ROUNDS: usize = 3;

fn main() {
    // `cargo bench` passes `--bench`.
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(ROUNDS);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!("{:<46}{:>11}{:>11}{:>9}{:>8}  spread", "", "baseline", "hongbao", "ratio", "goal");
    let peak = runtime.block_on(async {
        let bare = bare::start().await;
        let memory = Stage::start(Stores::memory()).await;
        let peak = compare("grabs, stores in memory", 0.5, rounds, &bare, &memory).await;
        let (stores, _servers) = Stores::servers().await;
        let servers = Stage::start(stores).await;
        compare("grabs of a hot packet, Redis and PostgreSQL", 0.3, rounds, &bare, &servers).await;
        peak
    });
    println!(
        "\n{:<46}{:>11}{:>11}{:>11}{:>11}",
        "open loop, grabs at half of the peak", "a second", "p50", "p99", "p99.9"
    );
    runtime.block_on(async {
        for name in ["memory", "servers"] {
            let (stage, _servers) = match name {
                "memory" => (Stage::start(Stores::memory()).await, None),
                _ => {
                    let (stores, servers) = Stores::servers().await;
                    (Stage::start(stores).await, Some(servers))
                }
            };
            let peak = if name == "memory" { peak } else { wrk::run(stage.address(), &stage.script()) };
            open_loop::measure(name, peak / 2.0, &stage, Duration::from_secs(10)).await;
        }
    });
}

/// Measures a stage beside the bare handler; gives the stage's median rate.
async fn compare(name: &str, goal: f64, rounds: usize, bare: &bare::Bare, stage: &Stage) -> f64 {
    let (mut ratios, mut baselines, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        // On the same path, so that as much is read and routed.
        let (address, script) = (bare.address(), stage.script());
        let baseline = tokio::task::block_in_place(|| wrk::run(address, &script));
        let (address, script) = (stage.address(), stage.next().await);
        let rate = tokio::task::block_in_place(|| wrk::run(address, &script));
        ratios.push(rate / baseline);
        baselines.push(baseline);
        rates.push(rate);
    }
    let mut spread = String::new();
    let (low, high) =
        (ratios.iter().copied().fold(f64::MAX, f64::min), ratios.iter().copied().fold(0.0, f64::max));
    write!(spread, "{low:.2} to {high:.2}").unwrap();
    let rate = median(rates);
    println!(
        "{name:<46}{:>9.0}/s{rate:>9.0}/s{:>9.2}{:>8}  {spread}",
        median(baselines),
        median(ratios),
        format!("≥ {goal}")
    );
    rate
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
