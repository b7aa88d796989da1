//! Records another order than it was given. The greeting says in what it differs.

use hongbao_hostile_guests::{Audience, Guest, Request, component, ledger, order};

struct WrongOrders;

impl Guest for WrongOrders {
    fn send(request: Request) -> Result<(), String> {
        let mut order = order(&request);
        match request.greeting.as_str() {
            "total" => order.total += 1,
            "below zero" => order.total = u64::MAX,
            "nothing" => order.total = 0,
            "shares" => order.shares += 1,
            "strategy" => order.strategy = "equal".into(),
            "life" => order.expires_in_ms += 1,
            "audience" => order.audience = Audience::Only(vec![0]),
            "greeting" => order.greeting.push('!'),
            // As it was asked for, with no rule checked.
            _ => {}
        }
        ledger::record(&order);
        Ok(())
    }
}

component!(WrongOrders);
