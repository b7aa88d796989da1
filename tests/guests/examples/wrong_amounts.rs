//! Claims what breaks the invariants, and tells of it as if the ledger had agreed. The user's name says
//! what: nothing, more than there is, a number below zero that wrapped around, not the whole rest.

use hongbao_hostile_guests::{Guest, Opened, PacketId, Priority, UserId, claim, component, first};

struct WrongAmounts;

impl Guest for WrongAmounts {
    fn open(packet: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        let amount = match first(&users) {
            "nothing" => 0,
            "too-much" => 1_000_000,
            "below-zero" => u64::MAX,
            _ => 1,
        };
        let shares: Vec<_> = users.iter().map(|user| (user.as_str(), amount)).collect();
        claim(packet, &shares, Priority::Normal)
    }
}

component!(WrongAmounts);
