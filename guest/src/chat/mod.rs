//! Chat: what people type and press becomes cards and notices.

mod action;
mod cards;
mod command;
mod digits;
pub mod money;
mod text;
mod words;

pub use action::action;

use crate::Host;
use crate::allocation::{MAX_AMOUNT, Strategy};
use crate::bindings::exports::hongbao::plugin::chat::{Card, ChatManifest, Message, Reply, Usage};
use crate::bindings::hongbao::plugin::ledger::{Audience, Recorded};
use crate::bindings::hongbao::plugin::types::{Failure, PacketIndex, Status};
use crate::host::Ledger;
use crate::send::Wanted;
use command::{Command, Wish};
use text::{fill, owned};
use words::{FORMS, Form, Voice, number};

/// What people may type, and in which languages.
#[must_use]
pub fn manifest() -> ChatManifest {
    let mut commands = Vec::new();
    for typed in [|form: &Form| form.typed.english, |form: &Form| form.typed.chinese] {
        for form in &FORMS {
            // Nobody's currency is known here: the examples have the digits of most.
            let example = money::example(form.whole, 2);
            let description = fill(form.does.english, &[&example]);
            commands.push(Usage { form: fill(typed(form), &[&example]), description });
        }
    }
    ChatManifest { commands, languages: ["en", "zh"].map(owned).into() }
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
        Ok(Command::Best) => best(host, &voice),
        Ok(Command::Send(wish)) => send(host, message, &wish, &voice),
        Err(problem) => Reply::Problem(problem),
    }]
}

/// For the reader alone: a card for the room would take the place of one that can be grabbed.
fn best(host: &impl Host, voice: &Voice) -> Reply {
    let latest = host.ledger().recent(1).map(|packets| packets.first().copied());
    let found = latest.and_then(|latest| {
        let Some(id) = latest else { return Ok(None) };
        Ok(Some((id, host.ledger().details(id, true)?)))
    });
    match found {
        Ok(Some((id, packet))) => Reply::Card(cards::details(id, &packet, true, voice)),
        Ok(None) => Reply::Notice(voice.word(&words::NONE_YET).into()),
        Err(failure) => {
            action::report(host, &failure);
            action::failed(&failure, voice)
        }
    }
}

fn send(host: &impl Host, message: &Message, wish: &Wish, voice: &Voice) -> Reply {
    let greeting = greeting(wish, voice);
    let wanted = Wanted {
        strategy: wish.strategy.map(Strategy::name),
        total: wish.total,
        shares: wish.shares,
        to: wish.to.len(),
        to_sender: is_to_sender(wish, message),
        greeting,
        expires_in_ms: None,
    };
    let mut order = match wanted.order(voice.limits) {
        Ok(order) => order,
        Err(why) => return refused(wish, greeting, message, &why, voice),
    };
    if !wish.to.is_empty() {
        order.audience = Audience::Only(wish.to.clone());
    }
    let sealed = |packet| {
        let strategy = order.strategy.as_str();
        let to: Vec<_> = named(wish, message).collect();
        let (sender, shares) = (&message.sender, wish.shares);
        room(cards::sealed(packet, &cards::Sealed { sender, strategy, shares, to, greeting }, voice))
    };
    match host.ledger().record(&order) {
        Recorded::Recorded(receipt) => sealed(receipt.packet),
        Recorded::Replayed(receipt) => {
            finished(host, receipt.packet, voice).unwrap_or_else(|| sealed(receipt.packet))
        }
        Recorded::Refused(why) => refused(wish, greeting, message, &why, voice),
        Recorded::InsufficientFunds(balance) => {
            let parts = [&*voice.money(balance), &*voice.money(wish.total)];
            voice.refuse("insufficient-funds", &words::POOR, &parts)
        }
        Recorded::KeyReused => voice.refuse("key-reused", &words::KEY_REUSED, &[]),
        Recorded::Failed(Failure::Busy) => voice.refuse("busy", &words::NOT_SENT, &[]),
        // Typed again it would be another message: whether it was sent is for people to look up.
        Recorded::Failed(Failure::Unavailable | Failure::CacheAway) => {
            voice.refuse("unavailable", &words::MAYBE_SENT, &[])
        }
        Recorded::Failed(failure) => {
            action::report(host, &failure);
            action::failed(&failure, voice)
        }
    }
}

/// Those whom a packet is for.
fn named<'a>(wish: &Wish, message: &'a Message) -> impl Iterator<Item = &'a String> {
    wish.to.iter().filter_map(|place| Some(&message.mentions.get(*place as usize)?.user))
}

fn is_to_sender(wish: &Wish, message: &Message) -> bool {
    named(wish, message).any(|user| *user == message.sender)
}

/// A card for the whole room; all others are for one user.
#[inline(never)]
fn room(mut card: Card) -> Reply {
    card.private = false;
    Reply::Card(card)
}

/// The card of a packet that is all taken: delivered late, a message must not seal it again.
fn finished(host: &impl Host, id: PacketIndex, voice: &Voice) -> Option<Reply> {
    let details = host.ledger().details(id, true).ok()?;
    (details.status == Status::Finished).then(|| room(cards::finished(id, &details, voice)))
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
    let strategy = wish.strategy.or_else(|| Strategy::parse(&limits.default_strategy));
    let equal = strategy == Some(Strategy::Equal);
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
    } else if !limits.sender_may_grab && is_to_sender(wish, message) {
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
