//! Outcomes of operations for users: closed enums, each case final or worth retrying.

use std::cmp::Reverse;

use super::{Amount, Claim, Name, Packet, PacketId, Strategy, UserId, one_line};

/// A packet as the sender asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Unique among the sender's requests: a request repeated with its key sends once. Ids of chat
    /// messages are others, whatever they look like.
    pub key: String,
    /// Where it is sent.
    pub room: String,
    /// Who pays.
    pub sender: UserId,
    /// None takes the policy's default.
    pub strategy: Option<Strategy>,
    /// The whole packet, in minor units.
    pub total: u64,
    /// How many shares.
    pub shares: u32,
    /// Empty for everybody; otherwise the packet is exclusive to these users.
    pub to: Vec<UserId>,
    /// Shown on the card.
    pub greeting: String,
    /// None takes the policy's default.
    pub expires_in_ms: Option<u64>,
}

impl Request {
    /// Whether a plugin can be asked for it; otherwise what is wrong with its names, in a sentence.
    ///
    /// # Errors
    /// The sentence.
    pub fn check(&self) -> Result<(), String> {
        Name::new(self.key.as_str()).map_err(|error| format!("the key {error}"))?;
        Name::new(self.room.as_str()).map_err(|error| format!("the name of a room {error}"))?;
        let mut named: Vec<&UserId> = self.to.iter().collect();
        named.sort_unstable();
        match named.windows(2).find(|pair| pair.first() == pair.last()) {
            Some([twice, ..]) => Err(format!("to names {} twice", one_line(twice.as_str()))),
            _ => Ok(()),
        }
    }
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// By this request.
    Sent(PacketId),
    /// By an earlier request with the same key and content. Nothing moved.
    Replayed(PacketId),
}

/// Why a packet was not sent. Nothing moved, save that `Unavailable` leaves it unknown: ask
/// again with the same key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The request breaks a rule, said in one sentence.
    InvalidArgument(String),
    /// The key belongs to another request.
    KeyReused,
    /// The sender's wallet holds only this much.
    InsufficientFunds(Amount),
    /// A store is overloaded. Nothing moved; ask again later.
    Busy,
    /// A store does not answer.
    Unavailable,
    /// The ledger refused the packet, in its words. Nothing moved.
    Refused(String),
    /// The ledger cannot be used until somebody mends it, in its words.
    Damaged(String),
    /// Anything else that the plugin says, in words.
    Other(String),
}

/// A user's answer to a grab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grabbed {
    /// No such packet.
    NotFound,
    /// Not meant for this user.
    NotEligible,
    /// Opened before, for this amount.
    AlreadyOpened(Amount),
    /// Past its time.
    Expired,
    /// Holds a seat already and may open.
    AlreadyGrabbed,
    /// No slot is free.
    Exhausted,
    /// Holds a seat now and may open.
    Admitted,
    /// Lost the race too often, or the cache is away: may open, and the ledger decides.
    Contended,
    /// A store is overloaded. No seat was taken; ask again later.
    Busy,
    /// A store does not answer. Ask again.
    Unavailable,
}

impl Grabbed {
    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::NotEligible => "not-eligible",
            Self::AlreadyOpened(_) => "already-opened",
            Self::Expired => "expired",
            Self::AlreadyGrabbed => "already-grabbed",
            Self::Exhausted => "exhausted",
            Self::Admitted => "admitted",
            Self::Contended => "contended",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether the user may go on to open.
    #[must_use]
    pub const fn may_open(self) -> bool {
        matches!(self, Self::Admitted | Self::AlreadyGrabbed | Self::Contended)
    }
}

/// A share as its owner sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedShare {
    /// How much.
    pub amount: Amount,
    /// Place in the order of claiming, from 1.
    pub sequence: u32,
}

/// A user's answer to an open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// No such packet.
    NotFound,
    /// Opened before.
    AlreadyOpened(OpenedShare),
    /// Past its time.
    Expired,
    /// Holds no seat, or its lease has ended.
    NotGrabbed,
    /// Every share is claimed.
    Exhausted,
    /// Claimed now, for good.
    Opened(OpenedShare),
    /// Lost the race for the ledger too often, or a store is overloaded. Nothing was claimed and
    /// the seat stays; ask again later.
    Busy,
    /// The ledger does not answer. The seat stays; ask again.
    Unavailable,
}

impl Opened {
    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::AlreadyOpened(_) => "already-opened",
            Self::Expired => "expired",
            Self::NotGrabbed => "not-grabbed",
            Self::Exhausted => "exhausted",
            Self::Opened(_) => "opened",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
        }
    }
}

/// Answer to an expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expired {
    /// No such packet.
    NotFound,
    /// Not past its time yet.
    NotDue,
    /// Every share was claimed: nothing to refund.
    Finished,
    /// This much went back to the sender now.
    Refunded(Amount),
    /// It had expired before, with this refund.
    Already(Amount),
    /// Claims kept coming. Ask again.
    Busy,
}

/// A claim as the room sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimLine {
    /// Whose it is.
    pub user: UserId,
    /// How much.
    pub amount: Amount,
    /// Place in the order of claiming, from 1.
    pub sequence: u32,
    /// When it was committed.
    pub claimed_at_ms: u64,
    /// The largest claim so far; of equal ones, the first.
    pub best_luck: bool,
}

/// A packet as the room sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// Its status is `Expired` from the instant its time is over; the refund follows within a sweep.
    pub packet: Packet,
    /// In the order of claiming.
    pub claims: Vec<ClaimLine>,
}

impl Details {
    /// A packet and its claims in the order of claiming, as they stand at this time.
    #[must_use]
    pub fn of(mut packet: Packet, claims: Vec<Claim>, now_ms: u64) -> Self {
        packet.status = packet.status_at(now_ms);
        // Of equal ones the first is the luckiest.
        let best = claims.iter().max_by_key(|claim| (claim.amount, Reverse(claim.sequence)));
        let best = best.map(|claim| claim.sequence);
        let line = |claim: Claim| ClaimLine {
            best_luck: best == Some(claim.sequence),
            user: claim.user,
            amount: claim.amount,
            sequence: claim.sequence,
            claimed_at_ms: claim.claimed_at_ms,
        };
        Self { packet, claims: claims.into_iter().map(line).collect() }
    }
}
