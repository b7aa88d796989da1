//! Details: a packet as the room sees it, claims in order, best luck marked.

use crate::Host;
use crate::bindings::exports::hongbao::plugin::packets::{ClaimLine, PacketDetails};
use crate::bindings::hongbao::plugin::ledger::Packet;
use crate::bindings::hongbao::plugin::types::{Claim, Error, PacketId, Status};
use crate::host::Ledger;

/// Reads a packet; None where there is no such packet.
pub fn details(host: &impl Host, id: PacketId) -> Result<Option<PacketDetails>, Error> {
    match load(host, id)? {
        Some(packet) => complete(host, id, packet).map(Some),
        None => Ok(None),
    }
}

/// A packet without its claims; None where there is no such packet.
pub(crate) fn load(host: &impl Host, id: PacketId) -> Result<Option<Packet>, Error> {
    Ok(host.ledger().load(id, &[])?.map(|loaded| loaded.packet))
}

/// The details of a packet that was read already.
pub(crate) fn complete(host: &impl Host, id: PacketId, packet: Packet) -> Result<PacketDetails, Error> {
    // A claim may commit between the two reads; the answer stays with what the first one saw.
    let claims = host.ledger().claims(id, 0, packet.claimed_shares)?;
    let best = best_luck(&claims);
    Ok(PacketDetails {
        state: state(&packet, host.now_ms()),
        room: packet.room,
        sender: packet.sender,
        strategy: packet.strategy,
        greeting: packet.greeting,
        total: packet.total,
        shares: packet.shares,
        claimed_amount: packet.claimed_amount,
        claimed_shares: packet.claimed_shares,
        refunded: packet.refunded,
        sent_at_ms: packet.sent_at_ms,
        expires_at_ms: packet.expires_at_ms,
        claims: claims.into_iter().map(|claim| line(claim, best)).collect(),
    })
}

/// Where a packet stands: over from its end on, whether it was refunded already or not.
pub(crate) fn state(packet: &Packet, now_ms: u64) -> Status {
    match packet.status {
        Status::Open if now_ms >= packet.expires_at_ms => Status::Expired,
        status => status,
    }
}

/// The sequence of the largest claim; of equal ones, the first.
fn best_luck(claims: &[Claim]) -> Option<u32> {
    let luckier = |best: &Claim, claim: &Claim| {
        claim.amount > best.amount || (claim.amount == best.amount && claim.sequence < best.sequence)
    };
    let best = claims.iter().reduce(|best, claim| if luckier(best, claim) { claim } else { best });
    best.map(|claim| claim.sequence)
}

fn line(claim: Claim, best: Option<u32>) -> ClaimLine {
    ClaimLine {
        best_luck: best == Some(claim.sequence),
        user: claim.user,
        amount: claim.amount,
        sequence: claim.sequence,
        claimed_at_ms: claim.claimed_at_ms,
    }
}
