//! Calls itself for ever.

use hongbao_hostile_guests::{Grabbed, Guest, Task, component};

struct StackOverflow;

impl Guest for StackOverflow {
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        vec![Grabbed::Exhausted; deeper(tasks.len())]
    }
}

component!(StackOverflow);

#[expect(unconditional_recursion, reason = "on purpose")]
fn deeper(depth: usize) -> usize {
    std::hint::black_box(deeper(depth + 1)) + depth
}
