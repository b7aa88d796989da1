//! Makes components that are not the real plugin from the contract itself: each fits it, and each
//! misbehaves in one way, in every export. And the core module that such a component is made of.

use std::env;
use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let wit = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../wit");
    println!("cargo::rerun-if-changed={}", wit.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(&wit)?;
    let world = resolve.select_world(&[package], Some("plugin"))?;
    let dummy = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    let text = wasmprinter::print_bytes(dummy)?;
    let now_ms = import(&text, "now-ms").ok_or("the contract has a clock")?;
    let deeds = [
        ("trap", "unreachable".to_owned()),
        ("spin", "loop br 0 end unreachable".to_owned()),
        ("nag", format!("loop call {now_ms} drop br 0 end unreachable")),
    ];
    for (name, body) in deeds {
        let module = described(&text.replace("unreachable", &body), &resolve, world)?;
        write(name, &ComponentEncoder::default().module(&module)?.encode()?)?;
    }
    write("module", &described(&text, &resolve, world)?)
}

/// The index of an imported function. Functions are numbered in the order of their imports.
fn import(text: &str, name: &str) -> Option<usize> {
    let quoted = format!("\"{name}\"");
    let mut imports = text.lines().filter(|line| line.trim_start().starts_with("(import "));
    imports.position(|line| line.contains(&quoted))
}

/// A core module with the description of its interfaces in it, as wit-bindgen leaves one.
fn described(text: &str, resolve: &Resolve, world: WorldId) -> Result<Vec<u8>> {
    let mut module = wat::parse_str(text)?;
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)?;
    Ok(module)
}

fn write(name: &str, bytes: &[u8]) -> Result<()> {
    let file = PathBuf::from(env::var("OUT_DIR")?).join(name).with_extension("wasm");
    Ok(std::fs::write(file, bytes)?)
}
