//! Gives too few answers, or too many.

use hongbao_hostile_guests::{Grabbed, Guest, Opened, PacketId, Press, Reply, UserId, component, first};

struct WrongCounts;

impl Guest for WrongCounts {
    fn grab(_: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        vec![Grabbed::Admitted; if first(&users) == "few" { 0 } else { users.len() + 1 }]
    }

    fn open(_: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        vec![Opened::Exhausted; if first(&users) == "few" { 0 } else { users.len() + 1 }]
    }

    fn action(press: Press) -> Vec<Vec<Reply>> {
        vec![Vec::new(); if press.action == "few" { 0 } else { press.by.len() + 1 }]
    }
}

component!(WrongCounts);
