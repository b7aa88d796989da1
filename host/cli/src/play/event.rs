//! An event of a simulated chat: what may happen in it.

use serde::Deserialize;

use hongbao_domain::{Strategy, StrategyError, UserId};

/// One event. Amounts are in minor units.
#[derive(Debug)]
pub(super) enum Event {
    Fund { user: User, amount: u64 },
    Send(Box<Send>),
    Grab { r#ref: String, user: User },
    Open { r#ref: String, user: User },
    Details { r#ref: String },
    Together { events: Vec<Event> },
    Advance { ms: u64 },
    Settle {},
    Balance { user: User },
    Withdraw(Withdraw),
    Complete { r#ref: String, user: User },
    Cancel { r#ref: String, user: User },
    LoseCache {},
    Reconcile {},
    Audit {},
}

#[derive(Debug)]
pub(super) struct Send {
    pub(super) r#ref: String,
    pub(super) room: String,
    pub(super) sender: User,
    pub(super) kind: Kind,
    pub(super) strategy: Option<Named>,
    pub(super) total: u64,
    pub(super) shares: u32,
    pub(super) expires_in_ms: Option<u64>,
    pub(super) to: Vec<User>,
    pub(super) greeting: String,
    pub(super) key: Option<String>,
}

#[derive(Debug)]
pub(super) struct Withdraw {
    pub(super) r#ref: String,
    pub(super) user: User,
    pub(super) amount: u64,
    /// The platform's own text.
    pub(super) reference: String,
    pub(super) key: Option<String>,
}

/// A strategy as it stands in a log.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Named(pub(super) Strategy);

impl TryFrom<String> for Named {
    type Error = StrategyError;
    fn try_from(text: String) -> Result<Self, StrategyError> {
        Strategy::new(text).map(Self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Lucky,
    Equal,
}

/// A user whose name was checked while it was read.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct User(pub(super) UserId);

impl TryFrom<String> for User {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        UserId::new(name).map(Self).map_err(|error| format!("a user {error}"))
    }
}

impl Event {
    pub(super) const fn op(&self) -> &'static str {
        match self {
            Self::Fund { .. } => "fund",
            Self::Send(_) => "send",
            Self::Grab { .. } => "grab",
            Self::Open { .. } => "open",
            Self::Details { .. } => "details",
            Self::Together { .. } => "together",
            Self::Advance { .. } => "advance",
            Self::Settle {} => "settle",
            Self::Balance { .. } => "balance",
            Self::Withdraw(_) => "withdraw",
            Self::Complete { .. } => "complete",
            Self::Cancel { .. } => "cancel",
            Self::LoseCache {} => "lose-cache",
            Self::Reconcile {} => "reconcile",
            Self::Audit {} => "audit",
        }
    }

    pub(super) fn reference(&self) -> Option<&str> {
        match self {
            Self::Send(send) => Some(&send.r#ref),
            Self::Withdraw(withdraw) => Some(&withdraw.r#ref),
            Self::Grab { r#ref, .. }
            | Self::Open { r#ref, .. }
            | Self::Complete { r#ref, .. }
            | Self::Cancel { r#ref, .. }
            | Self::Details { r#ref } => Some(r#ref),
            _ => None,
        }
    }

    pub(super) fn user(&self) -> Option<&UserId> {
        match self {
            Self::Fund { user, .. }
            | Self::Grab { user, .. }
            | Self::Open { user, .. }
            | Self::Complete { user, .. }
            | Self::Cancel { user, .. }
            | Self::Balance { user } => Some(&user.0),
            Self::Withdraw(withdraw) => Some(&withdraw.user.0),
            _ => None,
        }
    }
}
