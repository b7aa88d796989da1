//! Accounts and movements of double-entry bookkeeping.

use std::fmt;

use super::{Amount, PacketId, UserId, WithdrawalId};

/// Whose money it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// The world outside: what was funded and not withdrawn is owed to it. The only account below zero.
    Treasury,
    /// A user's wallet.
    Wallet(UserId),
    /// What was sent in a packet and is neither settled nor refunded.
    Escrow(PacketId),
    /// What was taken out of a wallet and is on its way outside, or back.
    Holding(WithdrawalId),
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Treasury => f.write_str("treasury"),
            Self::Wallet(user) => write!(f, "wallet:{user}"),
            Self::Escrow(packet) => write!(f, "escrow:{packet}"),
            Self::Holding(withdrawal) => write!(f, "holding:{withdrawal}"),
        }
    }
}

/// Why money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MovementKind {
    /// Treasury to wallet.
    Fund,
    /// Wallet to escrow.
    Send,
    /// Escrow to wallet: a claim.
    Settle,
    /// Escrow back to the sender's wallet.
    Refund,
    /// Wallet to holding: money that is to leave.
    Withdraw,
    /// Holding to treasury: it has left.
    Complete,
    /// Holding back to the wallet that it was taken from.
    Cancel,
}

impl MovementKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Fund, Self::Send, Self::Settle, Self::Refund, Self::Withdraw, Self::Complete, Self::Cancel];

    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fund => "fund",
            Self::Send => "send",
            Self::Settle => "settle",
            Self::Refund => "refund",
            Self::Withdraw => "withdraw",
            Self::Complete => "complete",
            Self::Cancel => "cancel",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What such a movement does to the user's wallet: minor units, above zero what comes in.
    #[must_use]
    pub const fn to_wallet(self, amount: Amount) -> i64 {
        match self {
            Self::Send | Self::Withdraw => -amount.as_i64(),
            Self::Fund | Self::Settle | Self::Refund | Self::Cancel => amount.as_i64(),
            Self::Complete => 0,
        }
    }
}

/// Money that moved: two postings, `-amount` from one account and `+amount` to the other,
/// written as one row so that they cannot fail to sum to zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Why.
    pub kind: MovementKind,
    /// The account that gave.
    pub from: Account,
    /// The account that got.
    pub to: Account,
    /// How much, at least 1.
    pub amount: Amount,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
}
