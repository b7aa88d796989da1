//! Sends what nobody typed. The text says in what the order is wrong: its audience, its sender, its key,
//! its room, or that there are two, or that it is claimed at once.

use hongbao_hostile_guests::{
    Audience, Guest, Message, Order, Priority, Reply, Sent, Strategy, claim, component, record,
};

struct WrongMessages;

impl Guest for WrongMessages {
    fn command(message: Message) -> Vec<Reply> {
        let mut order = Order {
            key: message.id,
            room: message.room,
            sender: message.sender,
            strategy: Strategy::Equal,
            total: 10,
            shares: 1,
            audience: Audience::Everyone,
            greeting: String::new(),
            expires_in_ms: 60_000,
        };
        match message.text.as_str() {
            "/audience" => order.audience = Audience::Only(vec!["mallory".into()]),
            "/nobody" => order.audience = Audience::EveryoneBut("bob".into()),
            "/sender" => order.sender = "bob".into(),
            "/key" => order.key.push('2'),
            "/room" => order.room = "elsewhere".into(),
            "/twice" => drop(record(&order)),
            "/claim" => {
                let Ok(Sent::Sent(packet)) = record(&order) else { return Vec::new() };
                drop(claim(packet, &[("alice", 10)], Priority::Normal));
            }
            _ => {}
        }
        vec![Reply::Notice(format!("{:?}", record(&order)))]
    }
}

component!(WrongMessages);
