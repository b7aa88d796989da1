//! Tells of a packet that was not sent.

use hongbao_hostile_guests::{Guest, PacketId, Request, SendError, Sent, component};

struct FalseReceipts;

impl Guest for FalseReceipts {
    fn send(request: Request) -> Result<Sent, SendError> {
        let id = PacketId { high: 1, low: request.total };
        Ok(if request.greeting == "replayed" { Sent::Replayed(id) } else { Sent::Sent(id) })
    }
}

component!(FalseReceipts);
