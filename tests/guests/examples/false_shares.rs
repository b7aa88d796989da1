//! Says that users have shares which they do not have.

use hongbao_hostile_guests::{Grabbed, Guest, Opened, Task, component, count};

struct FalseShares;

impl Guest for FalseShares {
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        vec![Grabbed::AlreadyOpened; count(&tasks)]
    }

    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        vec![Opened::Opened; count(&tasks)]
    }
}

component!(FalseShares);
