//! Why a store did not do what it was asked.

use std::error::Error;

/// Small on purpose: the caller needs to know whether asking again makes sense. What exactly
/// went wrong stays in the source, for the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer now. Whether the call took effect is unknown; ask again.
    #[error("the store does not answer: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The call breaks a rule that the store guards. Nothing moved.
    #[error("refused: {0}")]
    Refused(String),
    /// The store holds something that cannot be, or was made by a newer version.
    #[error("the store is damaged or not ours: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "refused",
            Self::Corrupt(_) => "corrupt",
        }
    }
}
