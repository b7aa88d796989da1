//! Takes memory for ever.

use hongbao_hostile_guests::{Grabbed, Guest, Task, component};

struct MemoryHog;

impl Guest for MemoryHog {
    fn grab(_: Vec<Task>) -> Vec<Grabbed> {
        let mut hoard = Vec::new();
        loop {
            hoard.push(std::hint::black_box(vec![7_u8; 1 << 20]));
        }
    }
}

component!(MemoryHog);
