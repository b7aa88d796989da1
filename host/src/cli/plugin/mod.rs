//! `hongbao plugin`: what a plugin file is, whether it fits, and how one is made.

mod inspect;
mod pack;
mod validate;

pub(super) use pack::PackError;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::exit::Exit;

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
    #[command(after_help = "Example:
  cargo build --release --target wasm32-unknown-unknown
  hongbao plugin pack target/wasm32-unknown-unknown/release/my_plugin.wasm -o plugin.wasm")]
    Pack(PackArgs),
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
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Write over a file that is there already
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(args: &PluginArgs) -> anyhow::Result<Exit> {
    match &args.command {
        PluginCommand::Inspect(args) => inspect::run(args)?,
        PluginCommand::Validate(args) => validate::run(args).await?,
        PluginCommand::Pack(args) => pack::run(args)?,
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
