//! A packet that was sent, as the stores of a host keep it.

use hongbao_guest::bindings::hongbao::plugin::counter::Seat;
use hongbao_guest::bindings::hongbao::plugin::ledger::{Audience, Order};
use hongbao_guest::bindings::hongbao::plugin::types::Status;

/// A claim as the ledger keeps it.
#[derive(Clone, Debug)]
pub struct Claim {
    pub user: String,
    pub amount: u64,
    pub sequence: u32,
    pub claimed_at_ms: u64,
}

pub struct Sent {
    pub key: String,
    pub room: String,
    pub sender: String,
    pub order: Order,
    /// Those whom it is for; empty for everybody.
    pub to: Vec<String>,
    pub version: u64,
    pub status: Status,
    pub refunded: u64,
    pub sent_at_ms: u64,
    pub claims: Vec<Claim>,
    /// The counter: its version, and who holds a seat that is not opened.
    pub slots_version: u64,
    pub leased: Vec<String>,
}

impl Sent {
    pub fn claimed(&self) -> (u64, u32) {
        (self.claims.iter().map(|claim| claim.amount).sum(), self.claims.len() as u32)
    }

    pub fn expires_at_ms(&self) -> u64 {
        self.sent_at_ms + self.order.expires_in_ms
    }

    pub fn claim_of(&self, user: &str) -> Option<&Claim> {
        self.claims.iter().find(|claim| claim.user == user)
    }

    pub fn free(&self) -> u32 {
        self.order.shares.saturating_sub((self.claims.len() + self.leased.len()) as u32)
    }

    pub fn admits(&self, user: &str) -> bool {
        match self.order.audience {
            Audience::Everyone => true,
            Audience::EveryoneButSender => user != self.sender,
            Audience::Only(_) => self.to.iter().any(|named| named == user),
        }
    }

    pub fn seat_of(&self, user: &str) -> Seat {
        match (self.admits(user), self.claim_of(user)) {
            (false, _) => Seat::NotEligible,
            (_, Some(_)) => Seat::Opened,
            _ if self.leased.iter().any(|name| name == user) => Seat::Leased,
            _ => Seat::None,
        }
    }
}
