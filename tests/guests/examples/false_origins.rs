//! Tells of a packet as of somebody else's, or of another room, or of another time.

use hongbao_hostile_guests::{Error, Guest, Imports, PacketDetails, PacketId, Status, component};

struct FalseOrigins;

impl Guest for FalseOrigins {
    fn details(packet: PacketId) -> Result<Option<PacketDetails>, Error> {
        let Some(mut details) = hongbao_guest::details(&Imports, packet)? else { return Ok(None) };
        match details.greeting.as_str() {
            "sender" => details.sender = "mallory".into(),
            "room" => details.room = "elsewhere".into(),
            "life" => details.expires_at_ms += 1,
            "state" => details.state = Status::Finished,
            _ => details.greeting.push('!'),
        }
        Ok(Some(details))
    }
}

component!(FalseOrigins);
