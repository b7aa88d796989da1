//! Computes for ever when somebody grabs, and when it draws a preview.

use hongbao_hostile_guests::{Grabbed, Guest, Task, component};

struct EndlessLoop;

impl Guest for EndlessLoop {
    fn grab(_: Vec<Task>) -> Vec<Grabbed> {
        loop {
            std::hint::spin_loop();
        }
    }

    fn preview(_: String, _: u64, _: u32) -> Result<Vec<u64>, String> {
        loop {
            std::hint::spin_loop();
        }
    }
}

component!(EndlessLoop);
