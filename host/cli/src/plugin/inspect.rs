//! `hongbao plugin inspect`: describes a plugin file as far as it can be read.

use std::io::{Write as _, stdout};

use serde::Serialize;

use super::size;
use crate::args::FileArgs;
use crate::table::Table;
use crate::terminal;
use hongbao_runtime::{Engine, Inspection, Plugin, PluginManifest, PluginSource};

#[derive(Serialize)]
struct InspectionView {
    form: &'static str,
    /// In bytes.
    size: u64,
    sha256: String,
    contract_versions: Vec<String>,
    needs: Vec<String>,
    imports: Vec<String>,
    exports: Vec<String>,
    fits: bool,
    /// Why it does not fit.
    refusal: Option<RefusalView>,
    /// Of a plugin directory.
    manifest: Option<ManifestView>,
}

#[derive(Serialize)]
struct RefusalView {
    code: &'static str,
    message: String,
}

/// What a `plugin.toml` says, beside the digest, which is the file's own.
#[derive(Serialize)]
pub(super) struct ManifestView {
    id: String,
    version: String,
}

impl From<&PluginManifest> for ManifestView {
    fn from(manifest: &PluginManifest) -> Self {
        let PluginManifest { id, version, .. } = manifest.clone();
        Self { id, version }
    }
}

pub(super) fn run(args: &FileArgs) -> anyhow::Result<()> {
    let file = PluginSource::at(&args.path).read()?;
    let inspection = Plugin::inspect(&Engine::new()?, &file.bytes)?;
    match args.json {
        true => {
            let view = InspectionView::new(inspection, file.manifest.as_ref());
            writeln!(stdout(), "{}", serde_json::to_string(&view)?)?;
        }
        false => write!(stdout(), "{}", render(&inspection, file.manifest.as_ref()))?,
    }
    Ok(())
}

impl InspectionView {
    fn new(inspection: Inspection, manifest: Option<&PluginManifest>) -> Self {
        let refusal =
            inspection.refusal.map(|why| RefusalView { code: why.code(), message: why.to_string() });
        Self {
            form: inspection.form.name(),
            size: inspection.size,
            sha256: inspection.digest.to_string(),
            contract_versions: inspection.contract_versions,
            needs: inspection.needs,
            imports: inspection.imports,
            exports: inspection.exports,
            fits: refusal.is_none(),
            refusal,
            manifest: manifest.map(ManifestView::from),
        }
    }
}

fn render(inspection: &Inspection, manifest: Option<&PluginManifest>) -> String {
    let or_none = |text: String| if text.is_empty() { "–".to_owned() } else { text };
    let form = inspection.form.name().replace('-', " ");
    let versions = inspection.contract_versions.iter().map(|version| format!("hongbao:plugin@{version}"));
    let mut rows = vec![
        ("form", format!("{form}, {}", size(inspection.size))),
        ("sha256", inspection.digest.to_string()),
        ("contract", or_none(versions.collect::<Vec<_>>().join(", "))),
        ("needs", or_none(inspection.needs.join(", "))),
    ];
    for (heading, names) in [("imports", &inspection.imports), ("exports", &inspection.exports)] {
        // The heading stands before the first name alone.
        let headings = [heading].into_iter().chain(std::iter::repeat(""));
        rows.extend(headings.zip(names.iter().cloned()));
        if names.is_empty() {
            rows.push((heading, or_none(String::new())));
        }
    }
    if let Some(PluginManifest { id, version, .. }) = manifest {
        rows.insert(0, ("plugin", format!("{id} {version}")));
    }
    let mut table = Table::new(&["", ""]);
    for (heading, text) in rows {
        table.row(vec![heading.to_owned(), text]);
    }
    let body = table.render("  ");
    let rows = body.split_once('\n').map_or(body.as_str(), |(_, rows)| rows);
    let verdict = match &inspection.refusal {
        None => "It fits this host.".to_owned(),
        Some(why) => terminal::line(&format!("It does not fit this host: {why}.")),
    };
    format!("{rows}\n  {verdict}\n")
}
