//! Says why not in words that no platform could show.

use hongbao_hostile_guests::{
    Error, Guest, PacketDetails, PacketId, Request, SendError, Sent, Strategy, component,
};

struct RudeWords;

impl Guest for RudeWords {
    fn send(request: Request) -> Result<Sent, SendError> {
        Err(if request.greeting == "other" {
            SendError::Other(words())
        } else {
            SendError::InvalidArgument(words())
        })
    }

    fn details(_: PacketId) -> Result<Option<PacketDetails>, Error> {
        Err(Error::Other(words()))
    }

    fn preview(_: Strategy, _: u64, _: u32) -> Result<Vec<u64>, String> {
        Err(words())
    }
}

component!(RudeWords);

fn words() -> String {
    "no\u{1b}[31m\u{0}".to_owned() + &"\u{6666}".repeat(10_000)
}
