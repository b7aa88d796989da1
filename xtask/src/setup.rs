//! The check of the build's prerequisites. What rustup installs for the toolchain that
//! `rust-toolchain.toml` names is added without a question; `install` asks for the rest.

use std::env;
use std::path::Path;

use crate::process::{self, Failure};

/// The plugin is built for this target, without any system interface.
const TARGET: &str = "wasm32-unknown-unknown";

/// Checks what the build needs. Installs the plugin's target where it is missing.
pub fn run() -> Result<(), Failure> {
    let cargo = cargo_version()?;
    let compiler = c_compiler()?;
    say(&format!("{cargo} and the C compiler `{compiler}` are there."));
    target()
}

/// Checks the two tools that only `check` needs. Installs what is missing.
pub fn components() -> Result<(), Failure> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if has_tool(tool) {
            continue;
        }
        rustup(&["component", "add", component]).ok_or_else(|| {
            Failure::unavailable(format!(
                "`cargo {tool}` is missing and could not be added; run `rustup component add {component}`"
            ))
        })?;
        say(&format!("Added {component}."));
    }
    Ok(())
}

fn say(line: &str) {
    // Standard output belongs to the task that follows.
    eprintln!("setup: {line}");
}

fn cargo_version() -> Result<String, Failure> {
    let mut command = process::cargo();
    command.arg("--version");
    process::output(command).ok_or_else(|| {
        Failure::unavailable("cargo does not run; install Rust with rustup and put cargo on PATH")
    })
}

/// SQLite is compiled from its C source. The build finds MSVC's compiler by itself, so there is
/// nothing to look for on PATH.
fn c_compiler() -> Result<String, Failure> {
    if cfg!(target_env = "msvc") {
        return Ok("cl".into());
    }
    let chosen = env::var("CC").ok().and_then(|line| line.split_whitespace().next().map(str::to_owned));
    let candidates =
        chosen.map_or_else(|| ["cc", "gcc", "clang"].map(str::to_owned).to_vec(), |one| vec![one]);
    candidates.into_iter().find(|name| runs(name)).ok_or_else(|| {
        Failure::unavailable(
            "no C compiler runs, and SQLite needs one; install gcc or clang, or name one in CC",
        )
    })
}

fn runs(name: &str) -> bool {
    let mut command = process::program(name);
    command.arg("--version");
    process::output(command).is_some()
}

fn has_tool(name: &str) -> bool {
    let mut command = process::cargo();
    command.args([name, "--version"]);
    process::output(command).is_some()
}

fn target() -> Result<(), Failure> {
    if has_target() {
        say(&format!("The target {TARGET} is there."));
        return Ok(());
    }
    say(&format!("The target {TARGET} is missing; asking rustup for it."));
    if rustup(&["target", "add", TARGET]).is_some() && has_target() {
        say(&format!("Added the target {TARGET}."));
        return Ok(());
    }
    Err(Failure::unavailable(format!(
        "the target {TARGET} is missing and could not be added; install Rust with rustup, \
         or add the standard library for {TARGET} to your Rust"
    )))
}

/// Asks the compiler that will build the plugin, rather than rustup: a Rust that did not come
/// from rustup may have the target too, and one that shadows rustup's may lack it.
fn has_target() -> bool {
    let mut command = process::program(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(["--print", "target-libdir", "--target", TARGET]);
    process::output(command).is_some_and(|directory| Path::new(&directory).is_dir())
}

/// Runs rustup, which shows its own progress; none where it is missing or fails.
fn rustup(arguments: &[&str]) -> Option<()> {
    let mut command = process::program("rustup");
    command.args(arguments);
    process::run(command).ok()
}
