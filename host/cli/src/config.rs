//! `hongbao config check`: checks a configuration file as `serve` reads it.

use std::io::{Write as _, stdout};
use std::path::Path;

use super::args::{ConfigArgs, ConfigCommand, StoreArgs};
use super::exit::Exit;
use super::stores::{Books, Stores};
use super::terminal;
use hongbao_domain::Grants;
use hongbao_runtime::{Compiler, Host};

pub(super) async fn run(args: &ConfigArgs) -> anyhow::Result<Exit> {
    let ConfigCommand::Check { file, connect } = &args.command;
    check(file, *connect).await
}

async fn check(file: &Path, connect: bool) -> anyhow::Result<Exit> {
    let args = StoreArgs { config: Some(file.to_owned()), ..StoreArgs::default() };
    let stores = Stores::named(&args)?;
    stores.validate_serve()?;
    let mut out = stdout();
    let books = match &stores.books {
        Books::Memory => "not named".to_owned(),
        Books::Directory(directory) => format!("SQLite in {}", directory.display()),
        Books::Server(_) => "PostgreSQL".to_owned(),
    };
    writeln!(out, "ledger    {books}")?;
    writeln!(out, "counter   {}", if stores.counter.is_some() { "Redis" } else { "in memory" })?;
    // Each tenant on a host without books: the plugin compiles, says what it is, and is granted what
    // it asks for.
    let compiler = Compiler::in_this_process(stores.serve.compile_limits());
    let host = Host::builder().compiler(compiler).build()?;
    for tenant in host.add_all(&stores.tenants).await? {
        let (manifest, policy) = (tenant.manifest(), tenant.policy());
        let grants = tenant.grants();
        let grants = if grants == Grants::ALL { "all".to_owned() } else { grants.to_string() };
        let id = terminal::line(tenant.id().as_str());
        let (name, version) = (&manifest.name, &manifest.version);
        let origin = if tenant.plugin().is_embedded() { ", embedded" } else { "" };
        writeln!(out, "tenant    {id}: {name} {version}{origin}, {}, grants: {grants}", policy.currency)?;
    }
    if connect {
        stores.counter().await?.check().await?;
        stores.existing_ledger().await?.check().await?;
        writeln!(out, "stores    answer")?;
    }
    writeln!(out, "{} is right.", file.display())?;
    Ok(Exit::Ok)
}
