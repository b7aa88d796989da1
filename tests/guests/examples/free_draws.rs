//! Wants random numbers that belong to no share where it opens one, and those of shares where it opens none.

use hongbao_hostile_guests::{Grabbed, Guest, Opened, Request, Task, component, count, entropy};

struct FreeDraws;

impl Guest for FreeDraws {
    fn send(_: Request) -> Result<(), String> {
        entropy::shares(&[entropy::Draw { packet: 0, sequence: 1, shares: 1, skip: 0, each: 1 }]);
        Ok(())
    }

    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        entropy::u64s(1);
        vec![Grabbed::Contended; count(&tasks)]
    }

    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        entropy::u64s(1);
        vec![Opened::Busy; count(&tasks)]
    }
}

component!(FreeDraws);
