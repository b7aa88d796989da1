//! The operations of a plugin, and the errors of calling it.

use std::sync::Arc;

use crate::imports::Skew;
use hongbao_domain::Limit;
use hongbao_store::StoreError;

/// What is asked of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// What it says of itself.
    Manifest,
    /// To send a packet.
    Send,
    /// Seats.
    Grab,
    /// Shares.
    Open,
    /// To end a packet.
    Expire,
    /// A packet with its claims.
    Details,
    /// Shares of an imaginary packet.
    Preview,
    /// A message that begins with a slash.
    Command,
    /// A button.
    Action,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Manifest,
        Self::Send,
        Self::Grab,
        Self::Open,
        Self::Expire,
        Self::Details,
        Self::Preview,
        Self::Command,
        Self::Action,
    ];

    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Send => "send",
            Self::Grab => "grab",
            Self::Open => "open",
            Self::Expire => "expire",
            Self::Details => "details",
            Self::Preview => "preview",
            Self::Command => "command",
            Self::Action => "action",
        }
    }
}

/// Why a call has no answer. What the plugin answers, refusals included, is not among these.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// Too many are waiting. Nothing was done; ask again later.
    #[error("too many calls are waiting")]
    Busy,
    /// The tenant asks more often than it may. Nothing was done; ask again after so long.
    #[error("the tenant asks too often; it may again in {retry_after_ms} ms")]
    RateLimited {
        /// In milliseconds.
        retry_after_ms: u64,
    },
    /// The tenant is suspended, by the operator or by itself; or its plugin is, which broke again and
    /// again. Nothing was done.
    #[error("{}", suspended(*.retry_after_ms))]
    Suspended {
        /// In milliseconds, of a plugin; None of a tenant: until somebody says otherwise.
        retry_after_ms: Option<u64>,
    },
    /// The tenant has as much as it may have. Nothing was done; ask again when it has less.
    #[error("{why}")]
    Quota {
        /// Of what.
        limit: Limit,
        /// In words.
        why: Arc<str>,
    },
    /// What was asked cannot be asked, said in one sentence. Nothing was done.
    #[error("{0}")]
    Invalid(Arc<str>),
    /// The call took too long and was stopped. What it had begun may have taken effect; ask again.
    #[error("the call took longer than {0} ms")]
    TimedOut(u64),
    /// The host's clock is off, and what was asked is decided by time. Nothing was done; ask another host, or
    /// later.
    #[error("this host's clock is {}; nothing was done", Skew { ahead_ms: *ahead_ms, is_off: true }.in_words())]
    ClockOff {
        /// By how much it is ahead, in milliseconds.
        ahead_ms: i64,
    },
    /// A store has no room for another call. Nothing was done; ask again later.
    #[error("a store is overloaded; nothing was done")]
    Overloaded,
    /// A store does not answer. Ask again.
    #[error("a store does not answer")]
    Unavailable,
    /// The plugin broke and its instance was dropped.
    #[error("the plugin failed: {why}")]
    Trapped {
        /// Which limit it reached, if that is why.
        limit: Option<Limit>,
        /// In words.
        why: Arc<str>,
    },
    /// The plugin, or a store, says something else.
    #[error("{0}")]
    Other(Arc<str>),
}

fn suspended(retry_after_ms: Option<u64>) -> String {
    match retry_after_ms {
        Some(ms) => format!("the tenant's plugin is suspended for {ms} ms"),
        None => "the tenant is suspended".into(),
    }
}

impl CallError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy | Self::Overloaded => "busy",
            Self::RateLimited { .. } => "rate-limited",
            Self::Suspended { .. } => "suspended",
            Self::Quota { .. } => "quota-reached",
            Self::ClockOff { .. } => "clock",
            Self::Invalid(_) => "invalid-argument",
            Self::TimedOut(_) => "timed-out",
            Self::Unavailable => "unavailable",
            Self::Trapped { .. } => "plugin-failed",
            Self::Other(_) => "internal",
        }
    }

    /// Which limit was reached, if that is why there is no answer.
    #[must_use]
    pub const fn limit(&self) -> Option<Limit> {
        match self {
            Self::Busy => Some(Limit::Queue),
            Self::RateLimited { .. } => Some(Limit::Rate),
            Self::TimedOut(_) => Some(Limit::Time),
            Self::Trapped { limit, .. } => *limit,
            Self::Quota { limit, .. } => Some(*limit),
            Self::Suspended { .. }
            | Self::ClockOff { .. }
            | Self::Invalid(_)
            | Self::Overloaded
            | Self::Unavailable
            | Self::Other(_) => None,
        }
    }
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded(_) => Self::Overloaded,
            StoreError::Unavailable(_) => Self::Unavailable,
            other => Self::Other(other.to_string().into()),
        }
    }
}
