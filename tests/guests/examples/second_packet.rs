//! Sends what was asked for twice.

use hongbao_hostile_guests::{Guest, Request, SendError, Sent, component, order, record};

struct SecondPacket;

impl Guest for SecondPacket {
    fn send(request: Request) -> Result<Sent, SendError> {
        record(&order(&request))?;
        record(&order(&request))
    }
}

component!(SecondPacket);
