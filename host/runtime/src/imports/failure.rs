//! Store errors, mapped to failures of the contract.

use hongbao_store::StoreError;

/// Why the host could not do what was asked.
pub(super) enum Failure {
    /// No such packet.
    NotFound,
    /// A store has no room for another call. Nothing happened.
    Busy,
    /// The cache does not answer.
    CacheAway,
    /// The ledger does not answer.
    Unavailable,
    /// Anything else, in words.
    Other(String),
}

/// The plugin learns what it can act on. The details are the operator's: the health of the store logs
/// them, but not once for each call, which would flood the log.
impl Failure {
    pub(super) fn of_ledger(error: &StoreError) -> Self {
        tracing::debug!(code = error.code(), "{error}");
        match error {
            StoreError::Overloaded(_) => Self::Busy,
            StoreError::Unavailable(_) => Self::Unavailable,
            StoreError::Refused(_) | StoreError::Corrupt(_) => Self::Other(error.to_string()),
        }
    }

    pub(super) fn of_counter(error: &StoreError) -> Self {
        match Self::of_ledger(error) {
            Self::Unavailable => Self::CacheAway,
            other => other,
        }
    }
}
