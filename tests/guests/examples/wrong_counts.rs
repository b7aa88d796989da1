//! Gives too few answers, or too many.

use hongbao_hostile_guests::{Grabbed, Guest, Opened, Presser, Reply, Task, component, count, first};

struct WrongCounts;

impl Guest for WrongCounts {
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        vec![Grabbed::Admitted; if first() == "few" { 0 } else { count(&tasks) + 1 }]
    }

    fn open(tasks: Vec<Task>) -> Vec<Opened> {
        vec![Opened::Exhausted; if first() == "few" { 0 } else { count(&tasks) + 1 }]
    }

    fn action(action: String, by: Vec<Presser>) -> Vec<Vec<Reply>> {
        vec![Vec::new(); if action == "few" { 0 } else { by.len() + 1 }]
    }
}

component!(WrongCounts);
