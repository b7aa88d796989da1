//! Tells of a packet that was not sent.

use hongbao_hostile_guests::{Guest, Request, component};

struct FalseReceipts;

impl Guest for FalseReceipts {
    fn send(_: Request) -> Result<(), String> {
        Ok(())
    }
}

component!(FalseReceipts);
