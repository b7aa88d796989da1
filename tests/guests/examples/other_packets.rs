//! Reaches for another packet. The user's name says what it does there, and after a colon which packet
//! that is.

use hongbao_hostile_guests::{
    Grabbed, Guest, PacketId, Priority, Share, UserId, component, counter, first, ledger,
};

struct OtherPackets;

impl Guest for OtherPackets {
    fn grab(_: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        let (deed, other) = first(&users).split_once(':').unwrap_or_default();
        let number = u128::from_str_radix(&other.replace('-', ""), 16).unwrap_or_default();
        let other = PacketId { high: (number >> 64) as u64, low: number as u64 };
        let share = Share { user: first(&users).into(), amount: 1, priority: Priority::Normal };
        match deed {
            "load" => drop(ledger::load(other, &[])),
            "claims" => drop(ledger::claims(other, 0, 100)),
            "claim" => drop(ledger::claim(other, 1, &[share])),
            "close" => drop(ledger::close(other, 1)),
            "look" => drop(counter::load(other, &[])),
            "take" => drop(counter::swap(other, 1, &users)),
            _ => drop(counter::close(other)),
        }
        vec![Grabbed::Contended; users.len()]
    }
}

component!(OtherPackets);
