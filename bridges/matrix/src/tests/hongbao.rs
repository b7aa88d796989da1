//! A stand-in for Hongbao: packets of three shares, each of which is 3.00.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::stage::{Answers, Asked};

const SHARES: usize = 3;

#[derive(Default)]
pub(super) struct Hongbao {
    /// Who has a share of each packet, which is named by its message.
    pub(super) packets: BTreeMap<String, Vec<String>>,
    /// How often somebody asked for a share.
    pub(super) taps: usize,
    /// Texts as they came in.
    pub(super) texts: Vec<String>,
}

impl Answers for Hongbao {
    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let user = asked.body["user"].as_str().unwrap_or_default();
        match (asked.method.as_str(), path.get(1..).unwrap_or_default()) {
            ("POST", ["rooms", _, "messages"]) => (200, self.say(&asked.body)),
            ("POST", ["packets", packet, "grab-and-open"]) => (200, self.tap(packet, user)),
            ("POST", ["packets", packet, "actions", action]) => (200, self.press(packet, action)),
            ("GET", ["packets", packet]) => (200, self.details(packet)),
            ("GET", ["users", _, "wallet", "statement"]) => (200, json!({"items": []})),
            _ => (404, json!({"type": "urn:hongbao:problem:not-found", "code": "not-found", "detail": "no"})),
        }
    }
}

impl Hongbao {
    fn say(&mut self, message: &Value) -> Value {
        let text = message["text"].as_str().unwrap().to_owned();
        self.texts.push(text.clone());
        let replies = match text.as_str() {
            "/hongbao poor" => {
                json!([{"kind": "problem", "code": "insufficient-funds", "message": "type /hongbao help"}])
            }
            "/hongbao away" => json!([{"kind": "problem", "code": "unavailable", "message": "perhaps"}]),
            "/hongbao what" => json!([]),
            _ => {
                let packet = message["id"].as_str().unwrap().to_owned();
                self.packets.entry(packet.clone()).or_default();
                json!([{"kind": "card", "card": card(&packet, "sealed", "Red packet", &[])}])
            }
        };
        json!({"said": false, "handled": true, "replies": replies})
    }

    fn tap(&mut self, packet: &str, user: &str) -> Value {
        self.taps += 1;
        let Some(claims) = self.packets.get_mut(packet) else { return json!({"outcome": "exhausted"}) };
        let outcome = if claims.iter().any(|one| one == user) {
            "already-opened"
        } else if claims.len() < SHARES {
            claims.push(user.to_owned());
            "opened"
        } else {
            "exhausted"
        };
        json!({"outcome": outcome})
    }

    fn press(&self, packet: &str, action: &str) -> Value {
        let claims = self.packets.get(packet).cloned().unwrap_or_default();
        let mut shown = match action {
            "open" => card(packet, "opened", "¥3.00", &[]),
            "grab" => card(packet, "finished", "All taken", &[]),
            "details" => card(packet, "finished", "Details", &claims),
            _ => card(packet, "sealed", "Red packet", &[]),
        };
        shown["private"] = (action != "show").into();
        json!({"replies": [{"kind": "card", "card": shown}]})
    }

    fn details(&self, packet: &str) -> Value {
        let claimed = self.packets.get(packet).map(Vec::len).unwrap_or_default();
        let state = if claimed == SHARES { "finished" } else { "open" };
        json!({"state": state, "sender": "@alice:a.org", "shares": SHARES, "total": 900, "claimed_amount": 300 * claimed,
            "claimed_shares": claimed, "refunded": 0, "expires_at_ms": u64::MAX, "room": "!room"})
    }
}

fn card(packet: &str, theme: &str, title: &str, claims: &[String]) -> Value {
    let fields: Vec<_> =
        claims.iter().map(|user| json!({"user": user, "label": "#", "value": "¥3.00"})).collect();
    json!({"packet": packet, "private": false, "theme": theme, "title": title, "body": "hi", "fields": fields, "buttons": []})
}
