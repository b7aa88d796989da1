//! Claims what breaks the invariants, and says that it is opened as if the ledger had agreed. The user's name says
//! what: nothing, more than there is, a number below zero that wrapped around, not the whole rest.

use hongbao_hostile_guests::{Guest, Opened, Task, claim, component, count, each, first};

struct WrongAmounts;

impl Guest for WrongAmounts {
    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        let amount = match first().as_str() {
            "nothing" => 0,
            "too-much" => 1_000_000,
            "below-zero" => u64::MAX,
            _ => 1,
        };
        claim(&each(count(&tasks), amount))
    }
}

component!(WrongAmounts);
