//! The operations of a plugin, and the errors of calling it.

use std::sync::Arc;

use crate::imports::Skew;
use hongbao_domain::Limit;
use hongbao_store::StoreError;

/// An operation of a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Returning its manifest.
    Manifest,
    /// Sending a packet.
    Send,
    /// Taking seats.
    Grab,
    /// Claiming shares.
    Open,
    /// Ending a packet.
    Expire,
    /// Reading a packet with its claims.
    Details,
    /// Drawing the shares of an imaginary packet.
    Preview,
    /// Answering a command.
    Command,
    /// Answering a pressed button.
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

/// Why a call has no answer. Answers of the plugin, including refusals, are not errors.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CallError {
    /// The queue is full. Nothing was done; retry later.
    #[error("too many calls are waiting")]
    Busy,
    /// The tenant exceeded its rate. Nothing was done; retry after this time.
    #[error("the tenant asks too often; it may again in {retry_after_ms} ms")]
    RateLimited {
        /// In milliseconds.
        retry_after_ms: u64,
    },
    /// The tenant is suspended, by the operator or by itself; or its plugin is, because it failed
    /// repeatedly. Nothing was done.
    #[error("{}", suspended(*.retry_after_ms))]
    Suspended {
        /// In milliseconds, for a plugin. None for a tenant, which is suspended until it is resumed.
        retry_after_ms: Option<u64>,
    },
    /// The tenant has reached a quota. Nothing was done; retry when it has less.
    #[error("{why}")]
    Quota {
        /// Of what.
        limit: Limit,
        /// In words.
        why: Arc<str>,
    },
    /// The request is invalid, for the reason in this sentence. Nothing was done.
    #[error("{0}")]
    Invalid(Arc<str>),
    /// The call took too long and was stopped. It may have taken effect; retry.
    #[error("the call took longer than {0} ms")]
    TimedOut(u64),
    /// The host's clock is wrong, and the request depends on the time. Nothing was done; retry later, or on another
    /// host.
    #[error("this host's clock is {}; nothing was done", Skew { ahead_ms: *ahead_ms, is_off: true }.in_words())]
    ClockOff {
        /// By how much it is ahead, in milliseconds.
        ahead_ms: i64,
    },
    /// A store is overloaded. Nothing was done; retry later.
    #[error("a store is overloaded; nothing was done")]
    Overloaded,
    /// A store is unavailable. The effect is unknown; retry.
    #[error("a store does not answer")]
    Unavailable,
    /// The plugin failed and its instance was dropped.
    #[error("the plugin failed: {why}")]
    Trapped {
        /// The limit that it reached, if that is the reason.
        limit: Option<Limit>,
        /// In words.
        why: Arc<str>,
    },
    /// Another error of the plugin or a store.
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

    /// The limit that was reached, if that is the reason.
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
