//! A stand-in for a homeserver: one room, whose events it keeps in a list.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::stage::{Answers, Asked, BOT, ROOM};
use crate::card::FIELD;

#[derive(Default)]
pub(super) struct Homeserver {
    /// What the bridge has sent, the oldest first.
    pub(super) sent: Vec<Value>,
    /// The event of each transaction id. A real one forgets them when it ends.
    pub(super) transactions: HashMap<String, String>,
    notes: Option<Value>,
    pub(super) is_encrypted: bool,
    pub(super) joined: Vec<String>,
    pub(super) left: Vec<String>,
}

impl Answers for Homeserver {
    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        let found = match (asked.method.as_str(), path.get(3..).unwrap_or_default()) {
            ("PUT", ["rooms", _, "send", ..]) if self.is_thread_of_a_relation(&asked.body) => {
                return (
                    400,
                    json!({"errcode": "M_UNKNOWN", "error": "Cannot start threads from an event with a relation"}),
                );
            }
            ("PUT", ["rooms", room, "send", kind, transaction]) => {
                return (200, json!({"event_id": self.send(room, kind, transaction, &asked.body)}));
            }
            ("GET", ["rooms", _, "event", id]) => {
                self.sent.iter().find(|event| event["event_id"] == *id).cloned()
            }
            ("GET", ["rooms", _, "relations", id, "m.reference", _]) => {
                Some(json!({"chunk": self.references(id)}))
            }
            ("GET", ["rooms", _, "state", "m.room.encryption", ""]) => self.is_encrypted.then(|| json!({})),
            ("GET", ["user", BOT, "rooms", _, "account_data", _]) => self.notes.clone(),
            ("PUT", ["user", BOT, "rooms", _, "account_data", _]) => {
                self.notes = Some(asked.body.clone());
                Some(json!({}))
            }
            ("POST", ["join", room]) => {
                self.joined.push((*room).to_owned());
                Some(json!({}))
            }
            ("POST", ["rooms", room, "leave"]) => {
                self.left.push((*room).to_owned());
                Some(json!({}))
            }
            _ => None,
        };
        found.map_or_else(
            || (404, json!({"errcode": "M_NOT_FOUND", "error": "not found"})),
            |found| (200, found),
        )
    }
}

impl Homeserver {
    fn send(&mut self, room: &str, kind: &str, transaction: &str, content: &Value) -> String {
        if let Some(known) = self.transactions.get(transaction) {
            return known.clone();
        }
        let id = format!("$sent{}", self.sent.len());
        self.sent
            .push(json!({"event_id": id, "room_id": room, "sender": BOT, "type": kind, "content": content}));
        self.transactions.insert(transaction.to_owned(), id.clone());
        id
    }

    /// By the rules of Matrix.
    fn is_thread_of_a_relation(&self, content: &Value) -> bool {
        let relation = &content["m.relates_to"];
        let root = self.sent.iter().find(|event| event["event_id"] == relation["event_id"]);
        relation["rel_type"] == "m.thread"
            && root.is_some_and(|root| root["content"]["m.relates_to"].is_object())
    }

    fn references(&self, id: &str) -> Vec<Value> {
        let refers = |event: &&Value| {
            let relation = &event["content"]["m.relates_to"];
            relation["rel_type"] == "m.reference" && relation["event_id"] == id
        };
        self.sent.iter().filter(refers).cloned().collect()
    }

    /// The first messages of cards.
    pub(super) fn cards(&self) -> Vec<String> {
        let cards = self.sent.iter().filter(|event| event["content"][FIELD].is_object());
        cards.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) fn edits(&self) -> Vec<Value> {
        let new = self.sent.iter().map(|event| &event["content"]["m.new_content"]);
        new.filter(|content| content.is_object()).cloned().collect()
    }

    /// What was said in threads.
    pub(super) fn notices(&self) -> Vec<String> {
        let notices =
            self.sent.iter().filter(|event| event["content"]["m.relates_to"]["rel_type"] == "m.thread");
        notices.map(|event| event["content"]["body"].as_str().unwrap().to_owned()).collect()
    }

    /// Takes away what the bridge has sent.
    pub(super) fn redact(&mut self, id: &str) {
        let events = self.sent.iter_mut().filter(|event| event["event_id"] == id && event["room_id"] == ROOM);
        events.for_each(|event| event["content"] = json!({}));
    }
}
