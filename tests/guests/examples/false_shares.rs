//! Tells users of shares that they do not have.

use hongbao_hostile_guests::{Grabbed, Guest, Opened, OpenedShare, PacketId, UserId, component, first};

struct FalseShares;

impl Guest for FalseShares {
    fn grab(_: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        vec![Grabbed::AlreadyOpened(8888); users.len()]
    }

    fn open(_: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        let share = OpenedShare { amount: 8888, sequence: 1 };
        let told =
            if first(&users) == "already" { Opened::AlreadyOpened(share) } else { Opened::Opened(share) };
        vec![told; users.len()]
    }
}

component!(FalseShares);
