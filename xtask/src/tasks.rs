//! The execution of tasks.

use std::ffi::OsString;
use std::fs;

use crate::install::{self, Consent};
use crate::process::{self, Failure};
use crate::setup;
use crate::tier::{self, Tier};
use crate::usage::{self, Task};

/// It is a workspace of its own, as any author's plugin.
const EXAMPLE: &str = "examples/write_a_plugin/Cargo.toml";

/// The plugin as a core module, and where the next command finds it.
const MODULE: &str = "build --package hongbao-guest --lib --profile plugin --locked --target wasm32-unknown-unknown \
                      --target-dir target/package-plugin";
const PACK: &str = "run --bin hongbao -- plugin pack \
                    target/package-plugin/wasm32-unknown-unknown/plugin/hongbao_guest.wasm \
                    --output host/runtime/plugin/hongbao.wasm --force";

/// Everything that is not published is left out by name, so that a new crate is not forgotten.
const PACKAGE: &str = "package --allow-dirty --workspace --exclude hongbao-guest --exclude hongbao-tests \
                       --exclude hongbao-hostile-guests --exclude xtask";

/// Runs a task to its end or its first failure.
pub fn run(task: Task, consent: Consent) -> Result<(), Failure> {
    match task {
        Task::Help => {
            print!("{}", usage::TEXT);
            Ok(())
        }
        Task::Setup(tiers) => setup::run().and_then(|()| install::for_tiers(&tiers, consent)),
        // Without --package: a choice of one package has other features than the tests have, and with
        // them `cargo xtask test` would compile wasmtime a second time.
        Task::Serve(arguments) => built("run --bin hongbao -- serve --demo --open", &arguments),
        Task::Demo(arguments) => built("run --bin hongbao -- demo", &arguments),
        Task::Test(tiers, arguments) => test(&tiers, &arguments, consent),
        Task::Bench(name, arguments) => bench(&name, arguments, consent),
        Task::Chaos(arguments) => {
            install::for_tiers(&[Tier::Servers], consent)?;
            built("run --quiet --bin hongbao-chaos --features hongbao-tests/servers --", &arguments)
        }
        Task::Check => check(),
        Task::Package(arguments) => package(&arguments),
    }
}

/// Runs cargo once everything is there that the build needs.
fn built(line: &str, arguments: &[OsString]) -> Result<(), Failure> {
    setup::run()?;
    cargo(line, arguments)
}

fn test(tiers: &[Tier], arguments: &[OsString], consent: Consent) -> Result<(), Failure> {
    setup::run()?;
    install::for_tiers(tiers, consent)?;
    let mut command = process::cargo();
    command.args(tier::arguments(tiers)).args(arguments);
    process::run(command)
}

fn bench(name: &OsString, arguments: Vec<OsString>, consent: Consent) -> Result<(), Failure> {
    if name == "stores" || name == "serve" {
        install::for_tiers(&[Tier::Servers], consent)?;
    }
    if name == "serve" {
        install::packages(install::WRK, consent)?;
    }
    let arguments = [vec![name.clone(), "--".into()], arguments].concat();
    built("bench --package hongbao-tests --features servers --bench", &arguments)
}

fn check() -> Result<(), Failure> {
    header("setup");
    setup::run()?;
    setup::components()?;

    header("format");
    cargo("fmt --all --check", &[])?;
    cargo(&format!("fmt --manifest-path {EXAMPLE} --check"), &[])?;

    header("lints");
    let mut lints = process::cargo();
    lints.args(["clippy", "--workspace", "--all-targets"]).args(tier::every_feature());
    lints.args(["--", "--deny", "warnings"]);
    process::run(lints)?;
    let lints = "--locked --target wasm32-unknown-unknown --target-dir target/example -- --deny warnings";
    cargo(&format!("clippy --manifest-path {EXAMPLE} {lints}"), &[])?;

    header("documents");
    let mut documents = process::cargo();
    documents.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings");
    process::run(documents)
}

/// The packaged runtime brings the plugin along as a component, since whoever compiles it from a registry has no `guest/`.
fn package(arguments: &[OsString]) -> Result<(), Failure> {
    setup::run()?;
    committed(arguments)?;
    let mut module = process::cargo();
    module.args(MODULE.split_whitespace());
    // As in the build script of `hongbao-runtime`: flags that are meant for the host change nothing in the plugin.
    module.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    process::run(module)?;
    let folder = process::root().join("host/runtime/plugin");
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::unavailable(format!("{} cannot be made ({error})", folder.display())))?;
    cargo(PACK, &[])?;
    let given = arguments.iter().filter(|argument| *argument != "--allow-dirty").cloned();
    cargo(PACKAGE, &given.collect::<Vec<_>>())
}

/// Cargo would look by itself, but takes the plugin, which is never committed, for a change. So it is told to allow
/// changes, and this looks for all others.
fn committed(arguments: &[OsString]) -> Result<(), Failure> {
    if arguments.iter().any(|argument| argument == "--allow-dirty") {
        return Ok(());
    }
    let mut status = process::program("git");
    status.args(["status", "--porcelain"]);
    match process::output(status) {
        Some(changes) if changes.is_empty() => Ok(()),
        Some(_) => Err(Failure::unavailable("there are changes; commit them, or say `-- --allow-dirty`")),
        None => {
            Err(Failure::unavailable("git does not run here; say `-- --allow-dirty` to package without it"))
        }
    }
}

fn header(step: &str) {
    println!("== {step} ==");
}

fn cargo(line: &str, more: &[OsString]) -> Result<(), Failure> {
    let mut command = process::cargo();
    command.args(line.split_whitespace()).args(more);
    process::run(command)
}
