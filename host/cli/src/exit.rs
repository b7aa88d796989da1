//! Exit codes, and the mapping from errors to them.

use std::io;
use std::process::ExitCode;

use super::lock::InUse;
use hongbao_runtime::{CallError, CodeCacheError, LoadError, PluginError, TenantError};
use hongbao_server::ServeError;
use hongbao_store::StoreError;
use hongbao_store_postgres as postgres;
use hongbao_store_redis as redis;
use hongbao_store_sqlite as sqlite;

/// How a command ended. The numbers are those of `sysexits.h`; `--help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Ok = 0,
    Disagreement = 1,
    Usage = 64,
    Data = 65,
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

/// What is wrong with what the user gave.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("{file} cannot be read: {source}")]
    File { file: String, source: io::Error },
    #[error("there is no ledger in {0}")]
    NoLedger(String),
    #[error("there is no ledger in {0}: that is a file; name the directory that it is in")]
    NoDirectory(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}; see --help")]
    Usage(&'static str),
    /// A setting that cannot be used, by the name that it was given under.
    #[error("{setting}: {why}")]
    Setting { code: &'static str, setting: String, why: String },
}

/// Why no component was made.
#[derive(Debug, thiserror::Error)]
pub(super) enum PackError {
    #[error("this is a component already; `hongbao plugin validate` says whether it fits")]
    Component,
    #[error("this is no WebAssembly; name what `cargo build --target wasm32-unknown-unknown` made")]
    NotWebAssembly,
    #[error(
        "this module does not say what its interfaces are; build it with wit-bindgen, and keep its custom sections"
    )]
    NoMetadata,
    #[error("no component can be made of this module: {0}; build it again with wit-bindgen")]
    Unfit(String),
    #[error("{0} is there already; --force writes over it")]
    Exists(String),
    #[error("{file} cannot be written: {source}")]
    Unwritable { file: String, source: io::Error },
}

impl PackError {
    const fn code(&self) -> &'static str {
        match self {
            Self::Component | Self::NotWebAssembly => "not-a-module",
            Self::NoMetadata => "no-metadata",
            Self::Unfit(_) => "cannot-pack",
            Self::Exists(_) => "exists",
            Self::Unwritable { .. } => "input-output",
        }
    }

    const fn exit(&self) -> Exit {
        match self {
            Self::Exists(_) => Exit::CannotCreate,
            Self::Unwritable { .. } => Exit::Io,
            _ => Exit::Data,
        }
    }
}

/// The code of an error, and how the process ends with it.
pub(super) struct Failure {
    pub(super) code: &'static str,
    pub(super) exit: Exit,
}

impl Failure {
    pub(super) fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(Self::known).unwrap_or(Self { code: "internal", exit: Exit::Internal })
    }

    fn known(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let input = error.downcast_ref().map(Self::input);
        let plugin = || error.downcast_ref::<PluginError>().map(Self::plugin);
        let tenant = || error.downcast_ref::<TenantError>().map(Self::tenant);
        let pack = || error.downcast_ref::<PackError>();
        let pack = || pack().map(|error| Self { code: error.code(), exit: error.exit() });
        let open = || error.downcast_ref::<sqlite::OpenError>().map(|error| error.code());
        let open = || open().map(Self::directory);
        let lock = || error.downcast_ref::<InUse>();
        let lock = || lock().map(|_| Self { code: InUse::CODE, exit: Exit::CannotCreate });
        let ledger = || error.downcast_ref().map(Self::ledger);
        let cache = || error.downcast_ref::<redis::OpenError>().map(|error| error.code());
        let server = || ledger().or_else(|| cache().map(Self::server));
        let serve = || error.downcast_ref::<ServeError>().map(Self::serve);
        let load = || error.downcast_ref::<LoadError>().map(Self::load);
        let code = || error.downcast_ref::<CodeCacheError>();
        let code = || code().map(|_| Self { code: "cannot-use-code-cache", exit: Exit::CannotCreate });
        let store = || error.downcast_ref().map(Self::store);
        let call = || error.downcast_ref().map(Self::call);
        let io = || error.downcast_ref().map(Self::io);
        input
            .or_else(plugin)
            .or_else(tenant)
            .or_else(pack)
            .or_else(open)
            .or_else(lock)
            .or_else(server)
            .or_else(serve)
            .or_else(load)
            .or_else(code)
            .or_else(store)
            .or_else(call)
            .or_else(io)
    }

    fn input(error: &InputError) -> Self {
        match error {
            InputError::File { .. } => Self { code: "not-found", exit: Exit::NoInput },
            InputError::NoLedger(_) | InputError::NoDirectory(_) => {
                Self { code: "no-ledger", exit: Exit::NoInput }
            }
            InputError::Invalid(_) => Self { code: "invalid-argument", exit: Exit::Data },
            InputError::Usage(_) => Self { code: "usage", exit: Exit::Usage },
            InputError::Setting { code, .. } => Self { code, exit: Self::setting(code) },
        }
    }

    /// A setting that cannot be used, by the code of the reason. A file that it names is no part of it.
    fn setting(code: &'static str) -> Exit {
        match code {
            "ledger-tls-file" => Exit::NoInput,
            code if code.starts_with("ledger-tls-") => Exit::Config,
            _ => Exit::Usage,
        }
    }

    /// A data directory that cannot be used, by the code of the reason.
    fn directory(code: &'static str) -> Self {
        let exit = match code {
            // Another program keeps the file locked, or its disk is full: it may pass.
            "ledger-unavailable" => Exit::Unavailable,
            "ledger-missing" => Exit::NoInput,
            _ => Exit::CannotCreate,
        };
        Self { code, exit }
    }

    /// A ledger that cannot be used. What only a person can mend must not look like what may pass: a service
    /// manager would try again for ever.
    fn ledger(error: &postgres::OpenError) -> Self {
        let exit = match error {
            postgres::OpenError::Missing { .. }
            | postgres::OpenError::Tls { source: postgres::TlsError::File { .. }, .. } => Exit::NoInput,
            postgres::OpenError::Url(_) => Exit::Usage,
            error if error.is_lasting() => Exit::Config,
            _ => Exit::Unavailable,
        };
        Self { code: error.code(), exit }
    }

    /// A counter that cannot be used, by the code of the reason.
    fn server(code: &'static str) -> Self {
        let exit = match code {
            "counter-certificate" => Exit::NoInput,
            "counter-url" => Exit::Usage,
            // It does not answer; standbys alone answer until a fail-over has ended; a full cache is emptied.
            "counter-unavailable"
            | "counter-unreachable"
            | "counter-read-only"
            | "counter-refuses-writes" => Exit::Unavailable,
            _ => Exit::Config,
        };
        Self { code, exit }
    }

    fn serve(error: &ServeError) -> Self {
        let exit = match error {
            ServeError::Listen { .. } => Exit::CannotCreate,
            ServeError::Tls { .. } => Exit::NoInput,
            ServeError::Records(error) => Self::store(error).exit,
            ServeError::Tenants { code: "unavailable" | "busy", .. } => Exit::Unavailable,
            ServeError::Tenants { .. } => Exit::Data,
        };
        Self { code: error.code(), exit }
    }

    fn load(error: &LoadError) -> Self {
        match error {
            LoadError::Plugin(_, error) => Self::plugin(error),
            LoadError::Tenant(_, error) => Self::tenant(error),
        }
    }

    fn plugin(error: &PluginError) -> Self {
        let exit = match error {
            PluginError::Unreadable { .. } => Exit::NoInput,
            error if error.may_pass() => Exit::Unavailable,
            _ => Exit::Data,
        };
        Self { code: error.code(), exit }
    }

    fn tenant(error: &TenantError) -> Self {
        let exit = match error {
            TenantError::NoManifest(error) => Self::call(error).exit,
            _ => Exit::Data,
        };
        Self { code: error.code(), exit }
    }

    fn store(error: &StoreError) -> Self {
        let exit = match error {
            StoreError::Overloaded(_) | StoreError::Unavailable(_) => Exit::Unavailable,
            StoreError::Refused(_) => Exit::Data,
            StoreError::Corrupt(_) => Exit::Internal,
        };
        Self { code: error.code(), exit }
    }

    fn call(error: &CallError) -> Self {
        let exit = match error {
            CallError::Busy
            | CallError::RateLimited { .. }
            | CallError::Suspended { .. }
            | CallError::Quota { .. }
            | CallError::ClockOff { .. }
            | CallError::TimedOut(_)
            | CallError::Overloaded
            | CallError::Unavailable => Exit::Unavailable,
            CallError::Invalid(_) => Exit::Data,
            CallError::Trapped { .. } | CallError::Other(_) => Exit::Internal,
        };
        Self { code: error.code(), exit }
    }

    /// A reader that has seen enough and went away is no failure.
    fn io(error: &io::Error) -> Self {
        let exit = if error.kind() == io::ErrorKind::BrokenPipe { Exit::Ok } else { Exit::Io };
        Self { code: "input-output", exit }
    }
}
