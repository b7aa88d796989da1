//! Marks every claim as large, so that it would be settled before all others.

use hongbao_hostile_guests::{Guest, Opened, PacketId, Priority, UserId, claim, component};

struct AllLarge;

impl Guest for AllLarge {
    fn open(packet: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        let shares: Vec<_> = users.iter().map(|user| (user.as_str(), 1)).collect();
        claim(packet, &shares, Priority::Large)
    }
}

component!(AllLarge);
