//! `hongbao plugin`: what a plugin file is, whether it fits, how one is made, and how it behaves.

mod inspect;
mod pack;
mod run;
mod validate;

pub(super) use pack::PackError;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::Exit;
use run::RunArgs;

#[derive(Debug, Args)]
pub(super) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    /// Show what a file imports and exports, and whether it fits this host
    #[command(after_help = "Examples:
  hongbao plugin inspect plugin.wasm
  hongbao plugin inspect ./plugins/hongbao --json | jq .needs

Ends with 0 for everything that can be read as WebAssembly; `hongbao plugin validate` is the judge.")]
    Inspect(FileArgs),

    /// Judge whether a file is a plugin for this host
    #[command(after_help = "Examples:
  hongbao plugin validate plugin.wasm
  hongbao plugin validate ./plugins/hongbao --json")]
    Validate(FileArgs),

    /// Make a component of a core module that was built with wit-bindgen
    #[command(after_help = "Examples:
  cargo build --release --target wasm32-unknown-unknown
  hongbao plugin pack target/wasm32-unknown-unknown/release/my_plugin.wasm -o plugin.wasm
  hongbao plugin pack target/wasm32-unknown-unknown/release/my_plugin.wasm -o my_plugin/

A name that ends with a slash, or is a directory, becomes a plugin directory: plugin.wasm, and a
plugin.toml with what the plugin says of itself.")]
    Pack(PackArgs),

    /// Try a plugin in a little chat, in memory, with play money
    #[command(after_help = "Examples:
  hongbao plugin run ./plugins/hongbao
  hongbao plugin run plugin.wasm --script eve.txt --seed 8
  echo 'alice: /hongbao help' | hongbao plugin run plugin.wasm

What may happen, one a line:
  alice: /hongbao to @bob 8.88 Cheers    a message, which may mention people
  卡罗@zh: /红包 帮助                    by somebody who reads another language than English
  bob: press grab                        a button of the latest card that bob sees and that has it
  bob: press open 2                      a button, on the packet of card 2
  +25h                                   time passes; packets expire
  again                                  the last message or press once more, as after a lost answer
  lose-cache                             the cache forgets everything
  # and whatever else                    nothing

The plugin is granted what it asks for. Ends with 65 where a line could not be followed, and with 70
where the plugin failed.")]
    Run(RunArgs),
}

#[derive(Debug, Args)]
struct FileArgs {
    /// A component, or a directory with a plugin.toml
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct PackArgs {
    /// The core module
    #[arg(value_name = "MODULE")]
    module: PathBuf,

    /// Where the component goes
    #[arg(short, long, value_name = "FILE|DIR/")]
    output: PathBuf,

    /// Write over files that are there already
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(args: &PluginArgs) -> anyhow::Result<Exit> {
    match &args.command {
        PluginCommand::Inspect(args) => inspect::run(args)?,
        PluginCommand::Validate(args) => validate::run(args).await?,
        PluginCommand::Pack(args) => pack::run(args).await?,
        PluginCommand::Run(args) => return run::run(args).await,
    }
    Ok(Exit::Ok)
}

/// A number of bytes as people write it.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        _ => format!("{:.1} KiB", bytes as f64 / 1024.0),
    }
}
