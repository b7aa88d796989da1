//! The command `hongbao-matrix`: `registration` and `run`.
//!
//! An application service of a Matrix homeserver, which brings red packets into rooms over Hongbao's public HTTP API. It has
//! no database: packets, shares and money are Hongbao's, cards are messages of the homeserver.

#![warn(missing_docs)]

mod args;
mod bridge;
mod card;
mod command;
mod commands;
mod config;
mod event;
mod exit;
mod fault;
mod hongbao;
mod json;
mod live;
mod log;
mod matrix;
mod members;
mod newcomers;
mod power;
mod recent;
mod registration;
mod rooms;
mod serve;
mod start;
mod stream;
mod taps;
#[cfg(test)]
mod tests;
mod transaction;
mod web;
mod words;

use std::ffi::OsString;
use std::io::{Write as _, stderr, stdout};
use std::process::ExitCode;

use clap::Parser as _;
use tokio::runtime::Builder;

use args::{Cli, Command};
use config::Config;
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
    log::to_stderr(cli.verbose);
    match dispatch(cli.command) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            if failure.exit != Exit::Ok {
                let _ = writeln!(stderr(), "hongbao-matrix: {}: {}", failure.code, one_line(&failure.why));
            }
            failure.exit.into()
        }
    }
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Registration(args) => {
            let new = registration::New {
                url: &args.url,
                server_name: &args.server_name,
                id: &args.id,
                localpart: &args.localpart,
            };
            stdout().write_all(registration::make(&new)?.as_bytes())?;
            Ok(())
        }
        Command::Run(args) => {
            let config = Config::read(args)?;
            Builder::new_multi_thread().enable_all().build()?.block_on(start::run(config))
        }
    }
}

/// A message in one line, whatever a library or a file has put into it: control characters, and those that change the
/// direction of a text, are escaped.
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
