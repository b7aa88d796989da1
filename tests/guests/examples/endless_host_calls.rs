//! Asks the host for ever: for the time, or for a counter.

use hongbao_hostile_guests::{Grabbed, Guest, Task, clock, component, counter, first};

struct EndlessHostCalls;

impl Guest for EndlessHostCalls {
    fn grab(_: Vec<Task>) -> Vec<Grabbed> {
        let is_clock = first() == "clock";
        loop {
            if is_clock {
                clock::now_ms();
            } else {
                let _ = counter::load(&[0]);
            }
        }
    }
}

component!(EndlessHostCalls);
