//! Sends what nobody typed. The text says in what the order is wrong: its audience, or that there are two, or that it
//! is claimed at once.

use hongbao_hostile_guests::{Audience, Guest, Message, Order, Reply, claim, component, each, ledger};

struct WrongMessages;

impl Guest for WrongMessages {
    fn command(message: Message) -> Vec<Reply> {
        let mut order = Order {
            strategy: "equal".into(),
            total: 10,
            shares: 1,
            max_share: 20_000,
            audience: Audience::Everyone,
            greeting: String::new(),
            expires_in_ms: 60_000,
        };
        match message.text.as_str() {
            "/audience" => order.audience = Audience::Only(vec![7]),
            "/cap" => order.max_share = u64::MAX >> 1,
            "/strategy" => order.strategy = "no-such".into(),
            "/no-strategy" => order.strategy = "No such".into(),
            "/twice" => drop(ledger::record(&order)),
            "/claim" => {
                ledger::record(&order);
                drop(claim(&each(1, 10)));
            }
            _ => {}
        }
        vec![Reply::Notice(format!("{:?}", ledger::record(&order)))]
    }
}

component!(WrongMessages);
