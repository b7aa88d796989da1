//! Events as a homeserver delivers them, read into what a bridge needs to know.

use serde_json::Value;

use crate::json::at;

/// The longest id of an event, a room or a user, in bytes, by Matrix' specification.
const LONGEST_ID: usize = 255;

/// An event of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) room: String,
    pub(crate) sender: String,
    /// By the clock of the sender's server, in milliseconds since the Unix epoch.
    pub(crate) at_ms: u64,
    pub(crate) kind: Kind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Said(Text),
    Reacted {
        /// To which event.
        to: String,
        key: String,
    },
    /// An event was taken away.
    Redacted(String),
    Member {
        user: String,
        now: Membership,
        before: Membership,
    },
    /// A room became encrypted, or a message in one cannot be read.
    Encrypted,
}

/// What somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) body: String,
    /// The same in HTML, where people who are mentioned are links.
    pub(crate) formatted: Option<String>,
    /// The first event of the thread that it is in.
    pub(crate) thread: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    Invited,
    Joined,
    Out,
}

/// Reads an event.
///
/// # Errors
/// Why it is none of a bridge's business, in a few words for the log.
pub(crate) fn read(event: &Value) -> Result<Event, &'static str> {
    let id = |name: &str, sigil: char| {
        let text =
            at(event, &[name]).as_str().filter(|text| text.starts_with(sigil) && text.len() <= LONGEST_ID);
        text.filter(|text| !text.chars().any(char::is_control)).map(str::to_owned)
    };
    let (Some(room), Some(sender)) = (id("room_id", '!'), id("sender", '@').filter(|id| id.contains(':')))
    else {
        return Err("it has no room or no sender");
    };
    let event_id = id("event_id", '$').ok_or("it has no id")?;
    let kind = at(event, &["type"]).as_str().ok_or("it has no type")?;
    let is_state = event.get("state_key").is_some();
    let kind = match (kind, is_state) {
        ("m.room.message", false) => said(at(event, &["content"]))?,
        ("m.reaction", false) => reacted(at(event, &["content"]))?,
        ("m.room.redaction", false) => redacted(event)?,
        ("m.room.member", true) => member(event)?,
        ("m.room.encryption", true) | ("m.room.encrypted", false) => Kind::Encrypted,
        _ => return Err("it is of another kind"),
    };
    let at_ms = at(event, &["origin_server_ts"]).as_u64().unwrap_or_default();
    Ok(Event { id: event_id, room, sender, at_ms, kind })
}

/// The name of the server that a user is of.
pub(crate) fn server(user: &str) -> &str {
    user.split_once(':').map_or("", |(_, server)| server)
}

fn said(content: &Value) -> Result<Kind, &'static str> {
    let relation = at(content, &["m.relates_to"]);
    if at(relation, &["rel_type"]) == "m.replace" {
        return Err("it is an edit");
    }
    // A notice is a program's: two bots that answer each other would never end.
    if at(content, &["msgtype"]) != "m.text" {
        return Err("it is no text, or it was redacted");
    }
    let body = at(content, &["body"]).as_str().ok_or("it has no body")?.to_owned();
    let is_html = at(content, &["format"]) == "org.matrix.custom.html";
    let formatted = at(content, &["formatted_body"]).as_str().filter(|_| is_html).map(str::to_owned);
    let thread = at(relation, &["event_id"]).as_str().filter(|_| at(relation, &["rel_type"]) == "m.thread");
    Ok(Kind::Said(Text { body, formatted, thread: thread.map(str::to_owned) }))
}

fn reacted(content: &Value) -> Result<Kind, &'static str> {
    let relation = at(content, &["m.relates_to"]);
    let (to, key) = (at(relation, &["event_id"]).as_str(), at(relation, &["key"]).as_str());
    match (to, key) {
        (Some(to), Some(key)) if at(relation, &["rel_type"]) == "m.annotation" && to.len() <= LONGEST_ID => {
            Ok(Kind::Reacted { to: to.to_owned(), key: key.to_owned() })
        }
        _ => Err("it is a reaction to nothing, or it was redacted"),
    }
}

/// Since room version 11 the id is in the content.
fn redacted(event: &Value) -> Result<Kind, &'static str> {
    let id = at(event, &["content", "redacts"]).as_str().or_else(|| at(event, &["redacts"]).as_str());
    id.map(|id| Kind::Redacted(id.to_owned())).ok_or("it redacts nothing")
}

fn member(event: &Value) -> Result<Kind, &'static str> {
    let membership = |content: &Value| match at(content, &["membership"]).as_str() {
        Some("invite") => Membership::Invited,
        Some("join") => Membership::Joined,
        _ => Membership::Out,
    };
    let user = at(event, &["state_key"]).as_str().ok_or("it is about nobody")?.to_owned();
    let before = membership(at(event, &["unsigned", "prev_content"]));
    Ok(Kind::Member { user, now: membership(at(event, &["content"])), before })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, content: Value) -> Value {
        json!({"event_id": "$e", "room_id": "!r:a.org", "sender": "@bob:a.org", "origin_server_ts": 7,
            "type": kind, "content": content})
    }

    fn kind(kind: &str, content: Value) -> Result<Kind, &'static str> {
        read(&event(kind, content)).map(|event| event.kind)
    }

    #[test]
    fn what_people_do_is_read() {
        let read_event = read(&event("m.room.message", json!({"msgtype": "m.text", "body": "hi"}))).unwrap();
        let text = Text { body: "hi".into(), formatted: None, thread: None };
        let whole = Event {
            id: "$e".into(),
            room: "!r:a.org".into(),
            sender: "@bob:a.org".into(),
            at_ms: 7,
            kind: Kind::Said(text),
        };
        assert_eq!(read_event, whole);
        let tap = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": "$c", "key": "🧧"}});
        assert_eq!(kind("m.reaction", tap), Ok(Kind::Reacted { to: "$c".into(), key: "🧧".into() }));
        let gone = Ok(Kind::Redacted("$x".into()));
        assert_eq!(kind("m.room.redaction", json!({"redacts": "$x"})), gone);
        let mut old = event("m.room.redaction", json!({}));
        old["redacts"] = "$x".into();
        assert_eq!(read(&old).map(|event| event.kind), gone);
        assert_eq!(
            kind("m.room.encrypted", json!({"algorithm": "m.megolm.v1.aes-sha2"})),
            Ok(Kind::Encrypted)
        );
    }

    #[test]
    fn a_message_in_a_thread_says_which() {
        let content = json!({"msgtype": "m.text", "body": "a",
            "m.relates_to": {"rel_type": "m.thread", "event_id": "$root"}});
        let Ok(Kind::Said(text)) = kind("m.room.message", content) else { panic!("no text") };
        assert_eq!(text.thread.as_deref(), Some("$root"));
    }

    #[test]
    fn a_member_comes_and_goes() {
        let mut join = event("m.room.member", json!({"membership": "join"}));
        join["state_key"] = "@bot:a.org".into();
        join["unsigned"] = json!({"prev_content": {"membership": "invite"}});
        let member = |now, before| Kind::Member { user: "@bot:a.org".into(), now, before };
        assert_eq!(read(&join).unwrap().kind, member(Membership::Joined, Membership::Invited));
        join["content"] = json!({"membership": "ban"});
        join["unsigned"] = Value::Null;
        assert_eq!(read(&join).unwrap().kind, member(Membership::Out, Membership::Out));
    }

    #[test]
    fn what_is_none_of_ours_is_refused_with_a_reason() {
        let edit = json!({"msgtype": "m.text", "body": "* hi", "m.relates_to": {"rel_type": "m.replace", "event_id": "$e"}});
        assert!(kind("m.room.message", edit).is_err());
        for content in [
            json!({}),
            json!([]),
            json!({"msgtype": "m.notice", "body": "hi"}),
            json!({"msgtype": "m.text"}),
            json!({"msgtype": "m.text", "body": 7}),
            Value::Null,
        ] {
            assert!(kind("m.room.message", content).is_err());
        }
        for content in [
            json!({}),
            json!({"m.relates_to": {"rel_type": "m.annotation", "key": "🧧"}}),
            json!({"m.relates_to": {"rel_type": "m.thread", "event_id": "$c", "key": "🧧"}}),
            json!({"m.relates_to": [1]}),
        ] {
            assert!(kind("m.reaction", content).is_err());
        }
        assert!(kind("org.example.new", json!({})).is_err());
        assert!(kind("m.room.redaction", json!({})).is_err());
    }

    #[test]
    fn an_event_that_is_not_shaped_like_one_is_refused() {
        for broken in [Value::Null, json!(7), json!("m.room.message"), json!([[]]), json!({})] {
            assert!(read(&broken).is_err(), "{broken}");
        }
        for (name, value) in [
            ("event_id", json!("e")),
            ("event_id", json!(format!("${}", "e".repeat(255)))),
            ("room_id", json!("r:a.org")),
            ("room_id", json!("!r\n:a.org")),
            ("sender", json!("@bob")),
            ("sender", json!("bob:a.org")),
            ("sender", Value::Null),
            ("type", json!(["m.room.message"])),
        ] {
            let mut broken = event("m.room.message", json!({"msgtype": "m.text", "body": "hi"}));
            broken[name] = value;
            assert!(read(&broken).is_err(), "{broken}");
        }
    }
}
