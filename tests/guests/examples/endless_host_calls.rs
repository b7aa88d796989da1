//! Asks the host for ever: for the time, or for a counter.

use hongbao_hostile_guests::{Grabbed, Guest, PacketId, UserId, clock, component, counter, first};

struct EndlessHostCalls;

impl Guest for EndlessHostCalls {
    fn grab(packet: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        loop {
            if first(&users) == "clock" {
                clock::now_ms();
            } else {
                let _ = counter::load(packet, &[]);
            }
        }
    }
}

component!(EndlessHostCalls);
