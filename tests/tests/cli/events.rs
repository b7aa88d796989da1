//! Events, and plays that check their answers.

use serde_json::{Value, json};

use crate::process::Play;

pub fn op(name: &str) -> Value {
    json!({ "op": name })
}

pub fn fund(user: &str, amount: u64) -> Value {
    json!({ "op": "fund", "user": user, "amount": amount })
}

pub fn balance(user: &str) -> Value {
    json!({ "op": "balance", "user": user })
}

pub fn grab(packet: &str, user: &str) -> Value {
    json!({ "op": "grab", "ref": packet, "user": user })
}

pub fn open(packet: &str, user: &str) -> Value {
    json!({ "op": "open", "ref": packet, "user": user })
}

pub fn details(packet: &str) -> Value {
    json!({ "op": "details", "ref": packet })
}

pub fn advance(ms: u64) -> Value {
    json!({ "op": "advance", "ms": ms })
}

pub fn together(events: impl IntoIterator<Item = Value>) -> Value {
    json!({ "op": "together", "events": events.into_iter().collect::<Vec<_>>() })
}

/// A packet from alice to the room.
pub fn lucky(packet: &str, total: u64, shares: u32) -> Value {
    let (room, sender, kind) = ("r1", "alice", "lucky");
    json!({ "op": "send", "ref": packet, "room": room, "sender": sender, "kind": kind, "total": total, "shares": shares })
}

/// The same, with shares that are known beforehand.
pub fn equal(packet: &str, total: u64, shares: u32) -> Value {
    with(lucky(packet, total, shares), json!({ "kind": "equal" }))
}

/// The first, with what the second says otherwise or besides.
pub fn with(mut one: Value, other: Value) -> Value {
    let Value::Object(other) = other else { panic!("{other} has no fields") };
    one.as_object_mut().unwrap().extend(other);
    one
}

pub fn outcome(name: &str) -> Value {
    json!({ "outcome": name })
}

/// A play in memory with alice's wallet filled.
pub fn play() -> Play {
    play_with(&[])
}

/// The same, with further arguments.
pub fn play_with(args: &[&str]) -> Play {
    let mut play = Play::start(args);
    play.tell(&fund("alice", 1_000_000));
    play
}

impl Play {
    /// Says an event, and checks every field of its answer: the event's names and `expected`.
    #[track_caller]
    pub fn check(&mut self, event: Value, expected: Value) {
        let mut answer = self.tell(&event);
        let fields = answer.as_object_mut().unwrap();
        ["op", "ref", "user"].iter().for_each(|name| drop(fields.remove(*name)));
        assert_eq!(answer, expected, "{event}");
    }

    /// Says an event that must fail, and gives its sentence.
    #[track_caller]
    pub fn refuses(&mut self, event: Value, code: &str) -> String {
        let answer = self.tell(&event);
        assert_eq!(answer["error"]["code"], code, "{event}: {answer}");
        assert_eq!(answer.get("outcome"), None, "{event}: {answer}");
        sentence(&answer["error"])
    }

    /// Sends a packet, and gives its id.
    #[track_caller]
    pub fn send(&mut self, event: Value) -> String {
        let answer = self.tell(&event);
        assert_eq!(answer["outcome"], "sent", "{event}: {answer}");
        answer["packet"].as_str().unwrap().to_owned()
    }

    /// Takes a seat and opens; gives the amount.
    #[track_caller]
    pub fn take(&mut self, packet: &str, user: &str) -> u64 {
        self.check(grab(packet, user), outcome("admitted"));
        let answer = self.tell(&open(packet, user));
        assert_eq!(answer["outcome"], "opened", "{answer}");
        answer["amount"].as_u64().unwrap()
    }

    /// Ends a play in which nothing was lost and every line was an event.
    #[track_caller]
    pub fn end_well(self) -> Value {
        let (summary, ended) = self.end();
        assert_eq!(summary["conserved"], true, "{summary}");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        summary
    }
}

/// The message of an error: one line, and something to read.
#[track_caller]
pub fn sentence(error: &Value) -> String {
    let message = error["message"].as_str().unwrap();
    assert!(message.len() > 10 && !message.contains('\n'), "{message:?} is no sentence");
    message.to_owned()
}
