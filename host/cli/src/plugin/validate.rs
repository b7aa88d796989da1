//! `hongbao plugin validate`: checks whether a plugin fits this host.

use std::io::{Write as _, stdout};

use serde::Serialize;

use super::inspect::ManifestView;
use super::size;
use crate::args::FileArgs;
use hongbao_domain::{Grants, TenantId};
use hongbao_runtime::{Engine, Host, PluginSource, Plugins, TenantConfig};

#[derive(Serialize)]
struct ValidView {
    fits: bool,
    /// In bytes.
    size: u64,
    sha256: String,
    /// Of a plugin directory.
    manifest: Option<ManifestView>,
}

pub(super) async fn run(args: &FileArgs) -> anyhow::Result<()> {
    let engine = Engine::new()?;
    let plugin = Plugins::new(engine.clone()).load(PluginSource::at(&args.path)).await?;
    // What cannot be instantiated, or does not say what it is, fits nobody.
    let everything = TenantConfig::new(TenantId::default()).grants(Grants::ALL);
    Host::builder().engine(engine).build()?.add(everything, plugin.clone()).await?;
    let sha256 = plugin.digest().to_string();
    match args.json {
        true => {
            let manifest = plugin.manifest().map(ManifestView::from);
            let view = ValidView { fits: true, size: plugin.size(), sha256, manifest };
            writeln!(stdout(), "{}", serde_json::to_string(&view)?)?;
        }
        false => {
            let path = args.path.display();
            writeln!(stdout(), "{path} fits this host: {}, sha256 {sha256}", size(plugin.size()))?;
        }
    }
    Ok(())
}
