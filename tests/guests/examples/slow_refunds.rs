//! Computes for a long time before it refunds, and then does so.

use hongbao_hostile_guests::{Error, Expired, Guest, Imports, PacketId, component};

struct SlowRefunds;

impl Guest for SlowRefunds {
    fn expire(packet: PacketId) -> Result<Expired, Error> {
        (0..150_000_000_u32).for_each(|step| _ = std::hint::black_box(step));
        hongbao_guest::expire(&Imports, packet)
    }
}

component!(SlowRefunds);
