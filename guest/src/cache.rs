//! Building a packet's counter: when it is sent, and again when the cache has lost it.

use crate::Host;
use crate::bindings::hongbao::plugin::counter::{Card, OpenedSeat, Opening};
use crate::bindings::hongbao::plugin::types::{Audience, Claim, Error, PacketId};
use crate::host::{Counter, Ledger};

/// How long a counter is kept after its packet's time: late taps are answered without the ledger.
const KEEP_AFTER_EXPIRY_MS: u64 = 10 * 60 * 1000;

/// What came of building a counter again.
pub(crate) enum Rebuilt {
    /// It is there now, built by this call or by another.
    Ready,
    /// There is no such packet.
    NotFound,
    /// A store is overloaded: nothing more is to be asked for now.
    Busy,
    /// The ledger does not answer.
    LedgerAway,
    /// The cache does not answer.
    CounterAway,
}

/// A counter for a packet of `shares`, of which `claims` are taken.
pub(crate) fn opening(
    now_ms: u64,
    expires_at_ms: u64,
    audience: Audience,
    shares: u32,
    claims: Option<Vec<Claim>>,
) -> Opening {
    Opening {
        card: Card { audience, expires_at_ms },
        shares,
        rebuilt: claims.is_some(),
        opened: claims
            .unwrap_or_default()
            .into_iter()
            .map(|claim| OpenedSeat { user: claim.user, amount: claim.amount })
            .collect(),
        ttl_ms: expires_at_ms.saturating_sub(now_ms).saturating_add(KEEP_AFTER_EXPIRY_MS),
    }
}

/// Builds a missing counter from the ledger.
///
/// A claim that commits between the two reads is in the second; one that commits after both is
/// confirmed to the new counter by its own call.
pub(crate) fn rebuild(host: &impl Host, id: PacketId) -> Rebuilt {
    let packet = match host.ledger().load(id, &[]) {
        Ok(Some(loaded)) => loaded.packet,
        Ok(None) => return Rebuilt::NotFound,
        Err(Error::Busy) => return Rebuilt::Busy,
        Err(_) => return Rebuilt::LedgerAway,
    };
    let claims = match host.ledger().claims(id, 0, packet.shares) {
        Ok(claims) => claims,
        Err(Error::Busy) => return Rebuilt::Busy,
        Err(_) => return Rebuilt::LedgerAway,
    };
    let opening = opening(host.now_ms(), packet.expires_at_ms, packet.audience, packet.shares, Some(claims));
    match host.counter().open(id, &opening) {
        Ok(()) => Rebuilt::Ready,
        Err(Error::Busy) => Rebuilt::Busy,
        Err(_) => Rebuilt::CounterAway,
    }
}

/// Whether `user` may take a share at all.
pub(crate) fn is_eligible(audience: &Audience, user: &str) -> bool {
    match audience {
        Audience::Everyone => true,
        Audience::EveryoneBut(sender) => sender != user,
        Audience::Only(users) => users.iter().any(|named| named == user),
    }
}
