//! Wants more random numbers at once than there are.

use hongbao_hostile_guests::{Grabbed, Guest, PacketId, UserId, component, entropy};

struct RandomFlood;

impl Guest for RandomFlood {
    fn grab(_: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        vec![Grabbed::Contended; users.len() + entropy::u64s(4097).len()]
    }
}

component!(RandomFlood);
