//! What people type and press, and what they see: the plugin's chat over a host in memory.

// A test that meets something unexpected has to stop at once, and a panic is how it says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hongbao_guest::bindings::exports::hongbao::plugin::chat::{
    Card, Mention, Message, Presser, Problem, Reply,
};
use hongbao_guest::chat;

mod amounts;
mod buttons;
mod details;
mod fake;
mod forms;
mod hostile;
mod mentions;
mod refusals;
mod sending;
mod sent;
mod showing;
mod vectors;

use fake::Fake;

/// A message by alice, unlike any other: what tells it from others is a part of its language's tag.
fn message(text: &str, language: &str) -> Message {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Message {
        room: "family".into(),
        sender: "alice".into(),
        text: text.into(),
        mentions: Vec::new(),
        language: format!("{language}-x-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
    }
}

/// `mentions` as (text, user).
fn mentioning(text: &str, mentions: &[(&str, &str)]) -> Message {
    let mention = |(text, user): &(&str, &str)| Mention { text: (*text).into(), user: (*user).into() };
    Message { mentions: mentions.iter().map(mention).collect(), ..message(text, "en") }
}

/// All replies to a message.
fn command(host: &Fake, message: &Message) -> Vec<Reply> {
    host.typed(message);
    chat::command(host, message)
}

/// The one reply to a message.
fn reply(host: &Fake, message: &Message) -> Reply {
    let mut replies = command(host, message);
    assert_eq!(replies.len(), 1, "{:?}: {replies:?}", message.text);
    replies.remove(0)
}

/// The card that a message puts into the room.
fn room_card(host: &Fake, message: &Message) -> Card {
    match reply(host, message) {
        Reply::Card(card) if !card.private => card,
        other => panic!("{:?}: {other:?}", message.text),
    }
}

/// The problem with a message of this text.
fn problem(host: &Fake, text: &str, language: &str) -> Problem {
    refusal(host, &message(text, language))
}

fn refusal(host: &Fake, message: &Message) -> Problem {
    match reply(host, message) {
        Reply::Problem(problem) => problem,
        other => panic!("{:?}: {other:?}", message.text),
    }
}

/// Sends what the text says, and gives the packet's id.
fn send(host: &Fake, text: &str) -> u32 {
    room_card(host, &message(text, "en")).packet.unwrap()
}

/// Presses a button, as (user, language). The cards are about the packet, and not about its place in the call.
fn press(host: &Fake, packet: u32, button: &str, by: &[(&str, &str)]) -> Vec<Vec<Reply>> {
    let presser =
        |(user, language): &(&str, &str)| Presser { user: (*user).into(), language: (*language).into() };
    let by: Vec<_> = by.iter().map(presser).collect();
    host.pressed(packet, by.iter().map(|by| by.user.clone()).collect());
    let mut replies = chat::action(host, button, &by);
    for reply in replies.iter_mut().flatten() {
        if let Reply::Card(card) = reply {
            card.packet = card.packet.map(|place| host.packet_at(place));
        }
    }
    replies
}

/// The one private card of an answer.
fn private(replies: &[Reply]) -> &Card {
    match replies {
        [Reply::Card(card)] if card.private => card,
        other => panic!("{other:?}"),
    }
}

/// The code of an answer that is one problem.
fn code(replies: &[Reply]) -> &str {
    match replies {
        [Reply::Problem(problem)] => &problem.code,
        other => panic!("{other:?}"),
    }
}

/// The fields of a card as (user, label, value); the user is empty where there is none.
fn fields(card: &Card) -> Vec<(&str, &str, &str)> {
    let fields = card.fields.iter();
    fields.map(|field| (field.user.as_deref().unwrap_or(""), &*field.label, &*field.value)).collect()
}

/// The actions of a card's buttons.
fn actions(card: &Card) -> Vec<&str> {
    card.buttons.iter().map(|button| &*button.action).collect()
}
