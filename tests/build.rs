//! Makes the components that tests throw at a host: the guests in `guests/examples`, which are the real
//! plugin but for one misdeed, and some that Rust cannot express, from the contract itself. And the
//! core module that such a component is made of.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() -> Result<()> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("..");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for input in
        ["tests/build.rs", "tests/guests", "guest/src", "guest/Cargo.toml", "wit", "Cargo.toml", "Cargo.lock"]
    {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    dummies(&root.join("wit"), &out)?;
    guests(&root, &out)
}

/// Components that fit the contract and do the same in every export.
fn dummies(wit: &Path, out: &Path) -> Result<()> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
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
        std::fs::write(out.join(name).with_extension("wasm"), component(&module)?)?;
    }
    Ok(std::fs::write(out.join("module.wasm"), described(&text, &resolve, world)?)?)
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

fn component(module: &[u8]) -> Result<Vec<u8>> {
    Ok(ComponentEncoder::default().module(module)?.encode()?)
}

/// Every guest, as a component of its file's name.
fn guests(root: &Path, out: &Path) -> Result<()> {
    let modules = build_modules(root, &out.join("guests"))?;
    let mut arms = String::new();
    for source in std::fs::read_dir(root.join("tests/guests/examples"))? {
        let name = source?.path().file_stem().ok_or("a guest has a name")?.to_owned();
        let file = Path::new(&name).with_extension("wasm");
        let mut module = std::fs::read(modules.join(&file))?;
        if name == "table_hog" {
            module = with_growing_table(&module)?;
        }
        std::fs::write(out.join(&file), component(&module)?)?;
        let name = name.display();
        arms += &format!("{name:?} => include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.wasm\")),\n");
    }
    let table = format!("match name {{ {arms} _ => panic!(\"there is no guest {{name}}\") }}");
    Ok(std::fs::write(out.join("guests.rs"), table)?)
}

/// Where the guest lets its memory grow by a number of pages that is a sign, its table grows instead.
fn with_growing_table(module: &[u8]) -> Result<Vec<u8>> {
    let text = wasmprinter::print_bytes(module)?;
    let (before, after) = text.split_once("i32.const 30583").ok_or("the guest has lost its sign")?;
    let after = after.replacen("memory.grow", "table.grow 0", 1);
    let (head, rest) = before.split_once("(table (;0;) ").ok_or("the guest has a table")?;
    let (bounds, rest) = rest.split_once(" funcref").ok_or("the guest has a table")?;
    let least = bounds.split(' ').next().unwrap_or_default();
    let text = format!("{head}(table (;0;) {least} funcref{rest}ref.null func i32.const 1000000{after}");
    Ok(wat::parse_str(text)?)
}

/// A cargo of its own, in a folder of its own: the outer one holds the lock of `target`.
fn build_modules(root: &Path, target_dir: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo
        .current_dir(root)
        .args([
            "build",
            "--package",
            "hongbao-hostile-guests",
            "--examples",
            "--profile",
            "plugin",
            "--locked",
        ])
        .args(["--target", TARGET, "--target-dir"])
        .arg(target_dir);
    // What is meant for the outer build (lints, coverage, native CPU flags) is not for guests.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"] {
        cargo.env_remove(variable);
    }
    // There are many, and nobody minds if they are slow.
    cargo.env("CARGO_PROFILE_PLUGIN_LTO", "off").env("CARGO_PROFILE_PLUGIN_OPT_LEVEL", "1");
    if !cargo.status()?.success() {
        return Err(format!("the hostile guests could not be built; is the target {TARGET} there?").into());
    }
    Ok(target_dir.join(TARGET).join("plugin/examples"))
}
