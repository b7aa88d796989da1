//! Chat: what people type and press becomes cards and notices.

mod action;
mod cards;
mod command;
pub mod money;
mod text;
mod words;

pub use action::action;
pub(crate) use text::quote;

use crate::Host;
use crate::allocation::MAX_AMOUNT;
use crate::bindings::exports::hongbao::plugin::chat::{Card, Message, PluginManifest, Reply, Usage};
use crate::bindings::exports::hongbao::plugin::packets::{Request, SendError, Sent};
use crate::bindings::hongbao::plugin::types::{Error, PacketId, Status, Strategy};
use crate::host::Ledger;
use command::{Command, Wish};
use text::{fill, owned};
use words::{FORMS, Form, Voice, number};

/// What this plugin is.
#[must_use]
pub fn manifest() -> PluginManifest {
    let mut commands = Vec::new();
    for typed in [|form: &Form| form.typed.english, |form: &Form| form.typed.chinese] {
        for form in &FORMS {
            // Nobody's currency is known here: the examples have the digits of most.
            let example = money::example(form.whole, 2);
            let description = fill(form.does.english, &[&example]);
            commands.push(Usage { form: fill(typed(form), &[&example]), description });
        }
    }
    PluginManifest {
        name: owned("hongbao"),
        version: owned(env!("CARGO_PKG_VERSION")),
        commands,
        languages: all(&["en", "zh"]),
        asks: all(&["counter", "ledger", "entropy", "clock", "log", "policy"]),
    }
}

fn all(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| owned(word)).collect()
}

/// Answers a message. Nothing at all where the command is another's.
pub fn command(host: &impl Host, message: &Message) -> Vec<Reply> {
    let Some(text) = command::ours(&message.text) else {
        return Vec::new();
    };
    let limits = host.limits();
    let voice = Voice::new(&message.language, &limits);
    vec![match command::read(text, &message.mentions, &voice) {
        Ok(Command::Help) => Reply::Card(cards::help(&voice)),
        Ok(Command::Best) => best(host, &message.room, &voice),
        Ok(Command::Send(wish)) => send(host, message, &wish, &voice),
        Err(problem) => Reply::Problem(problem),
    }]
}

/// For the reader alone: a card for the room would take the place of one that can be grabbed.
fn best(host: &impl Host, room: &str, voice: &Voice) -> Reply {
    let latest = host.ledger().recent(room, 1).map(|packets| packets.first().copied());
    let found = latest.and_then(|latest| {
        let Some(id) = latest else { return Ok(None) };
        Ok(crate::details(host, id)?.map(|packet| (id, packet)))
    });
    match found {
        Ok(Some((id, packet))) => Reply::Card(cards::details(id, &packet, true, voice)),
        Ok(None) => Reply::Notice(voice.word(&words::NONE_YET).into()),
        Err(error) => {
            action::report(host, &error);
            action::failed(&error, voice)
        }
    }
}

fn send(host: &impl Host, message: &Message, wish: &Wish, voice: &Voice) -> Reply {
    let greeting = greeting(wish, voice);
    let request = Request {
        // A message that is delivered twice sends once.
        key: message.id.clone(),
        room: message.room.clone(),
        sender: message.sender.clone(),
        strategy: wish.strategy,
        total: wish.total,
        shares: wish.shares,
        to: wish.to.iter().map(|user| owned(user)).collect(),
        greeting: greeting.into(),
        expires_in_ms: None,
    };
    let sealed = |id| {
        let strategy = wish.strategy.unwrap_or(voice.limits.default_strategy);
        let (sender, shares, to) = (&message.sender, wish.shares, wish.to.clone());
        room(cards::sealed(id, &cards::Sealed { sender, strategy, shares, to, greeting }, voice))
    };
    match crate::send(host, request) {
        Ok(Sent::Sent(id)) => sealed(id),
        Ok(Sent::Replayed(id)) => finished(host, id, voice).unwrap_or_else(|| sealed(id)),
        Err(SendError::InvalidArgument(why)) => refused(wish, greeting, message, &why, voice),
        Err(SendError::InsufficientFunds(balance)) => {
            let parts = [&*voice.money(balance), &*voice.money(wish.total)];
            voice.refuse("insufficient-funds", &words::POOR, &parts)
        }
        Err(SendError::KeyReused) => voice.refuse("key-reused", &words::KEY_REUSED, &[]),
        Err(SendError::Busy) => voice.refuse("busy", &words::NOT_SENT, &[]),
        // Typed again it would be another message: whether it was sent is for people to look up.
        Err(SendError::Unavailable) => voice.refuse("unavailable", &words::MAYBE_SENT, &[]),
        Err(SendError::Other(why)) => {
            let error = Error::Other(why);
            action::report(host, &error);
            action::failed(&error, voice)
        }
    }
}

/// A card for the whole room; all others are for one user.
#[inline(never)]
fn room(mut card: Card) -> Reply {
    card.private = false;
    Reply::Card(card)
}

/// The card of a packet that is all taken: delivered late, a message must not seal it again.
fn finished(host: &impl Host, id: PacketId, voice: &Voice) -> Option<Reply> {
    let packet = crate::details(host, id).ok().flatten()?;
    (packet.state == Status::Finished).then(|| room(cards::finished(id, &packet, voice)))
}

/// Ours where none was typed, unless it is longer than this tenant takes.
fn greeting<'a>(wish: &Wish<'a>, voice: &Voice) -> &'a str {
    if !wish.greeting.is_empty() {
        return wish.greeting;
    }
    let ours = voice.word(&words::GREETING);
    if ours.chars().count() > voice.limits.max_greeting_chars as usize { "" } else { ours }
}

/// Which rule `send` refused by, in the reader's words and money.
fn refused(wish: &Wish, greeting: &str, message: &Message, why: &str, voice: &Voice) -> Reply {
    let limits = voice.limits;
    let (total, shares) = (wish.total, u64::from(wish.shares));
    let most = limits.max_share.saturating_mul(shares).min(MAX_AMOUNT);
    let longest = u64::from(limits.max_greeting_chars);
    let equal = wish.strategy.unwrap_or(limits.default_strategy) == Strategy::Equal;
    let phrase = if wish.shares > limits.max_shares {
        &words::MANY_SHARES
    } else if total < shares {
        &words::LITTLE_TOTAL
    } else if total > most {
        &words::LARGE_TOTAL
    } else if equal && !total.is_multiple_of(shares) {
        &words::UNEVEN_TOTAL
    } else if greeting.chars().count() as u64 > longest {
        &words::LONG_GREETING
    } else if greeting.chars().any(char::is_control) {
        &words::BAD_GREETING
    } else if !limits.sender_may_grab && wish.to.contains(&&message.sender) {
        &words::TO_ONESELF
    } else {
        &words::REFUSED
    };
    let parts = [
        &*voice.money(total),
        &*number(shares),
        &*voice.money(shares),
        &*voice.money(most),
        &*number(limits.max_shares.into()),
        &*number(longest),
        why,
    ];
    voice.refuse("invalid-argument", phrase, &parts)
}
