//! Tells that nothing was done when something was, and that a wallet is emptier than it is. What a
//! request's greeting is says which.

use hongbao_hostile_guests::{
    Guest, Imports, Opened, PacketId, Request, SendError, Sent, UserId, component, order, record,
};

struct FalseRefusals;

impl Guest for FalseRefusals {
    fn send(request: Request) -> Result<Sent, SendError> {
        if request.greeting == "poor" {
            return Err(SendError::InsufficientFunds(5));
        }
        let _ = record(&order(&request));
        Err(SendError::InvalidArgument("it was not sent".into()))
    }

    fn open(packet: PacketId, users: Vec<UserId>) -> Vec<Opened> {
        hongbao_guest::open(&Imports, packet, &users);
        vec![Opened::Exhausted; users.len()]
    }
}

component!(FalseRefusals);
