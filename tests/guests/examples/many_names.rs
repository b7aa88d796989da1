//! Hands over its caller ten thousand times, and as many shares.

use hongbao_hostile_guests::{Grabbed, Guest, Opened, Share, Task, claim, component, count, counter};

struct ManyNames;

impl Guest for ManyNames {
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        let group = counter::Group { packet: 0, users: 10_000 };
        let _ = counter::admit(&[group], &[0; 10_000]);
        vec![Grabbed::Contended; count(&tasks)]
    }

    fn open(_: Vec<Task>) -> Vec<Opened> {
        claim(&[Share { user: 0, amount: 1 }; 10_000])
    }
}

component!(ManyNames);
