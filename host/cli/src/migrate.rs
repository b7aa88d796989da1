//! `hongbao migrate`: creates or upgrades the schema of a database.

use std::io::{Write as _, stdout};

use super::args::MigrateArgs;
use super::exit::Exit;
use super::stores::Stores;

pub(super) async fn run(args: &MigrateArgs) -> anyhow::Result<Exit> {
    let done = Stores::named(&args.stores)?.migrate().await?;
    writeln!(stdout(), "{done}")?;
    Ok(Exit::Ok)
}
