//! What is said of `hongbao plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use hongbao_domain::Amount;

#[derive(Debug, Args)]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    pub(crate) command: PluginCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
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
pub(crate) struct FileArgs {
    /// A component, or a directory with a plugin.toml
    #[arg(value_name = "FILE|DIR")]
    pub(crate) path: PathBuf,

    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PackArgs {
    /// The core module
    #[arg(value_name = "MODULE")]
    pub(crate) module: PathBuf,

    /// Where the component goes
    #[arg(short, long, value_name = "FILE|DIR/")]
    pub(crate) output: PathBuf,

    /// Write over files that are there already
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// A component, or a directory with a plugin.toml
    #[arg(value_name = "FILE|DIR")]
    pub(crate) path: PathBuf,

    /// Read what happens from this file instead of standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,

    /// What everybody's wallet begins with, in minor units
    #[arg(long, value_name = "AMOUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(..=Amount::MAX.get()))]
    pub(crate) fund: u64,

    /// Draw from this seed instead of the system's randomness
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Print one JSON object for each thing that happens
    #[arg(long)]
    pub(crate) json: bool,
}
