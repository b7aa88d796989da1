//! The command line: `serve`, `key`, `config`, `demo`, `play`, `simulate`, `audit`, `reconcile`,
//! `settle`, `migrate`, `plugin`.
//!
//! What a command has to say goes to standard output; why it could not goes to standard error,
//! as one sentence with a code.

mod args;
mod audit;
mod chart;
mod config;
mod demo;
mod exit;
mod key;
mod lines;
mod log;
mod migrate;
mod open;
mod play;
mod plugin;
mod reconcile;
mod serve;
mod settle;
mod simulate;
mod stores;
mod table;
mod time;
mod view;

use std::ffi::OsString;
use std::io::{Write as _, stderr};
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Runtime;

use args::{Cli, Command};
use exit::{Exit, Failure};

/// Runs one command and gives the exit code of the process. The codes are listed by `--help`.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(asked) => {
            let code = if asked.use_stderr() { Exit::Usage } else { Exit::Ok };
            // Nothing is left to be done where even this cannot be printed.
            let _ = asked.print();
            return code.into();
        }
    };
    log::to_stderr(&cli);
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let failure = Failure::of(&error);
            if failure.exit != Exit::Ok {
                complain(&format!("hongbao: {}: {error}", failure.code));
            }
            failure.exit.into()
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let runtime = Runtime::new()?;
    let plugin = cli.plugin.as_deref();
    match cli.command {
        Command::Serve(args) => runtime.block_on(serve::run(&args, plugin)),
        Command::Key(args) => runtime.block_on(key::run(&args)),
        Command::Config(args) => runtime.block_on(config::run(&args)),
        Command::Demo(args) => runtime.block_on(demo::run(&args, plugin)),
        Command::Play(args) => play::run(&args, plugin, &runtime),
        Command::Simulate(args) => runtime.block_on(simulate::run(&args, plugin)),
        Command::Audit(args) => runtime.block_on(audit::run(&args, plugin)),
        Command::Reconcile(args) => runtime.block_on(reconcile::run(&args, plugin)),
        Command::Settle(args) => runtime.block_on(settle::run(&args)),
        Command::Migrate(args) => runtime.block_on(migrate::run(&args)),
        Command::Plugin(args) => runtime.block_on(plugin::run(&args)),
    }
}

/// A sentence on standard error, where somebody listens.
fn complain(sentence: &str) {
    // The exit code says it too, and there is nobody left to tell that nobody hears.
    let _ = writeln!(stderr(), "{sentence}");
}
