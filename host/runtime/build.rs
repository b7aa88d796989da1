//! Builds the plugin in `guest/` into a component, so that `hongbao` is one self-contained binary.

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
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for input in ["guest/src", "guest/Cargo.toml", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", root.join(input).display());
    }
    let module = std::fs::read(build_module(&root, &out)?)?;
    let component = ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    std::fs::write(out.join("hongbao.wasm"), component)?;
    Ok(())
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
