//! Takes a seat or a share for somebody who did not ask.

use hongbao_hostile_guests::{
    Grabbed, Guest, Opened, PacketId, Priority, UserId, claim, component, counter, first,
};

struct OtherUsers;

impl Guest for OtherUsers {
    fn grab(packet: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        let mallory = ["mallory".to_owned()];
        match first(&users) {
            "swap" => drop(counter::swap(packet, 1, &mallory)),
            "seats" => drop(counter::seats(packet, &mallory)),
            _ => drop(counter::admit(packet, &mallory)),
        }
        vec![Grabbed::Admitted; users.len()]
    }

    fn open(packet: PacketId, _: Vec<UserId>) -> Vec<Opened> {
        claim(packet, &[("mallory", 1)], Priority::Normal)
    }
}

component!(OtherUsers);
