//! Errors of opening a ledger.

use std::error::Error as StdError;

use super::error::POOLER_REMEDY;
use super::tls::TlsError;

/// Why a ledger cannot be opened. Whatever was there before stays as it was. `at` names the
/// server and the database, never a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error(
        "the ledger's URL is not understood: {0}; it looks like postgres://user:password@host:5432/database"
    )]
    Url(String),
    /// The connection cannot be encrypted as the URL wants it.
    #[error("PostgreSQL at {at} cannot be reached by TLS: {source}")]
    Tls {
        /// Where.
        at: String,
        /// Why.
        source: TlsError,
    },
    /// Nobody answers.
    #[error("PostgreSQL at {at} does not answer: {source}")]
    Unreachable {
        /// Where.
        at: String,
        /// What happened.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The login failed, or there is no such database.
    #[error(
        "PostgreSQL at {at} refuses the login: {reason}; correct the user, the password or the database in the ledger's URL"
    )]
    NotAdmitted {
        /// Where.
        at: String,
        /// In the server's words.
        reason: String,
    },
    /// The user lacks a privilege that a ledger needs.
    #[error(
        "PostgreSQL at {at} does not permit what a ledger does: {reason}; grant it to the user of the ledger's URL"
    )]
    NotPermitted {
        /// Where.
        at: String,
        /// In the server's words.
        reason: String,
    },
    /// Only standbys answer, or the database is set to be read-only.
    #[error(
        "PostgreSQL at {at} is read-only: name the primary, or all servers, in the ledger's URL; on a primary, \
         default_transaction_read_only must be off"
    )]
    ReadOnly {
        /// Where.
        at: String,
    },
    /// The database has no books.
    #[error("there are no books in {at}: `hongbao migrate` makes them")]
    Missing {
        /// Where.
        at: String,
    },
    /// The books are of an older version of this program.
    #[error("the books in {at} are at schema version {found} of {known}: `hongbao migrate` brings them up")]
    Older {
        /// Where.
        at: String,
        /// Their version.
        found: usize,
        /// The version this program needs.
        known: usize,
    },
    /// A newer version of this program has migrated the database.
    #[error("the books in {at} are at schema version {found}, and this program knows only up to {known}")]
    Newer {
        /// Where.
        at: String,
        /// Their version.
        found: usize,
        /// The last version this program knows.
        known: usize,
    },
    /// Guards of the books (tables, constraints, triggers) are missing or switched off.
    #[error("the books in {at} are not whole: {what}")]
    Damaged {
        /// Where.
        at: String,
        /// What is off, and the remedy.
        what: String,
    },
    /// The database cannot hold every text.
    #[error(
        "the database {at} has the encoding {found}, in which not every text can be written: make one by \
         CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and name it in the ledger's URL"
    )]
    Encoding {
        /// Where.
        at: String,
        /// Its encoding.
        found: String,
    },
    /// A pooler gives each transaction another session.
    #[error("{at} is a pooler that gives each transaction another session of PostgreSQL: {POOLER_REMEDY}")]
    Pooler {
        /// Where.
        at: String,
    },
    /// The clocks of this machine and of the server differ. Hosts judge leases and expiry by their own
    /// clocks, so one that is wrong ends what others have just begun.
    #[error(
        "this machine's clock is {seconds} s {direction} that of PostgreSQL at {at}: set the wrong one right"
    )]
    Clock {
        /// Where.
        at: String,
        /// By how much.
        seconds: u64,
        /// `ahead of` or `behind`.
        direction: &'static str,
    },
    /// Something else.
    #[error("PostgreSQL at {at} failed: {source}")]
    Other {
        /// Where.
        at: String,
        /// What happened.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl OpenError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "ledger-url",
            Self::Tls { source, .. } => source.code(),
            Self::Unreachable { .. } => "ledger-unavailable",
            Self::NotAdmitted { .. } => "ledger-not-admitted",
            Self::NotPermitted { .. } => "ledger-not-permitted",
            Self::ReadOnly { .. } => "ledger-read-only",
            Self::Missing { .. } => "no-ledger",
            Self::Older { .. } => "ledger-older",
            Self::Newer { .. } => "ledger-newer",
            Self::Damaged { .. } => "ledger-damaged",
            Self::Encoding { .. } => "ledger-encoding",
            Self::Pooler { .. } => "ledger-pooler",
            Self::Clock { .. } => "clock",
            Self::Other { .. } => "ledger-failed",
        }
    }

    /// Whether somebody has to change a configuration or the database before another try makes sense.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::ReadOnly { .. } | Self::Clock { .. } | Self::Other { .. } => {
                false
            }
            Self::Tls { source, .. } => source.is_lasting(),
            Self::Url(_)
            | Self::NotAdmitted { .. }
            | Self::NotPermitted { .. }
            | Self::Missing { .. }
            | Self::Older { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::Encoding { .. }
            | Self::Pooler { .. } => true,
        }
    }
}
