//! `hongbao plugin`: inspects, validates, packs and runs plugins.

mod inspect;
mod pack;
mod run;
mod validate;

use super::args::{PluginArgs, PluginCommand};
use super::exit::Exit;

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
