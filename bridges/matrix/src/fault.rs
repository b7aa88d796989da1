//! Why something was not done, by what follows from it.

/// What went wrong on the way to Hongbao or to the homeserver.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It may pass by itself or when somebody mends it, so the same is asked again: an event must wait for it.
    #[error("{0}")]
    Passing(String),
    /// It may pass, or be the same for ever, as a plugin that breaks at one text: asked again a few times.
    #[error("{0}")]
    Doubtful(String),
    /// Refused: asking again changes nothing.
    #[error("{message} ({code})")]
    Final {
        /// For programs.
        code: String,
        /// A sentence for people.
        message: String,
    },
}

impl Fault {
    pub(crate) fn refused(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Final { code: code.into(), message: message.into() }
    }

    pub(crate) fn has_code(&self, wanted: &str) -> bool {
        matches!(self, Self::Final { code, .. } if code == wanted)
    }
}

/// What a request that was refused for good gives: nothing. Whatever may pass stays a fault.
pub(crate) fn unless_refused<T>(answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(given) => Ok(Some(given)),
        Err(Fault::Final { .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}
