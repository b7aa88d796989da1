//! Errors of stores.

use std::borrow::Cow;
use std::error::Error;

/// Small on purpose: the caller needs to know whether anything happened, and whether asking again
/// makes sense. What exactly went wrong stays in the source, for the log.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A queue or a pool of the store is full. The call was not carried out and nothing happened;
    /// ask again later, and not at once.
    #[error("the store is overloaded: {0}")]
    Overloaded(Cow<'static, str>),
    /// The store does not answer now. Whether the call took effect is unknown; ask again.
    #[error("the store does not answer: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The call breaks a rule that the store guards. Nothing moved.
    #[error("refused: {0}")]
    Refused(String),
    /// The store holds something that cannot be, lacks a guard, or was made by a newer version.
    #[error("the store is damaged or not ours: {0}")]
    Corrupt(String),
}

/// Why a store that answers takes no writes: the source of an [`StoreError::Unavailable`].
///
/// The reason is shown to strangers (`/readyz`), so it names no address, path, user or password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("writes are refused: {reason}")]
pub struct WritesRefused {
    reason: Cow<'static, str>,
}

impl WritesRefused {
    /// For this reason, such as `the disk is full`.
    #[must_use]
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into() }
    }

    /// A few words that anybody may read.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl From<WritesRefused> for StoreError {
    fn from(refused: WritesRefused) -> Self {
        Self::Unavailable(Box::new(refused))
    }
}

impl StoreError {
    /// A store that has no room for another call, such as `too many operations are waiting`.
    #[must_use]
    pub fn overloaded(why: impl Into<Cow<'static, str>>) -> Self {
        Self::Overloaded(why.into())
    }

    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Overloaded(_) => "busy",
            Self::Unavailable(_) => "unavailable",
            Self::Refused(_) => "refused",
            Self::Corrupt(_) => "corrupt",
        }
    }

    /// Whether the store may answer later: it is overloaded, or away.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Overloaded(_) | Self::Unavailable(_))
    }

    /// Why the store takes no writes, where that is what is wrong.
    #[must_use]
    pub fn writes_refused(&self) -> Option<&WritesRefused> {
        match self {
            Self::Unavailable(source) => source.downcast_ref(),
            _ => None,
        }
    }

    /// What a list came to, for each of its so many elements: an error of all is each one's.
    #[must_use]
    pub fn to_each<T>(outcome: Result<Vec<Result<T, Self>>, Self>, elements: usize) -> Vec<Result<T, Self>> {
        match outcome {
            Ok(answers) => answers,
            Err(error) => std::iter::repeat_with(|| Err(error.again())).take(elements).collect(),
        }
    }

    /// The same error for another caller of the same batch.
    #[must_use]
    pub fn again(&self) -> Self {
        match self {
            Self::Overloaded(why) => Self::Overloaded(why.clone()),
            Self::Unavailable(source) => match source.downcast_ref::<WritesRefused>() {
                Some(refused) => refused.clone().into(),
                None => Self::Unavailable(source.to_string().into()),
            },
            Self::Refused(why) => Self::Refused(why.clone()),
            Self::Corrupt(what) => Self::Corrupt(what.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_same_for_every_caller_of_a_batch() {
        let errors = [
            StoreError::overloaded("full"),
            StoreError::Unavailable("away".into()),
            WritesRefused::new("the disk is full").into(),
            StoreError::Refused("no".into()),
            StoreError::Corrupt("torn".into()),
        ];
        for error in errors {
            let again = error.again();
            assert_eq!((again.code(), again.to_string()), (error.code(), error.to_string()));
            assert_eq!(again.writes_refused(), error.writes_refused());
        }
    }
}
