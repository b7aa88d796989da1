//! Never expires a packet: it says that there is nothing to do.

use hongbao_hostile_guests::{Error, Expired, Guest, PacketId, component, ledger};

struct NoRefunds;

impl Guest for NoRefunds {
    fn expire(packet: PacketId) -> Result<Expired, Error> {
        let loaded = ledger::load(packet, &[])?;
        Ok(match loaded.as_ref().map(|loaded| loaded.packet.greeting.as_str()) {
            Some("not due") => Expired::NotDue,
            Some("not found") => Expired::NotFound,
            Some("busy") => Expired::Busy,
            Some("away") => return Err(Error::Unavailable),
            _ => Expired::Finished,
        })
    }
}

component!(NoRefunds);
