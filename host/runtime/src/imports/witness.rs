//! What the stores said in the course of one call, so that an answer can be held against it.
//!
//! A plugin cannot move money that the ledger does not move; but it could tell a user of money that
//! was never there. So an answer with an amount in it counts only if a store gave that amount in
//! the same call.

use std::collections::{BTreeMap, BTreeSet};

use hongbao_domain::{Amount, Claim, ClaimLine, Details, Packet, PacketId, SendError, Status, UserId};
use hongbao_store::{Loaded, StoreError};

/// A share, as a store told of it. The cache knows no places.
#[derive(Clone, Copy)]
struct Share {
    amount: Amount,
    sequence: Option<u32>,
}

/// What was said in one call.
#[derive(Default)]
pub(super) struct Witness {
    /// Of the call's users, by their place in it. Empty as long as nothing was said.
    own: Vec<Option<Share>>,
    /// Claims that were read, by their sequence: read again, they take no more room.
    claims: BTreeMap<u32, Claim>,
    recorded: Option<PacketId>,
    /// What a wallet holds that had too little for an order.
    held: Option<Amount>,
    recent: BTreeSet<PacketId>,
    packet: Option<Packet>,
    refunded: Option<Amount>,
    /// Why the ledger did not do what it was asked, if asking again makes no sense.
    fault: Option<SendError>,
}

impl Witness {
    pub(super) fn clear(&mut self) {
        self.own.clear();
        self.claims.clear();
        self.recorded = None;
        self.recent.clear();
        self.held = None;
        self.packet = None;
        self.refunded = None;
        self.fault = None;
    }

    /// The ledger refused a call, or is damaged.
    pub(super) fn failed(&mut self, error: &StoreError) {
        self.fault = match error {
            StoreError::Refused(why) => Some(SendError::Refused(why.clone())),
            StoreError::Corrupt(what) => Some(SendError::Damaged(what.clone())),
            StoreError::Overloaded(_) | StoreError::Unavailable(_) => None,
        };
    }

    /// What the ledger said last, if it refused or is damaged.
    pub(super) const fn fault(&self) -> Option<&SendError> {
        self.fault.as_ref()
    }

    /// A share of the call's user at this place.
    pub(super) fn share(&mut self, place: usize, amount: Amount, sequence: Option<u32>) {
        if self.own.len() <= place {
            self.own.resize(place + 1, None);
        }
        if let Some(own) = self.own.get_mut(place) {
            *own = Some(Share { amount, sequence });
        }
    }

    pub(super) fn loaded(&mut self, packet: &Packet) {
        self.packet = Some(packet.clone());
        if packet.status == Status::Expired {
            self.refunded = Some(packet.refunded);
        }
    }

    pub(super) fn claims(&mut self, claims: &[Claim]) {
        self.claims.extend(claims.iter().map(|claim| (claim.sequence, claim.clone())));
    }

    pub(super) const fn refunded(&mut self, amount: Amount) {
        self.refunded = Some(amount);
    }

    pub(super) const fn recorded(&mut self, packet: PacketId) {
        self.recorded = Some(packet);
    }

    pub(super) fn recent(&mut self, packets: &[PacketId]) {
        self.recent.extend(packets);
    }

    pub(super) const fn held(&mut self, amount: Amount) {
        self.held = Some(amount);
    }

    pub(super) fn claims_read(&self) -> usize {
        self.claims.len()
    }

    /// Whether a store gave this packet to the plugin in this call.
    pub(super) fn gave(&self, packet: PacketId) -> bool {
        self.recorded == Some(packet) || self.recent.contains(&packet)
    }

    pub(super) fn has_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// Whether the user at this place has this share. Without a sequence, any place will do.
    pub(super) fn has_share(&self, place: usize, amount: Amount, sequence: Option<u32>) -> bool {
        let own = self.own.get(place).copied().flatten();
        own.is_some_and(|own| own.amount == amount && (sequence.is_none() || own.sequence == sequence))
    }

    /// Whether the ledger said that the user at this place has a share.
    pub(super) fn has_claimed(&self, place: usize) -> bool {
        self.own.get(place).copied().flatten().is_some_and(|own| own.sequence.is_some())
    }

    /// Whether a claim of this user and amount was read, at this sequence or at any.
    pub(super) fn has_claim(&self, user: &UserId, amount: Amount, sequence: Option<u32>) -> bool {
        let is_it = |claim: &Claim| claim.user == *user && claim.amount == amount;
        match sequence {
            Some(sequence) => self.claims.get(&sequence).is_some_and(is_it),
            None => self.claims.values().any(is_it),
        }
    }

    /// Whether the packet that was read is like this, as far as a store can tell.
    pub(super) fn is_like(&self, details: &Details, now_ms: u64) -> bool {
        let Some(packet) = &self.packet else { return false };
        let order = &packet.order;
        let is_over = details.state == Status::Expired && now_ms >= packet.expires_at_ms;
        let is_claim = |line: &ClaimLine| {
            let claim = self.claims.get(&line.sequence);
            claim.is_some_and(|claim| {
                (&claim.user, claim.amount, claim.claimed_at_ms)
                    == (&line.user, line.amount, line.claimed_at_ms)
            })
        };
        (details.state == packet.status || packet.status == Status::Open && is_over)
            && details.room == order.room.as_str()
            && details.sender == order.sender
            && details.strategy == order.strategy
            && details.greeting == order.greeting
            && (details.total, details.shares) == (order.total, order.shares)
            && (details.claimed_amount, details.claimed_shares, details.refunded)
                == (packet.claimed_amount, packet.claimed_shares, packet.refunded)
            && (details.sent_at_ms, details.expires_at_ms) == (packet.sent_at_ms, packet.expires_at_ms)
            && details.claims.len() <= packet.claimed_shares as usize
            && details.claims.iter().all(is_claim)
    }

    pub(super) fn has_held(&self, amount: Amount) -> bool {
        self.held == Some(amount)
    }

    pub(super) fn has_refund(&self, amount: Amount) -> bool {
        self.refunded == Some(amount)
    }
}

/// What a ledger's answer says of the call's users.
pub(super) fn shares_of(loaded: &Loaded) -> impl Iterator<Item = (&UserId, Amount, Option<u32>)> {
    loaded.claims.iter().map(|claim| (&claim.user, claim.amount, Some(claim.sequence)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_again_takes_no_more_room() {
        let user = UserId::new("bob").unwrap();
        let claim = |sequence| Claim { user: user.clone(), amount: Amount::MAX, sequence, claimed_at_ms: 1 };
        let claims: Vec<_> = (1..=10).map(claim).collect();
        let packets: Vec<_> = (1..=10).map(|low| PacketId::from_halves(1, low)).collect();
        let mut witness = Witness::default();
        for _ in 0..100 {
            witness.claims(&claims);
            witness.recent(&packets);
        }
        assert_eq!((witness.claims_read(), witness.recent.len()), (10, 10));
        assert!(witness.has_claim(&user, Amount::MAX, Some(10)) && witness.gave(packets[9]));
        assert!(!witness.has_claim(&user, Amount::MAX, Some(11)));
    }
}
