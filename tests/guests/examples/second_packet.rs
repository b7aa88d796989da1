//! Sends what was asked for twice.

use hongbao_hostile_guests::{Guest, Request, component, ledger, order};

struct SecondPacket;

impl Guest for SecondPacket {
    fn send(request: Request) -> Result<(), String> {
        ledger::record(&order(&request));
        ledger::record(&order(&request));
        Ok(())
    }
}

component!(SecondPacket);
