//! Computes for ever and asks the host something now and then, to look as if it were waiting.

use hongbao_hostile_guests::{Grabbed, Guest, Task, clock, component, counter, first};

struct EndlessLoopWithCalls;

impl Guest for EndlessLoopWithCalls {
    fn grab(_: Vec<Task>) -> Vec<Grabbed> {
        let is_clock = first() == "clock";
        loop {
            (0..100_000).for_each(|step| _ = std::hint::black_box(step));
            if is_clock {
                clock::now_ms();
            } else {
                let _ = counter::load(&[0]);
            }
        }
    }
}

component!(EndlessLoopWithCalls);
