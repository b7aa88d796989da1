//! Hands huge things to the host: a string, and lists of millions of elements.

use hongbao_hostile_guests::{
    Audience, Grabbed, Guest, Order, Task, component, count, counter, first, ledger, log,
};

const ATTEMPT: counter::Attempt = counter::Attempt { packet: 0, version: 1, users: 1 };

struct HugeArguments;

impl Guest for HugeArguments {
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        match first().as_str() {
            "string" => log::write(log::Level::Info, &"x".repeat(5 << 20)),
            "list" => drop(counter::load(&vec![0; 1_500_000])),
            "places" => drop(ledger::record(&order(vec![0; 1_500_000]))),
            _ => drop(counter::swap(&vec![ATTEMPT; 400_000], &[])),
        }
        vec![Grabbed::Contended; count(&tasks)]
    }
}

component!(HugeArguments);

fn order(places: Vec<u32>) -> Order {
    let (strategy, greeting) = ("equal".into(), String::new());
    let audience = Audience::Only(places);
    Order { strategy, total: 1, shares: 1, max_share: 1, audience, greeting, expires_in_ms: 1 }
}
