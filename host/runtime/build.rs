//! Provides the plugin that is embedded, so that `hongbao` is one self-contained binary: in the repository it is
//! built from `guest/`; the published crate brings it along as a component, and needs no target for WebAssembly.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, ensure};
use wit_component::ComponentEncoder;

const TARGET: &str = "wasm32-unknown-unknown";

fn main() -> ExitCode {
    match embed_plugin() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Cargo shows this as its own error, without a trace of this program.
            println!("cargo::error={error:#}");
            ExitCode::FAILURE
        }
    }
}

fn embed_plugin() -> Result<()> {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let root = package.join("../..");
    // The folder's name as well: beside a vendored crate somebody else may have a `guest/`.
    let in_repository = package.ends_with("host/runtime") && root.join("guest/Cargo.toml").is_file();
    let component = if in_repository { build(&root, &out)? } else { packaged(&package)? };
    std::fs::write(out.join("hongbao.wasm"), component)?;
    Ok(())
}

/// The component that `cargo xtask package` put into the published crate.
fn packaged(package: &Path) -> Result<Vec<u8>> {
    let file = package.join("plugin/hongbao.wasm");
    println!("cargo::rerun-if-changed={}", file.display());
    std::fs::read(&file)
        .with_context(|| format!("{} is missing; package with `cargo xtask package`", file.display()))
}

fn build(root: &Path, out: &Path) -> Result<Vec<u8>> {
    for input in ["guest/src", "guest/Cargo.toml", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    let module = std::fs::read(build_module(root, out)?)?;
    ComponentEncoder::default().validate(true).module(&module)?.encode()
}

/// A cargo of its own, in a folder of its own: the outer one holds the lock of `target`.
fn build_module(root: &Path, out: &Path) -> Result<PathBuf> {
    let target_dir = out.join("plugin");
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo
        .current_dir(root)
        .args(["build", "--package", "hongbao-guest", "--lib", "--profile", "plugin", "--locked"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&target_dir);
    // What is meant for the host's own build (lints, coverage, native CPU flags) is not for the plugin's.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"] {
        cargo.env_remove(variable);
    }
    let status = cargo.status().context("cargo could not be started")?;
    ensure!(
        status.success(),
        "the plugin could not be built; if its target is missing, run `rustup target add {TARGET}` \
         or `cargo xtask setup`"
    );
    Ok(target_dir.join(TARGET).join("plugin").join("hongbao_guest.wasm"))
}
