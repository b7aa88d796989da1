//! Panics in every export but `manifest`.

#![expect(clippy::panic, reason = "on purpose")]

use hongbao_hostile_guests::{
    Error, Expired, Grabbed, Guest, Message, Opened, PacketDetails, PacketId, Press, Reply, Request,
    SendError, Sent, Strategy, UserId, component,
};

struct Panics;

impl Guest for Panics {
    fn send(_: Request) -> Result<Sent, SendError> {
        panic!("on purpose")
    }
    fn grab(_: PacketId, _: Vec<UserId>) -> Vec<Grabbed> {
        panic!("on purpose")
    }
    fn open(_: PacketId, _: Vec<UserId>) -> Vec<Opened> {
        panic!("on purpose")
    }
    fn expire(_: PacketId) -> Result<Expired, Error> {
        panic!("on purpose")
    }
    fn details(_: PacketId) -> Result<Option<PacketDetails>, Error> {
        panic!("on purpose")
    }
    fn preview(_: Strategy, _: u64, _: u32) -> Result<Vec<u64>, String> {
        panic!("on purpose")
    }
    fn command(_: Message) -> Vec<Reply> {
        panic!("on purpose")
    }
    fn action(_: Press) -> Vec<Vec<Reply>> {
        panic!("on purpose")
    }
}

component!(Panics);
