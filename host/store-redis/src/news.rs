//! Encoding of room events in Redis.
//!
//! A room is two keys with one hash tag, so that a cluster keeps both in one slot:
//!
//! | key | type | holds |
//! |---|---|---|
//! | `{namespace}:events/{{length:tenant/room}}` | stream | entries of a `subject` and an `event` |
//! | `{namespace}:events/{{length:tenant/room}}:told` | hash | `first`, `dropped`, `last`: places; `many`: see the script; `:…`: what was last told of a subject |
//!
//! The tenant's length in bytes comes first: it keeps two rooms apart whose names run into each other,
//! and the tag from being an empty one. No namespace has a slash, so no key of a counter begins like
//! this. A subject is `:p` and a packet's id, with `@` and the name of the ledger's history behind it, or `:m` and a
//! message's id and sender; what was told of it is a version, a hyphen and when.
//!
//! An event is JSON with the name of its kind and the version `v` of this form. A later version may
//! add fields, which are passed over, and kinds; whoever does not know a kind or a form leaves it out.

use std::fmt::Write as _;

use redis::Value;
use serde::{Deserialize, Serialize};

use super::codec::DecodeError;
use hongbao_domain::{Amount, Event, EventId, Name, News, PacketEvent, RoomKey, UserId};
use hongbao_store::events::Extent;

/// The form of events that this version writes and reads.
const FORM: u32 = 1;

/// The two keys of a room. The first is the name of its channel as well.
pub(super) struct RoomKeys {
    pub room: String,
    pub told: String,
}

impl RoomKeys {
    pub(super) fn new(namespace: &str, room: &RoomKey) -> Self {
        Self::with(namespace, room, &room.tenant.as_str().len().to_string())
    }

    /// Keys that are no room's.
    pub(super) fn rehearsal(namespace: &str, room: &RoomKey) -> Self {
        Self::with(namespace, room, "rehearsal")
    }

    fn with(namespace: &str, RoomKey { tenant, room }: &RoomKey, beginning: &str) -> Self {
        let mut key = String::with_capacity(namespace.len() + tenant.as_str().len() + 64);
        // Writing into a string cannot fail.
        let _ = write!(key, "{namespace}:events/{{{beginning}:{tenant}/{room}}}");
        Self { told: [&key, ":told"].concat(), room: key }
    }
}

/// What an event is about, and which version of it, in this history of the ledger.
pub(super) fn subject(event: &Event, history: Option<&str>) -> (String, u64) {
    match event {
        // Neither has a line break inside.
        Event::Message { id, sender, .. } => (format!(":m{id}\n{sender}"), 1),
        Event::Packet(PacketEvent { packet, version, .. }) => {
            let history = history.map(|name| format!("@{name}")).unwrap_or_default();
            (format!(":p{packet}{history}"), *version)
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Form {
    v: u32,
    #[serde(flatten)]
    event: Written,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Written {
    Message { id: String, sender: String, text: String },
    Sent { expires_at_ms: u64, packet: WrittenPacket },
    Progress { packet: WrittenPacket },
    Finished { total: u64, best: String, best_amount: u64, took_ms: u64, packet: WrittenPacket },
    Expired { refunded: u64, packet: WrittenPacket },
}

#[derive(Serialize, Deserialize)]
struct WrittenPacket {
    id: String,
    version: u64,
    sender: String,
    shares: u32,
    claimed_shares: u32,
}

pub(super) fn encode(event: &Event) -> String {
    let form = Form { v: FORM, event: written(event) };
    // Strings and numbers can always be written.
    serde_json::to_string(&form).unwrap_or_default()
}

fn written(event: &Event) -> Written {
    let event = match event {
        Event::Message { id, sender, text } => {
            let (id, sender) = (id.to_string(), sender.to_string());
            return Written::Message { id, sender, text: text.clone() };
        }
        Event::Packet(event) => event,
    };
    let packet = WrittenPacket {
        id: event.packet.to_string(),
        version: event.version,
        sender: event.sender.to_string(),
        shares: event.shares,
        claimed_shares: event.claimed_shares,
    };
    match &event.news {
        News::Sent { expires_at_ms } => Written::Sent { expires_at_ms: *expires_at_ms, packet },
        News::Progress => Written::Progress { packet },
        News::Finished { total, best, best_amount, took_ms } => Written::Finished {
            total: total.get(),
            best: best.to_string(),
            best_amount: best_amount.get(),
            took_ms: *took_ms,
            packet,
        },
        News::Expired { refunded } => Written::Expired { refunded: refunded.get(), packet },
    }
}

/// None where it is not one that this version knows.
fn decode(json: &str) -> Option<Event> {
    let Form { v, event } = serde_json::from_str(json).ok()?;
    if v != FORM {
        return None;
    }
    let (packet, news) = match event {
        Written::Message { id, sender, text } => {
            return Some(Event::Message { id: Name::new(id).ok()?, sender: UserId::new(sender).ok()?, text });
        }
        Written::Sent { expires_at_ms, packet } => (packet, News::Sent { expires_at_ms }),
        Written::Progress { packet } => (packet, News::Progress),
        Written::Finished { total, best, best_amount, took_ms, packet } => {
            let (total, best_amount) = (Amount::new(total).ok()?, Amount::new(best_amount).ok()?);
            (packet, News::Finished { total, best: UserId::new(best).ok()?, best_amount, took_ms })
        }
        Written::Expired { refunded, packet } => {
            (packet, News::Expired { refunded: Amount::new(refunded).ok()? })
        }
    };
    Some(Event::Packet(PacketEvent {
        packet: packet.id.parse().ok()?,
        version: packet.version,
        sender: UserId::new(packet.sender).ok()?,
        shares: packet.shares,
        claimed_shares: packet.claimed_shares,
        news,
    }))
}

/// What was read of a room.
pub(super) struct Page {
    pub extent: Option<Extent>,
    /// Those that this version knows.
    pub events: Vec<(EventId, Event)>,
    /// How many entries there were.
    pub entries: usize,
    /// The place of the last entry.
    pub last: Option<EventId>,
}

/// The first place after this one, as a range begins.
pub(super) fn after(EventId { ms, sequence }: EventId) -> String {
    let next = match sequence.checked_add(1) {
        Some(sequence) => EventId { ms, sequence },
        // After the very last place there is nothing, and nothing is at it either.
        None => EventId { ms: ms.saturating_add(1), sequence: if ms == u64::MAX { sequence } else { 0 } },
    };
    next.to_string()
}

pub(super) fn place(value: &Value) -> Result<EventId, DecodeError> {
    text(value).and_then(|text| text.parse().ok()).ok_or(DecodeError::of("a place"))
}

/// The answer of `since.lua`.
pub(super) fn page(answer: &Value) -> Result<Page, DecodeError> {
    let Value::Array(answer) = answer else { return Err(DecodeError::of("the answer")) };
    let [first, dropped, last, Value::Array(entries)] = answer.as_slice() else {
        return Err(DecodeError::of("the answer"));
    };
    let known = |value: &Value| if *value == Value::Nil { Ok(None) } else { place(value).map(Some) };
    let extent = match (known(first)?, known(last)?) {
        (Some(first), Some(last)) => Some(Extent { first, dropped: known(dropped)?, last }),
        _ => None,
    };
    let mut page = Page { extent, events: Vec::new(), entries: entries.len(), last: None };
    for entry in entries {
        let Value::Array(entry) = entry else { return Err(DecodeError::of("an event")) };
        let [id, Value::Array(fields)] = entry.as_slice() else { return Err(DecodeError::of("an event")) };
        let id = place(id)?;
        page.last = Some(id);
        page.events.extend(event(fields).map(|event| (id, event)));
    }
    Ok(page)
}

fn event(fields: &[Value]) -> Option<Event> {
    let (pairs, _) = fields.as_chunks::<2>();
    let [_, json] = pairs.iter().find(|[name, _]| text(name) == Some("event"))?;
    decode(text(json)?)
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => str::from_utf8(bytes).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_domain::{PacketId, TenantId};

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn every_event() -> Vec<Event> {
        let packet = PacketId::new(5, 7);
        let of = |news| {
            let (version, sender) = (u64::MAX, user("爱丽丝 \"{}\""));
            Event::Packet(PacketEvent { packet, version, sender, shares: 3, claimed_shares: 2, news })
        };
        vec![
            Event::Message {
                id: Name::new("a/b").unwrap(),
                sender: user("bob"),
                text: "新年\n快乐\0".into(),
            },
            of(News::Sent { expires_at_ms: 9 }),
            of(News::Progress),
            of(News::Finished { total: Amount::MAX, best: user("x"), best_amount: Amount::MAX, took_ms: 1 }),
            of(News::Expired { refunded: Amount::ZERO }),
        ]
    }

    #[test]
    fn what_was_written_is_read() {
        for event in every_event() {
            assert_eq!(decode(&encode(&event)), Some(event));
        }
    }

    #[test]
    fn what_a_later_version_adds_is_passed_over_and_what_is_unknown_left_out() {
        for event in every_event() {
            let json = encode(&event);
            let more = json.replacen('{', r#"{"colour":{"red":1},"#, 1);
            assert_eq!(decode(&more), Some(event));
            assert_eq!(decode(&json.replacen(r#""v":1"#, r#""v":2"#, 1)), None);
            assert_eq!(decode(&json.replacen(r#""kind":""#, r#""kind":"re"#, 1)), None);
        }
        assert_eq!(decode("{}"), None);
        assert_eq!(decode(""), None);
    }

    #[test]
    fn rooms_whose_names_run_into_each_other_have_keys_of_their_own() {
        let names = [("a", "b/c"), ("a/b", "c"), ("a", "b"), ("a}", "b"), ("a", "}b"), ("a:told", "b")];
        let keys = names.map(|(tenant, room)| {
            let room = RoomKey { tenant: TenantId::new(tenant).unwrap(), room: Name::new(room).unwrap() };
            RoomKeys::new("hongbao", &room)
        });
        let all: std::collections::BTreeSet<_> =
            keys.iter().flat_map(|keys| [&keys.room, &keys.told]).collect();
        assert_eq!(all.len(), 2 * names.len());
        assert_eq!(keys[0].room, "hongbao:events/{1:a/b/c}");
    }

    #[test]
    fn the_next_place_is_after_the_place() {
        assert_eq!(after(EventId { ms: 5, sequence: 7 }), "5-8");
        assert_eq!(after(EventId { ms: 5, sequence: u64::MAX }), "6-0");
        let very_last = EventId { ms: u64::MAX, sequence: u64::MAX };
        assert_eq!(after(very_last), very_last.to_string());
    }
}
