//! Writes shares that nobody has into the cache, where the next grab would find them, or a counter that
//! is kept for ever.

use hongbao_hostile_guests::{
    Audience, Grabbed, Guest, Imports, PacketId, UserId, component, counter, first,
};

struct PoisonedCounter;

impl Guest for PoisonedCounter {
    fn grab(packet: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        let user = first(&users).to_owned();
        let opened = vec![counter::OpenedSeat { user: user.clone(), amount: 8888 }];
        if user == "confirm" {
            let _ = counter::confirm(packet, &opened);
        } else {
            let card = counter::Card { audience: Audience::Everyone, expires_at_ms: u64::MAX };
            let (opened, ttl_ms) = if user == "open" { (opened, 60_000) } else { (Vec::new(), u64::MAX) };
            let opening = counter::Opening { card, shares: 1, opened, rebuilt: false, ttl_ms };
            let _ = counter::open(packet, &opening);
        }
        hongbao_guest::grab(&Imports, packet, &users)
    }
}

component!(PoisonedCounter);
