//! Every task that a person runs on this repository. `cargo xtask help` lists them.
//!
//! Exit codes: that of the program that failed; 64 for a wrong usage; 69 where something that
//! is needed cannot be had.

mod install;
mod process;
mod setup;
mod tasks;
mod tier;
mod tools;
mod usage;

use std::env;
use std::process::ExitCode;

use install::Consent;
use process::Failure;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    match usage::parse(&arguments).and_then(|(task, yes)| tasks::run(task, Consent::new(yes))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    if let Some(sentence) = failure.sentence() {
        eprintln!("xtask: {sentence}.");
    }
    if let Failure::Usage(_) = failure {
        eprint!("\n{}", usage::TEXT);
    }
    ExitCode::from(failure.code())
}
