//! Arguments of `hongbao plugin`.

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

Exit code 0 for every readable WebAssembly file; use `hongbao plugin validate` to check whether it fits.")]
    Inspect(FileArgs),

    /// Check whether a file is a plugin that this host can load
    #[command(after_help = "Examples:
  hongbao plugin validate plugin.wasm
  hongbao plugin validate ./plugins/hongbao --json")]
    Validate(FileArgs),

    /// Make a component from a core module that was built with wit-bindgen
    #[command(after_help = "Examples:
  cargo build --release --target wasm32-unknown-unknown
  hongbao plugin pack target/wasm32-unknown-unknown/release/my_plugin.wasm -o plugin.wasm
  hongbao plugin pack target/wasm32-unknown-unknown/release/my_plugin.wasm -o my_plugin/

If the output is a directory or ends with a slash, a plugin directory is made: plugin.wasm, and a
plugin.toml with the name and version from the plugin's manifest.")]
    Pack(PackArgs),

    /// Try a plugin in a chat in memory, with play money
    #[command(after_help = "Examples:
  hongbao plugin run ./plugins/hongbao
  hongbao plugin run plugin.wasm --script eve.txt --seed 8
  echo 'alice: /hongbao help' | hongbao plugin run plugin.wasm

Lines of a script:
  alice: /hongbao to @bob 8.88 Cheers    a message, which may mention people
  卡罗@zh: /红包 帮助                    the same, from a user whose language is not English
  bob: press grab                        a button, on the latest card visible to bob that has it
  bob: press open 2                      a button, on the packet of card 2
  +25h                                   time passes; packets expire
  again                                  repeats the last message or press, as after a lost answer
  lose-cache                             the cache loses all data
  # any text                             a comment

The plugin is granted everything that it imports. Exit code 65 if a line of the script is invalid, 70 if
the plugin failed.")]
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

    /// Output file, or directory if the name ends with a slash
    #[arg(short, long, value_name = "FILE|DIR/")]
    pub(crate) output: PathBuf,

    /// Overwrite existing files
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// A component, or a directory with a plugin.toml
    #[arg(value_name = "FILE|DIR")]
    pub(crate) path: PathBuf,

    /// Read the script from this file instead of standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,

    /// Initial balance of every wallet, in minor units
    #[arg(long, value_name = "AMOUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(..=Amount::MAX.get()))]
    pub(crate) fund: u64,

    /// Draw from this seed instead of the system's randomness
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Print one JSON object for each event
    #[arg(long)]
    pub(crate) json: bool,
}
