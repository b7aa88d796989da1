//! The command line: `serve`, `key`, `config`, `demo`, `play`, `simulate`, `audit`, `reconcile`,
//! `settle`, `events`, `migrate`, `plugin`.
//!
//! What a command has to say goes to standard output; why it could not goes to standard error,
//! as one sentence with a code.

#![warn(missing_docs)]

mod args;
mod audit;
mod chart;
mod config;
mod demo;
mod events;
mod exit;
mod key;
mod known;
mod lines;
mod lock;
mod log;
mod migrate;
mod open;
mod play;
mod plugin;
mod reconcile;
mod serve;
mod serve_table;
mod setting;
mod settle;
mod simulate;
mod stores;
mod table;
mod terminal;
mod time;
mod view;
mod webhook;

use std::ffi::OsString;
use std::io::{Write as _, stderr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};

use args::{Cli, Command};
use exit::{Exit, Failure};
use setting::Setting;

use hongbao_runtime::compile_for_parent;

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
                complain(&format!("hongbao: {}: {}", failure.code, one_line(&error.to_string())));
            }
            failure.exit.into()
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    if let Command::CompilePlugin(args) = &cli.command {
        // Without a runtime: its threads would count as the compiler's memory.
        compile_for_parent(Duration::from_secs(args.seconds), args.memory_bytes)?;
        return Ok(Exit::Ok);
    }
    let runtime = runtime()?;
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
        Command::Events(args) => runtime.block_on(events::run(&args)),
        Command::Migrate(args) => runtime.block_on(migrate::run(&args)),
        Command::Plugin(args) => runtime.block_on(plugin::run(&args)),
        Command::Webhook(args) => runtime.block_on(webhook::run(args)),
        Command::CompilePlugin(_) => Ok(Exit::Usage),
    }
}

/// As many threads as tokio takes by itself, or as its own variable says: tokio would panic where that is no
/// number.
fn runtime() -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = Setting::in_the_environment("TOKIO_WORKER_THREADS")? {
        let count = threads.value.parse().ok().filter(|count| (1..=4096).contains(count));
        let count =
            count.ok_or_else(|| threads.unusable("usage", "it is no number of threads from 1 to 4096"))?;
        builder.worker_threads(count);
    }
    Ok(builder.enable_all().build()?)
}

/// A message in one line, whatever a library or a file has put into it: control characters, and those
/// that change the direction of a text, are escaped.
fn one_line(message: &str) -> String {
    let is_odd = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut line = String::with_capacity(message.len());
    for character in message.trim_end().chars() {
        match is_odd(character) {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

/// A sentence on standard error, where somebody listens.
fn complain(sentence: &str) {
    // The exit code says it too, and there is nobody left to tell that nobody hears.
    let lines: Vec<_> = sentence.lines().map(terminal::line).collect();
    let _ = writeln!(stderr(), "{}", lines.join("\n"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        let odd = "a\r\nb\u{1b}[2Jc\u{202e}d\u{85}红包 🧧\n";
        assert_eq!(one_line(odd), "a\\r\\nb\\u{1b}[2Jc\\u{202e}d\\u{85}红包 🧧");
    }
}
