//! Programs that `cargo xtask setup` has installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program of the Python environment.
pub fn python(name: &str) -> Command {
    // A tool finds its like, such as a formatter, where it is itself.
    let mut command = tool("python/bin", name);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{}:{path}", folder().join("python/bin").display()));
    command
}

/// A program of Node's packages.
pub fn node(name: &str) -> Command {
    tool("node/node_modules/.bin", name)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/tools/clients")
}

fn tool(place: &str, name: &str) -> Command {
    let program = folder().join(place).join(name);
    assert!(
        program.exists(),
        "{} is not there; run `cargo xtask setup`, which installs it",
        program.display()
    );
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end; gives what it said on standard output.
#[track_caller]
pub fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out
}
