//! Panics in every export but `manifest`.

#![expect(clippy::panic, reason = "on purpose")]

use hongbao_hostile_guests::{Grabbed, Guest, Message, Opened, Presser, Reply, Request, Task, component};

struct Panics;

impl Guest for Panics {
    fn send(_: Request) -> Result<(), String> {
        panic!("on purpose")
    }
    fn grab(_: Vec<Task>) -> Vec<Grabbed> {
        panic!("on purpose")
    }
    fn open(_: Vec<Task>) -> Vec<Opened> {
        panic!("on purpose")
    }
    fn preview(_: String, _: u64, _: u32) -> Result<Vec<u64>, String> {
        panic!("on purpose")
    }
    fn command(_: Message) -> Vec<Reply> {
        panic!("on purpose")
    }
    fn action(_: String, _: Vec<Presser>) -> Vec<Vec<Reply>> {
        panic!("on purpose")
    }
}

component!(Panics);
