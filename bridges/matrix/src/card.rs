//! Cards as messages of a room.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::Event;
use crate::hongbao::{Card, Details, Field};
use crate::json::at;

/// The field of a message that says which packet it is about: for this bridge, and for clients that know it.
pub(crate) const FIELD: &str = "dev.hongbao.card";

/// What is tapped.
pub(crate) const TAP: &str = "🧧";

/// What a message may have at most, in bytes: events have 65,536, and an edit repeats a part of it.
const MOST_BYTES: usize = 40_000;

/// The bar has so many places.
const PLACES: u32 = 10;

/// What a card's message says of itself.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Mark {
    pub(crate) packet: String,
    /// In which the card was first written.
    pub(crate) language: String,
    /// The first event of the thread in which users are told about the packet; the card itself where this is absent. A card
    /// that refers to its command cannot begin one, by the rules of Matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) thread: Option<String>,
}

impl Mark {
    /// Where users are told about the packet of a card's message.
    pub(crate) fn root<'a>(&'a self, message: &'a str) -> &'a str {
        self.thread.as_deref().unwrap_or(message)
    }
}

/// The mark of a message that this bridge sent into this room; none for anybody else's.
pub(crate) fn mark(event: &Value, bot: &str, room: &str) -> Option<Mark> {
    let is_own = at(event, &["sender"]) == bot
        && at(event, &["room_id"]) == room
        && at(event, &["type"]) == "m.room.message";
    let marked = is_own.then(|| at(event, &["content"]).get(FIELD))?;
    serde_json::from_value(marked?.clone()).ok()
}

/// Whether a reaction is a tap. Some clients put a character behind it that asks for the colourful form.
pub(crate) fn is_tap(key: &str) -> bool {
    key.trim_end_matches('\u{fe0f}') == TAP
}

/// A packet's card as a message, with its claims where they are told.
pub(crate) fn content(mark: &Mark, card: &Card, details: &Details, claims: &[Field]) -> Value {
    let mut shown = claims.len();
    loop {
        let content = cut(mark, card, details, claims.get(..shown).unwrap_or_default(), claims.len());
        if shown == 0 || content.to_string().len() <= MOST_BYTES {
            return content;
        }
        shown = shown * 3 / 4;
    }
}

fn cut(mark: &Mark, card: &Card, details: &Details, claims: &[Field], all: usize) -> Value {
    let bar = progress(details);
    let more = if claims.len() < all { format!("… +{}", all - claims.len()) } else { String::new() };
    let mut lines = vec![format!("{TAP} {}", card.title)];
    lines.extend([card.body.as_str(), bar.as_str()].map(str::to_owned));
    lines.extend(card.fields.iter().chain(claims).map(line));
    lines.push(more.clone());
    lines.retain(|line| !line.is_empty());
    let mut html = format!("<strong>{TAP} {}</strong>", escaped(&card.title));
    for part in [
        paragraph(&card.body),
        paragraph(&bar),
        list("ul", &card.fields),
        list("ol", claims),
        paragraph(&more),
    ] {
        html.push_str(&part);
    }
    json!({
        "msgtype": "m.text",
        "body": lines.join("\n"),
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        // Nobody is called by the names on a card.
        "m.mentions": {},
        FIELD: {
            "packet": mark.packet,
            "language": mark.language,
            "thread": mark.thread,
            "state": details.state,
            "shares": details.shares,
            "claimed_shares": details.claimed_shares,
            "refunded": details.refunded,
            "expires_at_ms": details.expires_at_ms,
            "theme": card.theme,
        },
    })
}

/// The first message of a card. The reference to the command is how a bridge that was killed finds it again.
pub(crate) fn first(content: &Value, command: Option<&str>) -> Value {
    let mut content = content.clone();
    if let (Some(command), Some(fields)) = (command, content.as_object_mut()) {
        let reference = json!({"rel_type": "m.reference", "event_id": command});
        fields.insert("m.relates_to".into(), reference);
    }
    content
}

/// A later state of a card, as an edit of its message.
pub(crate) fn edit(content: &Value, message: &str) -> Value {
    let body = at(content, &["body"]).as_str().unwrap_or_default();
    json!({
        "msgtype": "m.text",
        "body": format!("* {}", body.lines().next().unwrap_or_default()),
        "m.mentions": {},
        "m.new_content": content,
        "m.relates_to": {"rel_type": "m.replace", "event_id": message},
    })
}

/// A text for one user, in the thread of what it is about.
pub(crate) fn notice(body: &str, html: &str, root: &str, to: &[&str]) -> Value {
    json!({
        "msgtype": "m.notice",
        "body": body,
        "format": "org.matrix.custom.html",
        "formatted_body": html,
        "m.mentions": {"user_ids": to},
        "m.relates_to": {
            "rel_type": "m.thread",
            "event_id": root,
            "is_falling_back": true,
            "m.in_reply_to": {"event_id": root},
        },
    })
}

/// Where an answer to an event belongs: the thread that it is in, or begins.
pub(crate) fn thread<'a>(event: &'a Event, thread: Option<&'a str>) -> &'a str {
    thread.unwrap_or(&event.id)
}

/// A card for one user, in lines.
pub(crate) fn private(card: &Card) -> String {
    let mut lines = vec![card.title.clone(), card.body.clone()];
    lines.extend(card.fields.iter().map(line));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// What a plugin says of its commands, as they are typed here.
pub(crate) fn banged(text: &str) -> String {
    ["hongbao", "红包", "紅包"]
        .iter()
        .fold(text.to_owned(), |text, name| text.replace(&format!("/{name}"), &format!("!{name}")))
}

fn progress(details: &Details) -> String {
    let (claimed, shares) = (details.claimed_shares, details.shares.max(1));
    let full = u64::from(claimed.min(shares)) * u64::from(PLACES) / u64::from(shares);
    let full = usize::try_from(full).unwrap_or_default();
    let empty = (PLACES as usize).saturating_sub(full);
    format!("{}{} {claimed}/{shares}", "▰".repeat(full), "▱".repeat(empty))
}

fn line(field: &Field) -> String {
    let value = if field.value.is_empty() { String::new() } else { format!(": {}", field.value) };
    match &field.user {
        Some(user) => format!("{}{value}", isolated(user)),
        None => format!("{}{value}", field.label),
    }
}

fn list(kind: &str, fields: &[Field]) -> String {
    if fields.is_empty() {
        return String::new();
    }
    let item = |field: &Field| {
        let value =
            if field.value.is_empty() { String::new() } else { format!(": {}", escaped(&field.value)) };
        match &field.user {
            Some(user) => format!("<li>{}{value}</li>", link(user)),
            None => format!("<li>{}{value}</li>", escaped(&field.label)),
        }
    };
    format!("<{kind}>{}</{kind}>", fields.iter().map(item).collect::<String>())
}

fn paragraph(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<p>{}</p>", escaped(text)) }
}

/// A user as a link, which clients show by the name that people know.
pub(crate) fn link(user: &str) -> String {
    format!("<a href=\"https://matrix.to/#/{}\">{}</a>", crate::web::segment(user), escaped(user))
}

/// A text in HTML, which has no markup of its own.
pub(crate) fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\n' => html.push_str("<br>"),
            one => html.push(one),
        }
    }
    html
}

/// A name that changes nothing of the text around it, whichever direction its script has.
pub(crate) fn isolated(name: &str) -> String {
    if name.is_ascii() { name.to_owned() } else { format!("\u{2068}{name}\u{2069}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(claimed: u32, shares: u32) -> Details {
        Details {
            state: "open".into(),
            sender: "@a:a.org".into(),
            shares,
            total: 100,
            claimed_amount: 0,
            claimed_shares: claimed,
            refunded: 0,
            expires_at_ms: 9,
        }
    }

    fn a_card() -> Card {
        Card {
            packet: Some("p".into()),
            private: false,
            theme: "sealed".into(),
            title: "Red <packet>".into(),
            body: "恭喜\n\"发财\"".into(),
            fields: vec![Field {
                user: Some("@a:a.org".into()),
                label: "From".into(),
                value: "a & b".into(),
            }],
        }
    }

    fn a_mark() -> Mark {
        Mark { packet: "p".into(), language: "en".into(), thread: None }
    }

    #[test]
    fn a_card_is_text_and_html_without_markup_of_others() {
        let content = content(&a_mark(), &a_card(), &details(3, 5), &[]);
        assert_eq!(content["body"], "🧧 Red <packet>\n恭喜\n\"发财\"\n▰▰▰▰▰▰▱▱▱▱ 3/5\n@a:a.org: a & b");
        assert_eq!(
            content["formatted_body"],
            "<strong>🧧 Red &lt;packet&gt;</strong><p>恭喜<br>&quot;发财&quot;</p><p>▰▰▰▰▰▰▱▱▱▱ 3/5</p>\
             <ul><li><a href=\"https://matrix.to/#/%40a%3Aa.org\">@a:a.org</a>: a &amp; b</li></ul>"
        );
        assert_eq!(content[FIELD]["claimed_shares"], 3);
    }

    #[test]
    fn only_the_bridges_own_message_in_this_room_is_a_card() {
        let content = first(&content(&a_mark(), &a_card(), &details(0, 5), &[]), Some("$cmd"));
        assert_eq!(content["m.relates_to"], json!({"rel_type": "m.reference", "event_id": "$cmd"}));
        let event =
            json!({"sender": "@b:a.org", "room_id": "!r", "type": "m.room.message", "content": content});
        assert_eq!(mark(&event, "@b:a.org", "!r"), Some(a_mark()));
        assert_eq!(mark(&event, "@c:a.org", "!r"), None);
        assert_eq!(mark(&event, "@b:a.org", "!q"), None);
        let mut state = event.clone();
        state["type"] = "m.reaction".into();
        assert_eq!(mark(&state, "@b:a.org", "!r"), None);
        let redacted =
            json!({"sender": "@b:a.org", "room_id": "!r", "type": "m.room.message", "content": {}});
        assert_eq!(mark(&redacted, "@b:a.org", "!r"), None);
    }

    #[test]
    fn the_longest_list_of_claims_fits_an_event() {
        let user = format!("@{}:a.org", "é".repeat(120));
        let claim =
            Field { user: Some(user), label: "#1".into(), value: "¥1,000.00 · +0:07 · best luck".into() };
        let content = content(&a_mark(), &a_card(), &details(100, 100), &vec![claim; 100]);
        assert!(edit(&content, "$card").to_string().len() < 50_000);
        let body = content["body"].as_str().unwrap();
        assert!(body.contains("… +"), "{body}");
        let few = Field { user: Some("@bob:a.org".into()), label: "#1".into(), value: "¥1.00".into() };
        let content = super::content(&a_mark(), &a_card(), &details(100, 100), &vec![few; 100]);
        assert!(!content["body"].as_str().unwrap().contains("… +"));
    }

    #[test]
    fn a_tap_is_a_red_packet_and_nothing_else() {
        assert!(is_tap("🧧") && is_tap("🧧\u{fe0f}"));
        assert!(!is_tap("") && !is_tap("👍") && !is_tap("🧧🧧"));
    }

    #[test]
    fn commands_are_shown_as_they_are_typed_here() {
        assert_eq!(banged("/hongbao 1 1, /红包 1 1"), "!hongbao 1 1, !红包 1 1");
        assert!(private(&a_card()).starts_with("Red <packet>\n恭喜\n"));
    }
}
