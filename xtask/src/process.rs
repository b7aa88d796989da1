//! Running programs, and how a task fails.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a task stopped.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// Something that is needed cannot be had. The sentence says what to do.
    Unavailable(String),
    /// A program ran, told its own reasons and ended with this code.
    Child(u8),
}

impl Failure {
    pub fn usage(sentence: impl Into<String>) -> Self {
        Self::Usage(sentence.into())
    }

    pub fn unavailable(sentence: impl Into<String>) -> Self {
        Self::Unavailable(sentence.into())
    }

    pub fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Unavailable(_) => 69,
            Self::Child(code) => *code,
        }
    }

    /// The sentence for the person; none where a child has told its own.
    pub fn sentence(&self) -> Option<&str> {
        match self {
            Self::Usage(sentence) | Self::Unavailable(sentence) => Some(sentence),
            Self::Child(_) => None,
        }
    }
}

/// The workspace's root. Every program runs there, so that its `rust-toolchain.toml` counts.
pub fn root() -> PathBuf {
    let xtask =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), Path::to_path_buf)
}

/// The cargo that runs this task, so that both use one toolchain. What cargo told this program about
/// the package `xtask` stays here: some crates are built anew whenever that changes, so a plain
/// `cargo build` and a task would compile them for each other again and again.
pub fn cargo() -> Command {
    let mut command = program(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| OURS.iter().any(|ours| name.starts_with(ours))) {
            command.env_remove(name);
        }
    }
    command
}

/// Variables in which cargo describes a package to what it runs.
const OURS: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

/// A program that is to run in the workspace's root.
pub fn program(name: impl Into<OsString>) -> Command {
    let mut command = Command::new(name.into());
    command.current_dir(root());
    command
}

/// Runs to the end; the program shares our input and output.
pub fn run(mut command: Command) -> Result<(), Failure> {
    let status = command.status().map_err(|error| {
        let name = command.get_program().to_string_lossy().into_owned();
        Failure::unavailable(format!("`{name}` cannot be started ({error}); install it and put it on PATH"))
    })?;
    if status.success() {
        return Ok(());
    }
    // A program that a signal ended has no code of its own.
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure::Child(code))
}

/// What a program prints; none where it does not exist or fails.
pub fn output(mut command: Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_toolchain_file() {
        assert!(root().join("rust-toolchain.toml").is_file());
    }

    #[test]
    fn cargo_is_not_told_which_package_asks() {
        let command = cargo();
        let removed = |name| command.get_envs().any(|(key, value)| key == name && value.is_none());
        assert!(removed("CARGO_MANIFEST_DIR") && removed("CARGO_PKG_NAME"));
        assert!(!removed("CARGO_HOME"));
    }

    #[test]
    fn a_childs_exit_code_is_passed_on() {
        let mut command = cargo();
        command.arg("no-such-subcommand").stderr(Stdio::null());
        assert_eq!(run(command).unwrap_err().code(), 101);
    }

    #[test]
    fn a_program_that_is_not_there_is_unavailable() {
        assert_eq!(run(program("hongbao-no-such-program")).unwrap_err().code(), 69);
        assert_eq!(output(program("hongbao-no-such-program")), None);
    }
}
