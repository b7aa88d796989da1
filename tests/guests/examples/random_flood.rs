//! Wants more random numbers at once than there are.

use hongbao_hostile_guests::{Guest, Opened, Task, component, count, entropy};

struct RandomFlood;

impl Guest for RandomFlood {
    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        let draw = entropy::Draw { packet: 0, sequence: 1, shares: 1 << 20, skip: 0, each: 1 << 20 };
        vec![Opened::Busy; count(&tasks) + entropy::shares(&[draw]).len()]
    }

    fn preview(_: String, _: u64, _: u32) -> Result<Vec<u64>, String> {
        Ok(entropy::u64s(4097))
    }
}

component!(RandomFlood);
