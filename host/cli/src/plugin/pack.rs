//! `hongbao plugin pack`: makes a component or a plugin directory from a core module.

use std::fs::{self, Permissions};
use std::io::{self, Write as _, stdout};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use wit_component::{ComponentEncoder, metadata};

use super::size;
use crate::args::PackArgs;
use crate::exit::PackError;
use crate::{open, terminal};
use hongbao_domain::Manifest;
use hongbao_runtime::{Digest, Engine, Form, Plugin, PluginError, PluginSource};

pub(super) async fn run(args: &PackArgs) -> anyhow::Result<()> {
    let module = PluginSource::File(args.module.clone()).read()?.bytes;
    let engine = Engine::new()?;
    let component = component(&engine, &module)?;
    if args.output.as_os_str().as_encoded_bytes().ends_with(b"/") || args.output.is_dir() {
        return directory(args, &engine, &component).await;
    }
    write(&args.output, &component, args.force)?;
    let (output, size) = (args.output.display(), size(component.len() as u64));
    writeln!(stdout(), "{output} is a component: {size}, sha256 {}", Digest::of(&component))?;
    // It may be meant for another host, so this is worth a word and no failure.
    if let Err(why) = Plugin::from_bytes(&engine, &component) {
        writeln!(stdout(), "{}", terminal::line(&format!("It does not fit this host: {why}.")))?;
    }
    Ok(())
}

/// A component and its `plugin.toml`, which says what the plugin says of itself. So it must run here.
async fn directory(args: &PackArgs, engine: &Engine, component: &[u8]) -> anyhow::Result<()> {
    let plugin = Plugin::from_bytes(engine, component)?;
    let manifest = open::in_memory(plugin, None).await?.tenant.manifest();
    let (output, digest) = (&args.output, Digest::of(component));
    let unwritable = |source| PackError::Unwritable { file: output.display().to_string(), source };
    fs::create_dir_all(output).map_err(unwritable)?;
    let (file, toml) = (output.join("plugin.wasm"), output.join("plugin.toml"));
    // Both before either, so that what is there already is not left half replaced.
    if let Some(there) = [&file, &toml].into_iter().find(|file| !args.force && file.exists()) {
        return Err(PackError::Exists(there.display().to_string()).into());
    }
    write(&file, component, args.force)?;
    write(&toml, plugin_toml(&manifest, digest).as_bytes(), args.force)?;
    let Manifest { name, version, asks, .. } = &*manifest;
    let (output, size) = (output.display(), size(component.len() as u64));
    writeln!(stdout(), "{output} is the plugin {name} {version}: {size}, sha256 {digest}, asks for {asks}")?;
    Ok(())
}

/// Names and versions have no characters that TOML would have to escape.
fn plugin_toml(Manifest { name, version, .. }: &Manifest, digest: Digest) -> String {
    format!("id = \"{name}\"\nversion = \"{version}\"\nsha256 = \"{digest}\"\n")
}

fn component(engine: &Engine, module: &[u8]) -> anyhow::Result<Vec<u8>> {
    match Form::of(module) {
        Ok(Form::CoreModule) => {}
        Ok(Form::Component) => return Err(PackError::Component.into()),
        Err(PluginError::NotWebAssembly) => return Err(PackError::NotWebAssembly.into()),
        Err(error) => return Err(error.into()),
    }
    // Before the encoder, which would only say that it does not know them.
    let imports = Plugin::inspect(engine, module)?.imports;
    if let Some(foreign) = imports.into_iter().find(|name| !name.starts_with("hongbao:plugin/")) {
        return Err(PluginError::ForeignImport(foreign).into());
    }
    let unfit = |error: anyhow::Error| PackError::Unfit(words(&error));
    let (described, _) = metadata::decode(module).map_err(unfit)?;
    described.ok_or(PackError::NoMetadata)?;
    let encoder = ComponentEncoder::default();
    let component = encoder.validate(true).module(module).and_then(|mut encoder| encoder.encode());
    Ok(component.map_err(unfit)?)
}

fn words(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Under another name first, so that nobody finds half of a file at this one.
fn write(output: &Path, bytes: &[u8], force: bool) -> Result<(), PackError> {
    let file = || output.display().to_string();
    let unwritable = |source| PackError::Unwritable { file: file(), source };
    let directory = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // As any other program makes a file, where the user's mask has the last word.
    let permissions = Permissions::from_mode(0o666);
    let temporary = tempfile::Builder::new().permissions(permissions).tempfile_in(directory);
    let mut temporary = temporary.map_err(unwritable)?;
    temporary.write_all(bytes).and_then(|()| temporary.as_file().sync_all()).map_err(unwritable)?;
    let kept = match force {
        true => temporary.persist(output),
        false => temporary.persist_noclobber(output),
    };
    match kept {
        Ok(_) => Ok(()),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Err(PackError::Exists(file())),
        Err(failed) => Err(unwritable(failed.error)),
    }
}
