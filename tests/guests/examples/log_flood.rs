//! Writes a hundred long lines into the log, and else does what it should.

use hongbao_hostile_guests::{Grabbed, Guest, Imports, Task, component, log};

struct LogFlood;

impl Guest for LogFlood {
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        (0..100).for_each(|_| log::write(log::Level::Error, &"x".repeat(5000)));
        hongbao_guest::grab(&Imports, &tasks)
    }
}

component!(LogFlood);
