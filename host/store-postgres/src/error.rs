//! Errors of PostgreSQL, mapped to store errors.

use std::error::Error as StdError;

use deadpool::managed::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use hongbao_store::{StoreError, WritesRefused};

/// An error inside of the ledger, before it is made small for the caller.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// From the server or the way to it.
    #[error("{}", told(.0))]
    Sql(#[from] tokio_postgres::Error),
    /// No connection to be had in time.
    #[error("no connection: {0}")]
    Pool(&'static str),
    /// All connections are in use. Nothing was sent.
    #[error("all connections to the database are busy")]
    Busy,
    /// No answer in time. Whether the statement took effect is unknown.
    #[error("no answer within {0} ms")]
    TimedOut(u128),
    /// The database or the way to it is not fit for books.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Decided here.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why books cannot be kept here until somebody mends it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    /// Not every text can be written down.
    #[error(
        "the database has the encoding {0}, in which not every text can be written; the books need a database made by \
         CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )]
    Encoding(String),
    /// Guards of the books are missing or silent.
    #[error("guards of the books are off: {0}")]
    Damaged(String),
    /// The user may not do what the program does.
    #[error("{0}")]
    NotPermitted(String),
    /// A pooler that gives each transaction another session.
    #[error("a pooler gives each transaction another session of PostgreSQL; {POOLER_REMEDY}")]
    Pooled,
}

/// What to do about a pooler in the wrong mode.
pub(super) const POOLER_REMEDY: &str =
    "set pool_mode = session for this database in the pooler, or name PostgreSQL itself in the ledger's URL";

/// The driver's own text says no more than "db error": what the server said is behind it.
fn told(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => match said.constraint() {
            Some(constraint) => format!("{} ({constraint})", said.message()),
            None => said.message().to_owned(),
        },
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl From<PoolError<Self>> for Error {
    fn from(error: PoolError<Self>) -> Self {
        match error {
            PoolError::Backend(error) => error,
            PoolError::Timeout(TimeoutType::Wait) => Self::Busy,
            PoolError::Timeout(_) => Self::Pool("PostgreSQL takes too long to accept one"),
            PoolError::Closed => Self::Pool("the pool is closed"),
            PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => Self::Pool("the pool is broken"),
        }
    }
}

impl Error {
    /// The same error for each caller of a batch.
    pub(super) fn for_each(self) -> impl Fn() -> StoreError {
        let error = StoreError::from(self);
        move || error.again()
    }

    fn state(&self) -> Option<&SqlState> {
        match self {
            Self::Sql(error) => error.code(),
            _ => None,
        }
    }

    /// Whether a constraint, a trigger or a type of the database said no. That a sequence has no more to give says
    /// nothing of what was asked.
    pub(super) fn is_refusal(&self) -> bool {
        self.state().is_some_and(|state| {
            matches!(class(state), "22" | "23") && *state != SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED
        })
    }

    /// Whether a number would be more than its column holds, as a balance that is added to.
    pub(super) fn is_overflow(&self) -> bool {
        self.state() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE)
    }

    /// Whether a constraint on a row's values said no.
    pub(super) fn is_unchecked(&self) -> bool {
        self.state() == Some(&SqlState::CHECK_VIOLATION)
    }

    /// Whether a unique constraint did.
    pub(super) fn is_taken(&self) -> bool {
        self.state() == Some(&SqlState::UNIQUE_VIOLATION)
    }

    /// Whether the transaction was undone because of another one: to be tried again at once.
    pub(super) fn is_collision(&self) -> bool {
        self.state().is_some_and(|state| class(state) == "40")
    }

    /// Whether a statement that was prepared is not there, or one that was not is: then the session is not the
    /// one that was set up.
    pub(super) fn is_another_session(&self) -> bool {
        self.state().is_some_and(|state| {
            *state == SqlState::INVALID_SQL_STATEMENT_NAME || *state == SqlState::DUPLICATE_PSTATEMENT
        })
    }

    /// Whether the connection must not be used again: it is broken, it may still be busy with a
    /// statement that nobody waits for, it leads to a server that is no longer the primary, or its
    /// session is not fit for books.
    pub(super) fn spoils_connection(&self) -> bool {
        match self {
            Self::Unfit(Unfit::NotPermitted(_)) => false,
            Self::TimedOut(_) | Self::Unfit(_) => true,
            Self::Sql(error) => {
                error.is_closed()
                    || error.code() == Some(&SqlState::READ_ONLY_SQL_TRANSACTION)
                    || error.code() == Some(&SqlState::DATA_CORRUPTED)
                    || self.is_another_session()
            }
            Self::Pool(_) | Self::Busy | Self::Store(_) => false,
        }
    }
}

fn class(state: &SqlState) -> &str {
    state.code().get(..2).unwrap_or_default()
}

/// The world may change: a server comes back, another takes its place, somebody makes room, a login is let in again.
fn may_pass(state: &SqlState) -> bool {
    matches!(class(state), "08" | "28" | "40" | "53" | "55" | "57" | "58")
        || *state == SqlState::READ_ONLY_SQL_TRANSACTION
}

/// Why a server that answers takes no writes, where that is what is wrong.
fn refuses_writes(error: &tokio_postgres::Error) -> Option<&'static str> {
    const READ_ONLY: &str = "the database is read-only: it is a standby, or was set so";
    match error.code() {
        Some(state) if *state == SqlState::DISK_FULL => Some("the disk of the database is full"),
        Some(state) if *state == SqlState::READ_ONLY_SQL_TRANSACTION => Some(READ_ONLY),
        Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => Some("its user lacks a permission"),
        Some(_) => None,
        // The driver's own words for a server that is none of those that it was told to look for.
        None => told(error).contains("does not allow writes").then_some(READ_ONLY),
    }
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        // What a caller may be refused was looked at before, so this is something that was done to the books. The
        // server's words are for the log.
        if error.is_refusal() {
            return Self::Corrupt(format!("the database refuses what keeps to the rules: {error}"));
        }
        if error.is_another_session() {
            return Self::Corrupt(Unfit::Pooled.to_string());
        }
        if let Error::Sql(error) = &error
            && let Some(reason) = refuses_writes(error)
        {
            return WritesRefused::new(reason).into();
        }
        match error {
            Error::Store(error) => error,
            Error::Unfit(Unfit::NotPermitted(what)) => WritesRefused::new(what).into(),
            Error::Unfit(unfit) => Self::Corrupt(unfit.to_string()),
            Error::Busy => Self::overloaded(Error::Busy.to_string()),
            Error::Sql(error) if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) => {
                Self::overloaded("the database takes no more connections")
            }
            Error::Sql(error) if error.code().is_some_and(|state| !may_pass(state)) => {
                Self::Corrupt(told(&error))
            }
            error => Self::Unavailable(Box::new(error)),
        }
    }
}
