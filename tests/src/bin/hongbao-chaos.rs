//! `cargo xtask chaos`: two hosts under load, one fault after another, and a check after each.
//!
//! Started with `host` or `settle` it is one of the processes that this is done to.
//!
//! Exit codes: 0 if nothing was lost and nothing else is wrong, 1 otherwise, 64 for a wrong usage.

use std::process::ExitCode;

const USAGE: &str = "\
Usage: hongbao-chaos [--seed N] [--rounds N] [--json]

Two host processes serve a crowd from one Redis and one PostgreSQL, and from
Sentinel and a synchronous standby, while one thing after another goes wrong.
After each fault everything that was acknowledged is compared with the ledger.

  --seed N    Chooses moments, order and load; printed, so that a run can be
              repeated as far as processes and networks allow it
  --rounds N  How often each fault happens; 3 by default: about three minutes
  --json      One object on standard output, and nothing else
";

#[cfg(not(unix))]
fn main() -> ExitCode {
    eprintln!("hongbao-chaos kills processes by signals, which this system does not have.");
    ExitCode::from(69)
}

#[cfg(unix)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["host", slot, seed, start_ms, users, every_ms, counter, ledger] => {
            runner::host([slot, seed, start_ms, users, every_ms], counter, ledger)
        }
        ["settle", ledger] => runner::settle(ledger),
        ["--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        words => runner::chaos(words),
    }
}

#[cfg(unix)]
mod runner {
    use std::io::Write as _;
    use std::process::ExitCode;
    use std::time::Instant;

    use hongbao_tests::chaos::{
        Drill, Fault, Load, Options, grouped, host as be_host, run, seconds, settler,
    };
    use tokio::runtime::Runtime;

    /// A process of the runner's, with what the runner says.
    pub fn host(numbers: [&str; 5], counter: &str, ledger: &str) -> ExitCode {
        let [Ok(slot), Ok(seed), Ok(start_ms), Ok(users), Ok(every_ms)] = numbers.map(str::parse) else {
            return wrong_usage("a host process takes five numbers");
        };
        let Ok(runtime) = Runtime::new() else { return ExitCode::FAILURE };
        runtime.block_on(be_host(Load { seed, start_ms, users, every_ms }, slot, counter, ledger));
        ExitCode::SUCCESS
    }

    /// The same for one that only settles.
    pub fn settle(ledger: &str) -> ExitCode {
        let Ok(runtime) = Runtime::new() else { return ExitCode::FAILURE };
        runtime.block_on(settler(ledger));
        ExitCode::SUCCESS
    }

    fn wrong_usage(sentence: &str) -> ExitCode {
        eprint!("hongbao-chaos: {sentence}.\n\n{}", super::USAGE);
        ExitCode::from(64)
    }

    /// The run itself.
    pub fn chaos(words: &[&str]) -> ExitCode {
        let (mut seed, mut rounds, mut json) = (2026, 3, false);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let number = match *word {
                "--json" => {
                    json = true;
                    continue;
                }
                "--seed" => &mut seed,
                "--rounds" => &mut rounds,
                other => return wrong_usage(&format!("there is no {other}")),
            };
            let Some(given) = words.next().and_then(|given| given.parse().ok()) else {
                return wrong_usage(&format!("{word} takes a number"));
            };
            *number = given;
        }
        let Ok(program) = std::env::current_exe() else {
            return wrong_usage("this program cannot find itself");
        };
        play(&Options { program, seed, rounds, users: 240, every_ms: 80 }, json)
    }

    fn play(options: &Options, json: bool) -> ExitCode {
        let started = Instant::now();
        if !json {
            let (users, seed) = (options.users, options.seed);
            println!("\n  Two hosts, {users} guests, seed {seed}. Servers and hosts start.\n");
        }
        let told = |drill: &Drill| {
            if !json {
                tell(drill);
            }
        };
        let report = run(options, &Fault::ALL, told);
        let text = match json {
            true => report.json(options.seed) + "\n",
            false => format!("\n{}", report.render(started.elapsed())),
        };
        // Whoever has closed our output still wants the exit code.
        let _ = std::io::stdout().write_all(text.as_bytes());
        if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    /// A drill that is over, in one line, and what it broke.
    fn tell(drill: &Drill) {
        let mark = if drill.wrongs.is_empty() { '✓' } else { '✗' };
        let (title, acknowledged) = (drill.fault.title(), grouped(drill.acknowledged));
        let (again, back) = (grouped(drill.again.values().sum()), seconds(drill.back));
        let lasted = seconds(Some(drill.lasted));
        println!(
            "  {mark} {title:<33} {lasted:>7}  {acknowledged:>6} acknowledged  {again:>6} asked again  back after {back}"
        );
        for wrong in drill.wrongs.iter().take(20) {
            println!("      {:?}: {}", wrong.harm, wrong.what);
        }
    }
}
