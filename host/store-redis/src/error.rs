//! Errors: of opening a counter or events, and of single calls.

use std::error::Error;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::fault::{Fault, plain, says};
use hongbao_store::{StoreError, WritesRefused};

/// Why a counter in Redis cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is not one of those that [`RedisCounter::connect`](super::RedisCounter::connect) takes.
    #[error("the URL of Redis cannot be used: {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers.
    #[error("no Redis server answers at {address}: {source}")]
    Unreachable {
        /// Host and port; several where the URL has several.
        address: String,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Something answers that is no Redis server.
    #[error("what answers at {address} is no Redis server: {found}")]
    NotRedis {
        /// Host and port.
        address: String,
        /// What it seems to be.
        found: String,
    },
    /// The sentinels answer, and do not know the master.
    #[error("no sentinel knows the master {address}")]
    UnknownMaster {
        /// The name in the URL, and the sentinels.
        address: String,
    },
    /// The URL has no password, and one is wanted.
    #[error(
        "the Redis server at {address} asks for a password: write it into the counter's URL, as in \
         redis://:PASSWORD@HOST or redis://USER:PASSWORD@HOST"
    )]
    PasswordMissing {
        /// Host and port.
        address: String,
    },
    /// The password is another, or the user is not known.
    #[error(
        "the Redis server at {address} refuses the user or the password: correct them in the counter's URL, where \
         what is special is percent-encoded, or in Redis (requirepass, or its users)"
    )]
    PasswordWrong {
        /// Host and port.
        address: String,
    },
    /// The URL has a password, and the server has none.
    #[error(
        "the Redis server at {address} has no password, and the counter's URL has one: take it out of the URL, or \
         set it in Redis (requirepass)"
    )]
    PasswordUnwanted {
        /// Host and port.
        address: String,
    },
    /// The user may not do what a counter needs.
    #[error("the user of the Redis server at {address} is not allowed to do what a counter needs: {reason}")]
    Forbidden {
        /// Host and port.
        address: String,
        /// What Redis says.
        reason: String,
    },
    /// The server copies another one and takes no writes.
    #[error("the Redis server at {address} is a read-only replica")]
    ReadOnly {
        /// Host and port.
        address: String,
    },
    /// The server answers and takes no writes: it is full, or its disk fails.
    #[error("the Redis server at {address} cannot be used: {reason}")]
    RefusesWrites {
        /// Host and port.
        address: String,
        /// Why, in a sentence.
        reason: String,
    },
    /// The server is older than what the scripts need.
    #[error("the Redis server at {address} is version {found}, and {} or later is needed", super::OLDEST)]
    TooOld {
        /// Host and port.
        address: String,
        /// Its version.
        found: String,
    },
    /// The URL says cluster and the server is in none, or the other way round.
    #[error("the Redis server at {address} {reason}")]
    Topology {
        /// Host and port.
        address: String,
        /// What it is, and which URL it wants.
        reason: &'static str,
    },
    /// TLS fails: the server has none, or one of the certificates is not accepted.
    #[error("TLS with the Redis server at {address} fails: {reason}")]
    Tls {
        /// Host and port.
        address: String,
        /// What is wrong, and what to do about it.
        reason: String,
    },
    /// A file of certificates or of a key cannot be used.
    #[error("the certificates for Redis cannot be used: {reason}")]
    Certificate {
        /// Which file, and what is wrong with it.
        reason: String,
    },
    /// Something else.
    #[error("the Redis server at {address} cannot be used: {source}")]
    Other {
        /// Host and port.
        address: String,
        /// What went wrong.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OpenError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url { .. } => "counter-url",
            Self::Unreachable { .. } => "counter-unreachable",
            Self::NotRedis { .. } => "counter-not-redis",
            Self::UnknownMaster { .. } => "counter-master",
            Self::PasswordMissing { .. } | Self::PasswordWrong { .. } | Self::PasswordUnwanted { .. } => {
                "counter-password"
            }
            Self::Forbidden { .. } => "counter-forbidden",
            Self::ReadOnly { .. } => "counter-read-only",
            Self::RefusesWrites { .. } => "counter-refuses-writes",
            Self::TooOld { .. } => "counter-too-old",
            Self::Topology { .. } => "counter-topology",
            Self::Tls { .. } => "counter-tls",
            Self::Certificate { .. } => "counter-certificate",
            Self::Other { .. } => "counter-unavailable",
        }
    }

    pub(super) fn new(address: &str, failure: Failure) -> Self {
        let address = address.to_owned();
        let Some(fault) = failure.fault() else {
            return Self::Other { address, source: Box::new(failure) };
        };
        match fault {
            Fault::Unreachable(_) | Fault::Slow | Fault::Loading => {
                Self::Unreachable { address, source: Box::new(failure) }
            }
            Fault::NotRedis(found) => Self::NotRedis { address, found },
            Fault::UnknownMaster => Self::UnknownMaster { address },
            Fault::PasswordMissing => Self::PasswordMissing { address },
            Fault::PasswordWrong => Self::PasswordWrong { address },
            Fault::PasswordUnwanted => Self::PasswordUnwanted { address },
            Fault::NoDatabase => {
                let remedy = fault.remedy();
                Self::Url {
                    reason: format!("the server at {address} has no database of that number; {remedy}"),
                }
            }
            Fault::Forbidden(reason) => Self::Forbidden { address, reason },
            Fault::Protected => Self::Forbidden { address, reason: fault.to_string() },
            Fault::ReadOnly => Self::ReadOnly { address },
            Fault::TooOld(found) => Self::TooOld { address, found },
            Fault::Topology(reason) => Self::Topology { address, reason },
            Fault::Tls(fault) => Self::Tls { address, reason: fault.to_string() },
            Fault::Certificate(reason) => Self::Certificate { reason },
            Fault::OutOfMemory | Fault::DiskFailure | Fault::TooFewReplicas | Fault::ClusterDown => {
                Self::RefusesWrites { address, reason: fault.to_string() }
            }
            Fault::Refused(_) | Fault::BusyScript | Fault::TooManyClients => {
                Self::Other { address, source: Box::new(failure) }
            }
        }
    }
}

/// Why a call of a script came to nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    /// From the server or on the way to it.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// As many calls wait as may.
    #[error("too many calls wait for Redis")]
    Busy,
    /// There was no connection in time.
    #[error("Redis takes too long")]
    Late,
    /// There is none, and this is why the last attempt failed.
    #[error("{0}")]
    Down(Arc<Self>),
    /// What is known to be wrong. Nothing was sent.
    #[error("{0}")]
    Known(Fault),
    /// What a key holds is not ours.
    #[error("{0}")]
    Damaged(String),
}

impl Failure {
    /// What is wrong with the server, if this tells anything of it.
    pub(super) fn fault(&self) -> Option<Fault> {
        match self {
            Self::Redis(error) if is_damage(error) => None,
            Self::Redis(error) => Some(Fault::of(error)),
            Self::Late => Some(Fault::Slow),
            Self::Down(failure) => failure.fault(),
            Self::Known(fault) => Some(fault.clone()),
            Self::Busy | Self::Damaged(_) => None,
        }
    }

    /// Whether what stands in Redis is not ours, so that asking again would not help.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Redis(error) => is_damage(error),
            failure => matches!(failure, Self::Damaged(_)),
        }
    }

    /// For the caller. `key` is what the call was about.
    pub(super) fn about(self, key: &str) -> StoreError {
        match self {
            Self::Redis(error) if is_damage(&error) => {
                StoreError::Corrupt(format!("the Redis key {key}: {}", plain(&error)))
            }
            Self::Damaged(what) => StoreError::Corrupt(format!("the Redis key {key}: {what}")),
            Self::Busy => StoreError::overloaded(Self::Busy.to_string()),
            failure => match failure.fault().filter(Fault::refuses_writes) {
                Some(fault) => WritesRefused::new(fault.public_reason()).into(),
                None => StoreError::Unavailable(Box::new(failure)),
            },
        }
    }
}

/// A key of another type, or meta data of another length.
fn is_damage(error: &RedisError) -> bool {
    says(error, "WRONGTYPE") || says(error, "data string too short")
}

/// The server does not know the script: it was restarted, flushed, or never asked before.
pub(super) fn is_unknown_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

/// Whether another connection may do better: this one is broken or hangs, or it leads to a server
/// that is no master any more.
pub(super) fn is_lost(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse | ErrorKind::ClusterConnectionNotFound => true,
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => true,
        _ => ["READONLY", "NOREPLICAS", "NOAUTH"].iter().any(|word| says(error, word)),
    }
}
