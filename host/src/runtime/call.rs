//! Why a call has no answer.

use std::sync::Arc;

use crate::imports::Said;
use crate::store::StoreError;

/// Why a call has no answer. What the plugin answers, refusals included, is not among these.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// Too many are waiting. Nothing was done; ask again later.
    #[error("too many calls are waiting")]
    Busy,
    /// The call took too long and was stopped. What it had begun may have taken effect; ask again.
    #[error("the call took longer than {0} ms")]
    TimedOut(u64),
    /// A store does not answer. Ask again.
    #[error("a store does not answer")]
    Unavailable,
    /// The plugin broke and its instance was dropped.
    #[error("the plugin failed: {0}")]
    Trapped(Arc<str>),
    /// The plugin, or a store, says something else.
    #[error("{0}")]
    Other(Arc<str>),
}

impl CallError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::TimedOut(_) => "timed-out",
            Self::Unavailable => "unavailable",
            Self::Trapped(_) => "plugin-failed",
            Self::Other(_) => "internal",
        }
    }
}

impl From<Said> for CallError {
    fn from(said: Said) -> Self {
        match said {
            Said::Unavailable => Self::Unavailable,
            Said::Other(why) => Self::Other(why.into()),
        }
    }
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable,
            other => Self::Other(other.to_string().into()),
        }
    }
}
