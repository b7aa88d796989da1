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
mod terminal;
mod time;
mod view;

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _, stderr};
use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::Runtime;
use tracing_subscriber::EnvFilter;

use args::{Cli, Command, LogForm};
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
    log_to_stderr(&cli);
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
    let lines: Vec<_> = sentence.lines().map(terminal::line).collect();
    let _ = writeln!(stderr(), "{}", lines.join("\n"));
}

fn log_to_stderr(cli: &Cli) {
    let by_default = match (&cli.command, cli.verbose) {
        (Command::Serve(_), 0) => "info",
        (Command::Serve(_), _) => "debug",
        (_, 0) => "warn",
        (_, 1) => "info",
        (_, _) => "debug",
    };
    let form =
        if let Command::Serve(args) = &cli.command { args.log.unwrap_or_default() } else { LogForm::Text };
    let filter = EnvFilter::try_from_env("HONGBAO_LOG").unwrap_or_else(|_| EnvFilter::new(by_default));
    // https://no-color.org
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_colourful = stderr().is_terminal() && !is_plain;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(is_colourful);
    // A program that embeds this may have its own log already, which is then used.
    let _ = match form {
        LogForm::Text => log.try_init(),
        LogForm::Json => log.json().flatten_event(true).try_init(),
    };
}
