//! Expiry: what is left of a packet that is past its time goes back to its sender, once.

use crate::bindings::exports::hongbao::plugin::packets::Expired;
use crate::bindings::hongbao::plugin::ledger::Closed;
use crate::bindings::hongbao::plugin::types::{Error, PacketId, Status};
use crate::host::{Counter, Ledger};
use crate::{Host, MAX_TRIES};

/// Ends a packet. Whether it is due is the ledger's word too, not only the plugin's.
pub fn expire(host: &impl Host, packet: PacketId) -> Result<Expired, Error> {
    for _ in 0..MAX_TRIES {
        let Some(loaded) = host.ledger().load(packet, &[])? else {
            return Ok(Expired::NotFound);
        };
        match loaded.packet.status {
            Status::Finished => return Ok(Expired::Finished),
            Status::Expired => return Ok(Expired::Already(loaded.packet.refunded)),
            Status::Open if host.now_ms() < loaded.packet.expires_at_ms => return Ok(Expired::NotDue),
            Status::Open => {}
        }
        let outcome = match host.ledger().close(packet, loaded.packet.version)? {
            Closed::Refunded(amount) => Expired::Refunded(amount),
            Closed::Already(amount) => Expired::Already(amount),
            Closed::NotDue => Expired::NotDue,
            Closed::NotFound => Expired::NotFound,
            Closed::Stale => continue,
        };
        // The card carries the time of expiry, so a grab is refused without this as well.
        let _ = host.counter().close(packet);
        return Ok(outcome);
    }
    Ok(Expired::Busy)
}
