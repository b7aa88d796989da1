//! Says that nothing was done when something was.

use hongbao_hostile_guests::{
    Grabbed, Guest, Imports, Opened, Request, Task, component, count, ledger, order,
};

struct FalseRefusals;

impl Guest for FalseRefusals {
    fn send(request: Request) -> Result<(), String> {
        let _ = ledger::record(&order(&request));
        Err("it was not sent".into())
    }

    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        hongbao_guest::grab(&Imports, &tasks)
    }

    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        hongbao_guest::open(&Imports, &tasks);
        vec![Opened::Exhausted; count(&tasks)]
    }
}

component!(FalseRefusals);
