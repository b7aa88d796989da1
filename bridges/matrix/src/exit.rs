//! How a command ends.

use std::process::ExitCode;

/// How the process ends. The numbers are those of `sysexits.h`, and of the command `hongbao`; `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Usage = 64,
    NoInput = 66,
    Unavailable = 69,
    Internal = 70,
    CannotCreate = 73,
    Io = 74,
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not do its work.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{why}")]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) exit: Exit,
    pub(crate) why: String,
}

impl Failure {
    /// A setting that cannot be used, by the name that it was given under.
    pub(crate) fn setting(name: &str, why: impl std::fmt::Display) -> Self {
        Self { code: "usage", exit: Exit::Usage, why: format!("{name}: {why}") }
    }

    pub(crate) fn file(file: &str, error: &std::io::Error) -> Self {
        Self { code: "not-found", exit: Exit::NoInput, why: format!("{file} cannot be read: {error}") }
    }

    /// What somebody has to mend.
    pub(crate) fn config(why: String) -> Self {
        Self { code: "configuration", exit: Exit::Config, why }
    }

    pub(crate) fn listen(address: std::net::SocketAddr, error: &std::io::Error) -> Self {
        Self {
            code: "cannot-listen",
            exit: Exit::CannotCreate,
            why: format!("{address} cannot be listened on: {error}"),
        }
    }

    pub(crate) fn internal(why: String) -> Self {
        Self { code: "internal", exit: Exit::Internal, why }
    }
}

impl From<std::io::Error> for Failure {
    /// A reader that has seen enough and went away is no failure.
    fn from(error: std::io::Error) -> Self {
        let exit = if error.kind() == std::io::ErrorKind::BrokenPipe { Exit::Ok } else { Exit::Io };
        Self { code: "input-output", exit, why: error.to_string() }
    }
}
