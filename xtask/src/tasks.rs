//! What each task does.

use std::ffi::OsString;

use crate::clients;
use crate::process::{self, Failure};
use crate::setup;
use crate::usage::{self, Task};

/// It is a workspace of its own, as any author's plugin.
const EXAMPLE: &str = "examples/write_a_plugin/Cargo.toml";

/// Runs a task to its end or its first failure.
pub fn run(task: Task) -> Result<(), Failure> {
    match task {
        Task::Help => {
            print!("{}", usage::TEXT);
            Ok(())
        }
        Task::Setup => setup::run()
            .and_then(|()| setup::servers())
            .and_then(|()| setup::axe())
            .and_then(|()| clients::clients()),
        Task::Serve(arguments) => serve(&arguments),
        Task::Demo(arguments) => demo(&arguments),
        Task::Test(arguments) => test(&arguments),
        Task::Bench(name, arguments) => bench(&name, arguments),
        Task::Chaos(arguments) => chaos(&arguments),
        Task::Check => check(),
    }
}

fn serve(arguments: &[OsString]) -> Result<(), Failure> {
    setup::run()?;
    // Without --package, as in `demo`.
    cargo("run --bin hongbao -- serve --demo --open", arguments)
}

fn demo(arguments: &[OsString]) -> Result<(), Failure> {
    setup::run()?;
    // Without --package: a choice of one package has other features than the tests have, and with
    // them `cargo xtask test` would compile wasmtime a second time.
    cargo("run --bin hongbao -- demo", arguments)
}

/// Without a choice of targets `cargo test` runs the tests of libraries, binaries, `tests/` and
/// documents; with `--all-targets` it would run the benchmarks and leave the documents out.
fn test(arguments: &[OsString]) -> Result<(), Failure> {
    setup::run()?;
    setup::servers()?;
    setup::axe()?;
    clients::clients()?;
    cargo("test --workspace", arguments)
}

fn bench(name: &OsString, arguments: Vec<OsString>) -> Result<(), Failure> {
    setup::run()?;
    setup::servers()?;
    cargo("bench --package hongbao-tests --bench", &[vec![name.clone(), "--".into()], arguments].concat())
}

/// Without --package, as in `demo`.
fn chaos(arguments: &[OsString]) -> Result<(), Failure> {
    setup::run()?;
    setup::servers()?;
    cargo("run --quiet --bin hongbao-chaos --", arguments)
}

fn check() -> Result<(), Failure> {
    header("setup");
    setup::run()?;
    setup::components()?;

    header("format");
    cargo("fmt --all --check", &[])?;
    cargo(&format!("fmt --manifest-path {EXAMPLE} --check"), &[])?;

    header("lints");
    cargo("clippy --workspace --all-targets -- --deny warnings", &[])?;
    let lints = "--locked --target wasm32-unknown-unknown --target-dir target/example -- --deny warnings";
    cargo(&format!("clippy --manifest-path {EXAMPLE} {lints}"), &[])?;

    header("documents");
    let mut documents = process::cargo();
    documents.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings");
    process::run(documents)
}

fn header(step: &str) {
    println!("== {step} ==");
}

fn cargo(line: &str, more: &[OsString]) -> Result<(), Failure> {
    let mut command = process::cargo();
    command.args(line.split_whitespace()).args(more);
    process::run(command)
}
