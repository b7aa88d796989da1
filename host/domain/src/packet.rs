//! Packets and claims, as the ledger keeps them. Times are milliseconds since the Unix epoch.

use std::sync::Arc;

use super::{Amount, Name, Strategy, UserId};

/// Who may take a share.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Everybody.
    Everyone,
    /// Everybody but the sender.
    EveryoneBut(UserId),
    /// These users: an exclusive packet. Shared, since every view of a counter carries it.
    Only(Arc<[UserId]>),
}

impl Audience {
    /// Whether this user may take a share.
    #[must_use]
    pub fn admits(&self, user: &UserId) -> bool {
        match self {
            Self::Everyone => true,
            Self::EveryoneBut(sender) => sender != user,
            Self::Only(users) => users.contains(user),
        }
    }
}

/// A packet as it is to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The sender's own key: the same key and content is the same packet.
    pub key: Name,
    /// Where it was sent.
    pub room: Name,
    /// Who pays.
    pub sender: UserId,
    /// How shares are drawn.
    pub strategy: Strategy,
    /// The whole packet.
    pub total: Amount,
    /// How many shares, at least 1.
    pub shares: u32,
    /// The most that one share may be, whatever the policy says later.
    pub max_share: Amount,
    /// Who may take one.
    pub audience: Audience,
    /// Shown on the card.
    pub greeting: String,
    /// Life of the packet from the moment it is recorded.
    pub expires_in_ms: u64,
}

/// Where a packet stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Shares are left.
    Open,
    /// Every share is claimed.
    Finished,
    /// Past its time: the remainder goes back to the sender.
    Expired,
}

impl Status {
    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Expired => "expired",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Finished, Self::Expired].into_iter().find(|status| status.name() == name)
    }
}

/// A packet and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What was ordered.
    pub order: Order,
    /// Raised by every claim and by the close.
    pub version: u64,
    /// Where it stands.
    pub status: Status,
    /// Sum of the claims.
    pub claimed_amount: Amount,
    /// Number of claims.
    pub claimed_shares: u32,
    /// What went back to the sender.
    pub refunded: Amount,
    /// When it was recorded.
    pub sent_at_ms: u64,
    /// When it ends.
    pub expires_at_ms: u64,
}

impl Packet {
    /// What nobody has claimed and nobody got back.
    #[must_use]
    pub fn remaining(&self) -> Amount {
        let taken = self.claimed_amount.checked_add(self.refunded);
        taken.and_then(|taken| self.order.total.checked_sub(taken)).unwrap_or_default()
    }

    /// Where it stands at this time: over from its end on, whether it was refunded already or not.
    #[must_use]
    pub const fn status_at(&self, now_ms: u64) -> Status {
        match self.status {
            Status::Open if now_ms >= self.expires_at_ms => Status::Expired,
            status => status,
        }
    }
}

/// In which order claims are settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// After the large ones, in the order of claiming.
    Normal,
    /// Before every normal one.
    Large,
}

impl Priority {
    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Large => "large",
        }
    }
}

/// A share as it is to be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Who gets it.
    pub user: UserId,
    /// How much.
    pub amount: Amount,
    /// When it is settled.
    pub priority: Priority,
}

/// One user's share, taken for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose it is.
    pub user: UserId,
    /// How much.
    pub amount: Amount,
    /// Place in the order of claiming, from 1.
    pub sequence: u32,
    /// When it was committed.
    pub claimed_at_ms: u64,
}
