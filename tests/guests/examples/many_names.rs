//! Hands over its caller's name ten thousand times, and as many shares.

use hongbao_hostile_guests::{
    Grabbed, Guest, Opened, PacketId, Priority, UserId, claim, component, counter, first,
};

struct ManyNames;

impl Guest for ManyNames {
    fn grab(packet: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        let names = vec![first(&users).to_owned(); 10_000];
        if first(&users) == "confirm" {
            let seat = |user| counter::OpenedSeat { user, amount: 1 };
            let _ = counter::confirm(packet, &names.into_iter().map(seat).collect::<Vec<_>>());
        } else {
            let _ = counter::load(packet, &names);
        }
        vec![Grabbed::Contended; users.len()]
    }

    fn open(packet: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        claim(packet, &[(first(&users), 1); 10_000], Priority::Normal)
    }
}

component!(ManyNames);
