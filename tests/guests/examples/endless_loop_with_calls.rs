//! Computes for ever and asks the host something now and then, to look as if it were waiting.

use hongbao_hostile_guests::{Grabbed, Guest, PacketId, UserId, clock, component, counter, first};

struct EndlessLoopWithCalls;

impl Guest for EndlessLoopWithCalls {
    fn grab(packet: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        loop {
            (0..100_000).for_each(|step| _ = std::hint::black_box(step));
            if first(&users) == "clock" {
                clock::now_ms();
            } else {
                let _ = counter::load(packet, &[]);
            }
        }
    }
}

component!(EndlessLoopWithCalls);
