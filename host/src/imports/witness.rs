//! What the stores said in the course of one call, so that an answer can be held against it.
//!
//! A plugin cannot move money that the ledger does not move; but it could tell a user of money that
//! was never there. So an answer with an amount in it counts only if a store gave that amount in
//! the same call.

use crate::domain::{Amount, Claim, Packet, PacketId, Status, UserId};
use crate::store::Loaded;

/// A share, as a store told of it. The cache knows no places.
#[derive(Clone, Copy)]
struct Share {
    amount: Amount,
    sequence: Option<u32>,
}

/// The numbers of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) total: Amount,
    pub(super) shares: u32,
    pub(super) claimed_amount: Amount,
    pub(super) claimed_shares: u32,
    pub(super) refunded: Amount,
}

/// What was said in one call.
#[derive(Default)]
pub(super) struct Witness {
    /// Of the call's users, by their place in it. Empty as long as nothing was said.
    own: Vec<Option<Share>>,
    /// Claims that were read one after the other.
    claims: Vec<Claim>,
    recorded: Option<PacketId>,
    recent: Vec<PacketId>,
    numbers: Option<Numbers>,
    refunded: Option<Amount>,
}

impl Witness {
    pub(super) fn clear(&mut self) {
        self.own.clear();
        self.claims.clear();
        self.recorded = None;
        self.recent.clear();
        self.numbers = None;
        self.refunded = None;
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
        self.numbers = Some(Numbers {
            total: packet.order.total,
            shares: packet.order.shares,
            claimed_amount: packet.claimed_amount,
            claimed_shares: packet.claimed_shares,
            refunded: packet.refunded,
        });
        if packet.status == Status::Expired {
            self.refunded = Some(packet.refunded);
        }
    }

    pub(super) fn claims(&mut self, claims: &[Claim]) {
        self.claims.extend_from_slice(claims);
    }

    pub(super) const fn refunded(&mut self, amount: Amount) {
        self.refunded = Some(amount);
    }

    pub(super) const fn recorded(&mut self, packet: PacketId) {
        self.recorded = Some(packet);
    }

    pub(super) fn recent(&mut self, packets: &[PacketId]) {
        self.recent.extend_from_slice(packets);
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

    /// Whether a claim of this user and amount was read.
    pub(super) fn has_claim(&self, user: &UserId, amount: Amount, sequence: Option<u32>) -> bool {
        // Claims are mostly read and told in the same order, from the first on.
        let at = sequence.map_or(0, |sequence| sequence.saturating_sub(1) as usize);
        let is_it = |claim: &Claim| {
            claim.user == *user && claim.amount == amount && sequence.is_none_or(|it| it == claim.sequence)
        };
        self.claims.get(at).is_some_and(is_it) || self.claims.iter().any(is_it)
    }

    pub(super) fn has_numbers(&self, numbers: Numbers) -> bool {
        self.numbers == Some(numbers)
    }

    pub(super) fn has_refund(&self, amount: Amount) -> bool {
        self.refunded == Some(amount)
    }
}

/// What a ledger's answer says of the call's users.
pub(super) fn shares_of(loaded: &Loaded) -> impl Iterator<Item = (&UserId, Amount, Option<u32>)> {
    loaded.claims.iter().map(|claim| (&claim.user, claim.amount, Some(claim.sequence)))
}
