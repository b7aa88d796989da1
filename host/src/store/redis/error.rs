//! What Redis says, and what a caller needs to know of it.

use std::error::Error;
use std::sync::Arc;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::store::StoreError;

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
    /// The sentinels answer, and do not know the master.
    #[error("no sentinel knows the master {address}")]
    UnknownMaster {
        /// The name in the URL, and the sentinels.
        address: String,
    },
    /// The URL has no password, and one is wanted.
    #[error("the Redis server at {address} asks for a password")]
    PasswordMissing {
        /// Host and port.
        address: String,
    },
    /// The password is another, the user is not known, or there is no password at all.
    #[error("the Redis server at {address} refuses the user or the password")]
    PasswordWrong {
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
            Self::UnknownMaster { .. } => "counter-master",
            Self::PasswordMissing { .. } | Self::PasswordWrong { .. } => "counter-password",
            Self::Forbidden { .. } => "counter-forbidden",
            Self::ReadOnly { .. } => "counter-read-only",
            Self::TooOld { .. } => "counter-too-old",
            Self::Topology { .. } => "counter-topology",
            Self::Other { .. } => "counter-unavailable",
        }
    }

    pub(super) fn node_of_a_cluster(address: &str) -> Self {
        let reason = "is a node of a cluster, which needs a URL that begins with redis+cluster://";
        Self::Topology { address: address.to_owned(), reason }
    }

    pub(super) fn new(address: &str, failure: Failure) -> Self {
        let address = address.to_owned();
        let error = match failure {
            Failure::Redis(error) => error,
            Failure::UnknownMaster => return Self::UnknownMaster { address },
            failure => return Self::Unreachable { address, source: Box::new(failure) },
        };
        match error.kind() {
            ErrorKind::Io | ErrorKind::ClusterConnectionNotFound => {
                return Self::Unreachable { address, source: Box::new(error) };
            }
            ErrorKind::AuthenticationFailed => return Self::PasswordWrong { address },
            _ => {}
        }
        let is_single = "is in no cluster, so its URL has to begin with redis://";
        let no_sentinel = "is looked for through a server that is no sentinel";
        match () {
            () if says(&error, "NOAUTH") => Self::PasswordMissing { address },
            () if says(&error, "WRONGPASS") => Self::PasswordWrong { address },
            () if says(&error, "NOPERM") || says(&error, "The user executing the script") => {
                Self::Forbidden { address, reason: plain(&error) }
            }
            () if says(&error, "READONLY") => Self::ReadOnly { address },
            () if says(&error, "LOADING") => Self::Unreachable { address, source: Box::new(error) },
            () if says(&error, "MOVED") => Self::node_of_a_cluster(&address),
            () if says(&error, "cluster support disabled") => Self::Topology { address, reason: is_single },
            () if says(&error, "SENTINEL") => Self::Topology { address, reason: no_sentinel },
            () => Self::Other { address, source: Box::new(error) },
        }
    }
}

/// Why a call of a script came to nothing.
#[derive(Debug, thiserror::Error)]
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
    /// The sentinels do not know a master of this name.
    #[error("no sentinel knows the master")]
    UnknownMaster,
    /// What a key holds is not ours.
    #[error("{0}")]
    Damaged(String),
}

impl Failure {
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
            failure => StoreError::Unavailable(Box::new(failure)),
        }
    }
}

/// Whether the error has this word. Inside of a script, older servers put an error's code in the
/// middle of a sentence.
fn says(error: &RedisError, word: &str) -> bool {
    error.code() == Some(word) || error.detail().is_some_and(|detail| detail.contains(word))
}

/// What the server says, without where in the script it says it.
fn plain(error: &RedisError) -> String {
    let text = error.detail().map_or_else(|| error.to_string(), str::to_owned);
    text.split(" script: ").next().unwrap_or_default().to_owned()
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
