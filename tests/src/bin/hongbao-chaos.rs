//! `cargo xtask chaos`: two hosts under load, one fault after another, and a check after each; then a
//! service and a tenant beside whom somebody else does harm.
//!
//! Started with `host` or `settle` it is one of the processes that this is done to, and with `serve` the
//! service.
//!
//! Exit codes: 0 if nothing was lost and nothing else is wrong, 1 otherwise, 64 for a wrong usage.

use std::process::ExitCode;

const USAGE: &str = "\
Usage: hongbao-chaos [--seed N] [--rounds N] [--only PART] [--json]

Two host processes serve a crowd from one Redis and one PostgreSQL, and from
Sentinel and a synchronous standby, while one thing after another goes wrong.
Then `hongbao serve` serves a tenant at a steady pace, alone and while somebody
else does harm, turn by turn: strangers open hundreds of connections and say
nothing, another tenant uploads plugins that take minutes to compile, or asks a
hundred times as often as it may.
After each fault everything that was acknowledged is compared with the ledger.

  --seed N     Chooses moments, order and load; printed, so that a run can be
               repeated as far as processes and networks allow it
  --rounds N   How often each fault happens; 3 by default: about eight minutes
  --only PART  `hosts`, or `neighbours`: how much longer a tenant waits while
               somebody else does harm
  --json       One object on standard output, and nothing else

The exit code says whether anything was lost or is wrong, and nothing of how
long anybody waited.
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
        ["serve", ..] => runner::serve(),
        // What the service, and whoever starts it, asks of its own program.
        ["key" | "compile-plugin", ..] => hongbao_cli::run(std::env::args_os()),
        ["--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        words => runner::chaos(words),
    }
}

#[cfg(unix)]
mod runner {
    use std::io::{Read as _, Write as _};
    use std::path::PathBuf;
    use std::process::ExitCode;
    use std::time::{Duration, Instant};

    use hongbao_tests::chaos::neighbour::{self, Mischief, NeighbourRow, Trial, Windows};
    use hongbao_tests::chaos::{
        Drill, Fault, Load, Options, Report, Wrong, grouped, host as be_host, run, seconds, settler,
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

    /// The same for the service. It ends when whoever started it is gone.
    pub fn serve() -> ExitCode {
        std::thread::spawn(|| {
            // Nobody writes to it, so this returns at the end.
            let _ = std::io::stdin().lock().read(&mut [0]);
            std::process::exit(0);
        });
        hongbao_cli::run(std::env::args_os())
    }

    fn wrong_usage(sentence: &str) -> ExitCode {
        eprint!("hongbao-chaos: {sentence}.\n\n{}", super::USAGE);
        ExitCode::from(64)
    }

    /// The run itself.
    pub fn chaos(words: &[&str]) -> ExitCode {
        let (mut seed, mut rounds, mut json, mut parts) = (2026, 3, false, Part::BOTH);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let number = match *word {
                "--json" => {
                    json = true;
                    continue;
                }
                "--only" => {
                    match words.next().and_then(|name| Part::BOTH.iter().find(|part| part.name() == *name)) {
                        Some(part) => parts = std::slice::from_ref(part),
                        None => return wrong_usage("--only takes `hosts` or `neighbours`"),
                    }
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
        Run { program, seed, rounds, json }.play(parts)
    }

    #[derive(Clone, Copy)]
    enum Part {
        Hosts,
        Neighbours,
    }

    impl Part {
        const BOTH: &[Self] = &[Self::Hosts, Self::Neighbours];

        const fn name(self) -> &'static str {
            match self {
                Self::Hosts => "hosts",
                Self::Neighbours => "neighbours",
            }
        }
    }

    struct Run {
        program: PathBuf,
        seed: u64,
        rounds: u64,
        json: bool,
    }

    impl Run {
        fn play(&self, parts: &[Part]) -> ExitCode {
            let started = Instant::now();
            let mut report = Report::default();
            for part in parts {
                match part {
                    // The first part, so that nothing else is in the report.
                    Part::Hosts => report = self.hosts(),
                    Part::Neighbours => report.trials = self.neighbours(),
                }
            }
            let text = match self.json {
                true => report.json(self.seed) + "\n",
                false => format!("\n{}", report.render(started.elapsed())),
            };
            // Whoever has closed our output still wants the exit code.
            let _ = std::io::stdout().write_all(text.as_bytes());
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }

        fn say(&self, text: impl FnOnce() -> String) {
            if !self.json {
                println!("{}", text());
            }
        }

        fn hosts(&self) -> Report {
            let (seed, rounds) = (self.seed, self.rounds);
            let options = Options { program: self.program.clone(), seed, rounds, users: 240, every_ms: 80 };
            let users = options.users;
            self.say(|| format!("\n  Two hosts, {users} guests, seed {seed}. Servers and hosts start.\n"));
            run(&options, &Fault::ALL, |drill| self.say(|| tell(drill)))
        }

        fn neighbours(&self) -> Vec<Trial> {
            let (seed, rounds) = (self.seed, self.rounds);
            let length = Duration::from_secs(4);
            let windows = Windows { program: self.program.clone(), seed, rounds, pairs: 3, length };
            self.say(|| {
                format!("\n  A service and its neighbours, seed {seed}. Servers and the service start.\n")
            });
            neighbour::run(&windows, &Mischief::ALL, |trial| self.say(|| tell_trial(trial)))
        }
    }

    fn mark(wrongs: &[Wrong]) -> char {
        if wrongs.is_empty() { '✓' } else { '✗' }
    }

    /// A line, and what is wrong below it.
    fn with_wrongs(line: String, wrongs: &[Wrong]) -> String {
        wrongs
            .iter()
            .take(20)
            .fold(line, |text, wrong| format!("{text}\n      {:?}: {}", wrong.harm, wrong.what))
    }

    /// A trial that is over, in one line, and what it broke.
    fn tell_trial(trial: &Trial) -> String {
        let row = NeighbourRow::of(trial.mischief, &[trial]);
        let ratio = row.ratio.map_or_else(|| "–".into(), |ratio| format!("{ratio:.2}"));
        let line = format!(
            "  {} {:<33}  {:>6} acknowledged  the neighbour's p99 is {ratio} times as long",
            mark(&trial.wrongs),
            trial.mischief.title(),
            grouped(trial.acknowledged)
        );
        with_wrongs(line, &trial.wrongs)
    }

    /// A drill that is over, in one line, and what it broke.
    fn tell(drill: &Drill) -> String {
        let mark = mark(&drill.wrongs);
        let (title, acknowledged) = (drill.fault.title(), grouped(drill.acknowledged));
        let (again, back) = (grouped(drill.again.values().sum()), seconds(drill.back));
        let lasted = seconds(Some(drill.lasted));
        let line = format!(
            "  {mark} {title:<33} {lasted:>7}  {acknowledged:>6} acknowledged  {again:>6} asked again  back after {back}"
        );
        with_wrongs(line, &drill.wrongs)
    }
}
