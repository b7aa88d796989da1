//! Packets and claims.

use serde::Serialize;
use utoipa::ToSchema;

use hongbao_domain::{ClaimLine, Details, Packet, PacketId, Status, Strategy};

/// Where a packet stands: `expired` from the instant its time is over; the refund follows within seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Status)]
pub(crate) enum StatusName {
    Open,
    Finished,
    Expired,
}

impl From<Status> for StatusName {
    fn from(status: Status) -> Self {
        match status {
            Status::Open => Self::Open,
            Status::Finished => Self::Finished,
            Status::Expired => Self::Expired,
        }
    }
}

/// A packet.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Packet)]
pub(crate) struct PacketView {
    /// Its id, a UUID that sorts by the time of sending.
    #[schema(format = Uuid)]
    packet: String,
    state: StatusName,
    /// Where it was sent.
    room: String,
    /// Who paid.
    sender: String,
    strategy: Strategy,
    /// Shown on the card.
    greeting: String,
    /// The whole packet.
    total: u64,
    /// How many shares.
    shares: u32,
    /// Sum of the claims.
    claimed_amount: u64,
    /// Number of claims.
    claimed_shares: u32,
    /// What went back to the sender.
    refunded: u64,
    /// When it was sent.
    sent_at_ms: u64,
    /// When it ends, or ended.
    expires_at_ms: u64,
}

impl PacketView {
    /// As the ledger keeps it, at this time.
    pub(crate) fn of(id: PacketId, packet: Packet, now_ms: u64) -> Self {
        Self {
            packet: id.to_string(),
            state: packet.status_at(now_ms).into(),
            room: packet.order.room.into_string(),
            sender: packet.order.sender.into_string(),
            strategy: packet.order.strategy,
            greeting: packet.order.greeting,
            total: packet.order.total.get(),
            shares: packet.order.shares,
            claimed_amount: packet.claimed_amount.get(),
            claimed_shares: packet.claimed_shares,
            refunded: packet.refunded.get(),
            sent_at_ms: packet.sent_at_ms,
            expires_at_ms: packet.expires_at_ms,
        }
    }
}

/// A claim as the room sees it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Claim)]
pub(crate) struct ClaimView {
    /// Whose it is.
    user: String,
    amount: u64,
    /// Place in the order of claiming, from 1.
    sequence: u32,
    claimed_at_ms: u64,
    /// The largest claim so far; of equal ones, the first.
    best_luck: bool,
}

impl From<ClaimLine> for ClaimView {
    fn from(claim: ClaimLine) -> Self {
        Self {
            user: claim.user.into_string(),
            amount: claim.amount.get(),
            sequence: claim.sequence,
            claimed_at_ms: claim.claimed_at_ms,
            best_luck: claim.best_luck,
        }
    }
}

/// A packet with its claims.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PacketDetails)]
pub(crate) struct DetailsView {
    #[serde(flatten)]
    packet: PacketView,
    /// In the order of claiming.
    claims: Vec<ClaimView>,
}

impl DetailsView {
    pub(crate) fn of(id: PacketId, details: Details, now_ms: u64) -> Self {
        let packet = PacketView::of(id, details.packet, now_ms);
        Self { packet, claims: details.claims.into_iter().map(ClaimView::from).collect() }
    }
}
