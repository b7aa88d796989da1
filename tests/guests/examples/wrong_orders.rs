//! Records another order than it was given. The greeting says in what it differs.

use hongbao_hostile_guests::{Audience, Guest, Request, SendError, Sent, Strategy, component, order, record};

struct WrongOrders;

impl Guest for WrongOrders {
    fn send(request: Request) -> Result<Sent, SendError> {
        let mut order = order(&request);
        match request.greeting.as_str() {
            "total" => order.total += 1,
            "below zero" => order.total = u64::MAX,
            "nothing" => order.total = 0,
            "shares" => order.shares += 1,
            "key" => order.key.push('2'),
            "sender" => order.sender = "bob".into(),
            "room" => order.room = "elsewhere".into(),
            "strategy" => order.strategy = Strategy::Equal,
            "life" => order.expires_in_ms += 1,
            "audience" => order.audience = Audience::Only(vec!["mallory".into()]),
            "greeting" => order.greeting.push('!'),
            // As it was asked for, with no rule checked.
            _ => {}
        }
        record(&order)
    }
}

component!(WrongOrders);
