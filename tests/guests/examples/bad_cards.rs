//! Answers a press with what no platform could show. The action says what is wrong with it.

use hongbao_hostile_guests::{Card, Guest, Presser, Reply, chat, component};

struct BadCards;

impl Guest for BadCards {
    fn action(action: String, by: Vec<Presser>) -> Vec<Vec<Reply>> {
        let mut card = Card {
            packet: Some(0),
            private: false,
            theme: chat::Theme::Sealed,
            title: "title".into(),
            body: "body".into(),
            fields: vec![field("label")],
            buttons: vec![button("open")],
        };
        let mut parts = 1;
        match action.as_str() {
            "control" => card.title.push('\u{7}'),
            "long" => card.body = "x".repeat(4097),
            "other-packet" => card.packet = Some(1),
            "no-packet" => card.packet = None,
            "fields" => card.fields = vec![field("label"); 10_000],
            "field" => card.fields = vec![field("a\tb")],
            "user" => card.fields = vec![chat::Field { user: Some(String::new()), ..field("label") }],
            "buttons" => card.buttons = vec![button("open"); 9],
            "button" => card.buttons = vec![button("Open it!")],
            "parts" => parts = 9,
            "code" => {
                let problem = chat::Problem { code: "Not a code".into(), message: String::new() };
                return vec![vec![Reply::Problem(problem)]; by.len()];
            }
            _ => {}
        }
        vec![vec![Reply::Card(card); parts]; by.len()]
    }
}

component!(BadCards);

fn field(label: &str) -> chat::Field {
    chat::Field { user: None, label: label.into(), value: "value".into() }
}

fn button(action: &str) -> chat::Button {
    chat::Button { action: action.into(), label: "label".into(), emphasis: chat::Emphasis::Normal }
}
