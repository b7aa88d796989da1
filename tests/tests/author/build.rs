//! The example, built as its author would build it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hongbao_host::runtime::Plugin;
use hongbao_tests::chat::plugin;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// What compilers leave between two runs of this test.
pub fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("author")
}

/// A program as people start it: what cargo tells its tests is nothing to it. Nothing is downloaded,
/// since everything that a plugin needs is what the host was built with.
pub fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_cargos =
            text.starts_with("CARGO_") || text.starts_with("RUSTC") || text.starts_with("RUSTFLAGS");
        if is_cargos && text != "CARGO_HOME" {
            command.env_remove(&name);
        }
    }
    command.env("CARGO_NET_OFFLINE", "true").env("NO_COLOR", "1");
    command
}

/// Where the example's plugin directory is.
pub fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let target = scratch().join("target");
        let mut cargo = program("cargo");
        cargo
            .current_dir(root().join("examples/write_a_plugin"))
            .env("CARGO_BUILD_BUILD_DIR", scratch().join("build"));
        cargo.args(["build", "--release", "--locked", "--target", "wasm32-unknown-unknown", "--target-dir"]);
        assert!(cargo.arg(&target).status().unwrap().success(), "the example is built");
        let (module, out) =
            (target.join("wasm32-unknown-unknown/release/halving.wasm"), scratch().join("halving"));
        let mut pack = Command::new(env!("CARGO_BIN_EXE_hongbao-under-test"));
        pack.args(["plugin", "pack"]).arg(module).arg("--force").arg("-o").arg(out.join(""));
        assert!(pack.status().unwrap().success(), "the example is packed");
        out
    })
}

/// The example, compiled once for all tests.
pub fn halving() -> Plugin {
    static PLUGIN: OnceLock<Plugin> = OnceLock::new();
    let compile = || {
        let bytes = std::fs::read(directory().join("plugin.wasm")).unwrap();
        Plugin::from_bytes(plugin().engine(), &bytes).unwrap()
    };
    PLUGIN.get_or_init(compile).clone()
}
