//! Calls itself for ever.

use hongbao_hostile_guests::{Grabbed, Guest, PacketId, UserId, component};

struct StackOverflow;

impl Guest for StackOverflow {
    fn grab(_: PacketId, users: Vec<UserId>) -> Vec<Grabbed> {
        vec![Grabbed::Exhausted; deeper(users.len())]
    }
}

component!(StackOverflow);

#[expect(unconditional_recursion, reason = "on purpose")]
fn deeper(depth: usize) -> usize {
    std::hint::black_box(deeper(depth + 1)) + depth
}
