//! Reactions to cards: each grabs and opens.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::{StreamExt as _, stream};

use crate::bridge::{Bridge, Told, digest};
use crate::card::{self, Mark};
use crate::event::{Event, Kind, server};
use crate::fault::Fault;
use crate::hongbao::{Outcome, Reply};
use crate::live::{self, Drawn, Shown};
use crate::transaction::{given_up, patiently};
use crate::words;

/// Requests to Hongbao at once, which answers those of one packet together.
const AT_ONCE: usize = 32;

/// People in one notice: with the longest names it still fits an event.
const LINES: usize = 40;

/// What somebody is told of a tap.
struct Line<'a> {
    event: &'a Event,
    /// The first event of the thread in which it is told.
    root: String,
    text: String,
}

/// Whether an event is a reaction.
pub(crate) const fn is_reaction(event: &Event) -> bool {
    matches!(event.kind, Kind::Reacted { .. })
}

/// Carries out reactions. What can be done is done, also where others have to wait.
///
/// # Errors
/// The first of those that have to wait.
pub(crate) async fn all(bridge: &Arc<Bridge>, events: &[Event]) -> Result<(), Fault> {
    // As futures of their own: a closure over borrowed events would not be one that a task may hold.
    let mut tapped = Vec::new();
    for event in events {
        tapped.push(one(bridge, event));
    }
    let tapped: Vec<_> = stream::iter(tapped).buffered(AT_ONCE).collect().await;
    let (mut first, mut lines, mut done) = (None, Vec::new(), Vec::new());
    for (event, outcome) in events.iter().zip(tapped) {
        match outcome {
            Ok(line) => {
                lines.extend(line);
                done.push(event);
            }
            Err(fault) => {
                first.get_or_insert(fault);
            }
        }
    }
    tell(bridge, &lines).await?;
    done.iter().for_each(|event| bridge.set_handled(&event.id));
    first.map_or(Ok(()), Err)
}

async fn one<'a>(bridge: &Arc<Bridge>, event: &'a Event) -> Result<Option<Line<'a>>, Fault> {
    let Kind::Reacted { to, key } = &event.kind else { return Ok(None) };
    if !card::is_tap(key) {
        return Ok(None);
    }
    let line = |root: &str, text| Line { event, root: root.to_owned(), text };
    match patiently(|| tap(bridge, event, to)).await {
        Ok(told) => Ok(told.map(|(root, text)| line(&root, text))),
        Err(Fault::Final { code, message }) => {
            tracing::info!(event = ?event.id, code, why = ?message, "a tap was refused");
            Ok(Some(line(&root(bridge, event, to).await?, message)))
        }
        Err(fault) => {
            let why = given_up(bridge, event, fault)?;
            Ok(Some(line(&root(bridge, event, to).await?, why)))
        }
    }
}

async fn root(bridge: &Bridge, event: &Event, message: &str) -> Result<String, Fault> {
    let mark = bridge.card(&event.room, message).await?;
    Ok(mark.as_ref().map_or(message, |mark| mark.root(message)).to_owned())
}

/// Gives what the user is told, if anything, and in which thread.
async fn tap(bridge: &Arc<Bridge>, event: &Event, message: &str) -> Result<Option<(String, String)>, Fault> {
    let Some(mark) = bridge.card(&event.room, message).await? else { return Ok(None) };
    let told = told(bridge, event, message, &mark).await?;
    Ok(told.map(|text| (mark.root(message).to_owned(), text)))
}

async fn told(
    bridge: &Arc<Bridge>,
    event: &Event,
    message: &str,
    mark: &Mark,
) -> Result<Option<String>, Fault> {
    let home = server(&event.sender);
    if !bridge.allows(&event.sender) {
        let is_due = bridge.may_tell(&event.room, home);
        return Ok(is_due.then(|| words::FOREIGN.say(&mark.language, home)));
    }
    if !bridge.admits(&event.sender).await? {
        tracing::warn!(server = ?home, "too many new users came within the hour");
        return Ok(Some(words::MANY_NEW.say(&mark.language, home)));
    }
    let outcome = bridge.hongbao.grab_and_open(&mark.packet, &event.sender).await?;
    tracing::debug!(packet = mark.packet, user = ?event.sender, ?outcome, "tapped");
    let button = match outcome {
        Outcome::Opened => {
            keep_going(bridge, event, message, mark);
            "open"
        }
        Outcome::AlreadyOpened => "open",
        Outcome::Exhausted | Outcome::Expired | Outcome::NotEligible => {
            bridge.live.wake(&mark.packet);
            "grab"
        }
        // The lease ended between the two, or the cache was away: what the user wants is still undone.
        Outcome::NotGrabbed | Outcome::Admitted | Outcome::AlreadyGrabbed | Outcome::Contended => {
            return Err(Fault::Passing("the seat was lost before the packet was opened".into()));
        }
        Outcome::Unknown => return Ok(None),
    };
    // In the plugin's words, which has the tenant's currency. A user who has opened cannot open twice.
    let replies = bridge.hongbao.press(&mark.packet, button, &event.sender, &mark.language).await?;
    Ok(replies.into_iter().find_map(words_of))
}

fn words_of(reply: Reply) -> Option<String> {
    match reply {
        Reply::Card { card } if card.private => Some(card.title),
        Reply::Card { .. } | Reply::Unknown => None,
        Reply::Notice { text } => Some(text),
        Reply::Problem { message, .. } => Some(message),
    }
}

/// Whoever takes a share changes the card, also where this process did not know of it.
fn keep_going(bridge: &Arc<Bridge>, event: &Event, message: &str, mark: &Mark) {
    let (room, message, mark) = (event.room.clone(), message.to_owned(), mark.clone());
    let packet = mark.packet.clone();
    live::follow(bridge, Shown { room, message, mark, drawn: Drawn::default() });
    bridge.live.wake(&packet);
}

/// Tells all who tapped a card in one notice: a busy room would otherwise be told of each.
async fn tell(bridge: &Bridge, lines: &[Line<'_>]) -> Result<(), Fault> {
    for (room, root, part) in parts(lines) {
        let ids: Vec<_> = part.iter().map(|line| line.event.id.as_str()).collect();
        let users: Vec<_> = part.iter().map(|line| line.event.sender.as_str()).collect();
        let told = Told {
            room,
            root,
            transaction: &format!("hongbao.taps.{}", digest(&ids)),
            users: &users,
            body: &joined(&part, "\n", |user, text| format!("{}: {text}", card::isolated(user))),
            html: &joined(&part, "<br>", |user, text| {
                format!("{}: {}", card::link(user), card::escaped(text))
            }),
        };
        bridge.tell(&told).await?;
    }
    Ok(())
}

/// What is told in each notice: the room, the thread, and to whom.
fn parts<'a>(lines: &'a [Line<'a>]) -> Vec<(&'a str, &'a str, Vec<&'a Line<'a>>)> {
    let mut cards: BTreeMap<(&str, &str), Vec<&Line>> = BTreeMap::new();
    for line in lines {
        cards.entry((&line.event.room, &line.root)).or_default().push(line);
    }
    let mut parts = Vec::new();
    for ((room, root), lines) in cards {
        parts.extend(lines.chunks(LINES).map(|part| (room, root, part.to_vec())));
    }
    parts
}

fn joined(lines: &[&Line], between: &str, line: impl Fn(&str, &str) -> String) -> String {
    let lines: Vec<_> = lines.iter().map(|one| line(&one.event.sender, &one.text)).collect();
    lines.join(between)
}
