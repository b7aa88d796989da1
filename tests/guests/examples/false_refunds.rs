//! Tells of a refund that was not made, and makes none.

use hongbao_hostile_guests::{Error, Expired, Guest, PacketId, component};

struct FalseRefunds;

impl Guest for FalseRefunds {
    fn expire(_: PacketId) -> Result<Expired, Error> {
        Ok(Expired::Refunded(100))
    }
}

component!(FalseRefunds);
