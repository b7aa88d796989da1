//! The report on a plugin file, whether or not it fits this host.

use wasmtime::Module;

use super::contract::{self, Names};
use super::error::one_line;
use super::{Digest, Engine, Form, Plugin, PluginError, compile, guarded, places};

/// What can be known of a file without running it.
#[derive(Debug)]
pub struct Inspection {
    /// Component or core module.
    pub form: Form,
    /// The sha256 of the file.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Interfaces, or modules of a core module, in alphabetical order. Free of control characters.
    pub imports: Vec<String>,
    /// Interfaces, or all that a core module exports, in alphabetical order. Free of control characters.
    pub exports: Vec<String>,
    /// Versions of `hongbao:plugin` among them: one, unless something is odd.
    pub contract_versions: Vec<String>,
    /// Interfaces of the host that it imports, and has to be granted.
    pub needs: Vec<String>,
    /// Why it is no plugin for this host.
    pub refusal: Option<PluginError>,
}

impl Plugin {
    /// Looks at a file as far as it can be read.
    ///
    /// # Errors
    /// When it is not WebAssembly that this host could run.
    pub fn inspect(engine: &Engine, bytes: &[u8]) -> Result<Inspection, PluginError> {
        let form = Form::of(bytes)?;
        let (Names { imports, exports }, refusal) = match form {
            Form::Component => {
                let component = compile(engine, bytes)?;
                let names = Names::of(engine, &component);
                let fits = contract::check(&names.imports, &names.exports);
                let linked = fits.and_then(|()| contract::link(engine, &component));
                (names, linked.and_then(|_| places(engine, &component)).err())
            }
            Form::CoreModule => (core_names(engine, bytes)?, Some(PluginError::CoreModule)),
        };
        let versions = imports.iter().chain(&exports).filter_map(|name| contract::version(name));
        Ok(Inspection {
            form,
            digest: Digest::of(bytes),
            size: bytes.len() as u64,
            contract_versions: distinct(versions.map(str::to_owned)),
            needs: contract::asks(&imports).iter().map(|grant| grant.name().to_owned()).collect(),
            imports,
            exports,
            refusal,
        })
    }
}

/// A core module may call what it wants whatever it likes.
fn core_names(engine: &Engine, bytes: &[u8]) -> Result<Names, PluginError> {
    let module = guarded(|| Module::from_binary(&engine.wasmtime, bytes))?;
    let imports = distinct(module.imports().map(|import| one_line(import.module())));
    let exports = distinct(module.exports().map(|export| one_line(export.name())));
    Ok(Names { imports, exports })
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}
