//! Commands: each goes to Hongbao with its event's id as key, and what Hongbao answers into the room.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::bridge::Bridge;
use crate::card::{self, Mark, TAP};
use crate::command::{self, Command};
use crate::event::{Event, Text, server};
use crate::fault::Fault;
use crate::hongbao::{Card, Message, Reply, Said};
use crate::json::at;
use crate::live::{self, Drawn, Shown};
use crate::power;
use crate::words;

/// Somebody wrote something.
pub(crate) async fn said(bridge: &Arc<Bridge>, event: &Event, text: &Text) -> Result<(), Fault> {
    let Some(command) = command::read(text) else { return Ok(()) };
    let language = match command.language {
        "" => bridge.language.as_str(),
        told => told,
    };
    let typed = Typed { event, thread: text.thread.as_deref(), language };
    match carry_out(bridge, &typed, &command).await {
        // Only Hongbao's own refusals are for the user. Where the homeserver refuses, nobody could be told either.
        Err(Fault::Final { code, message }) if !code.starts_with("M_") => {
            typed.answer(bridge, &format!("{message} ({code})")).await
        }
        done => done,
    }
}

/// A command, and where its answers belong.
struct Typed<'a> {
    event: &'a Event,
    thread: Option<&'a str>,
    language: &'a str,
}

impl Typed<'_> {
    async fn answer(&self, bridge: &Bridge, text: &str) -> Result<(), Fault> {
        bridge.answer(self.event, self.thread, text).await
    }
}

async fn carry_out(bridge: &Arc<Bridge>, typed: &Typed<'_>, command: &Command) -> Result<(), Fault> {
    let event = typed.event;
    let home = server(&event.sender);
    if event.at_ms < bridge.rooms.read(&bridge.matrix, &event.room).await?.joined_at_ms {
        tracing::debug!(event = ?event.id, "a command from before the bridge joined is skipped");
        return Ok(());
    }
    if !bridge.allows(&event.sender) {
        return match bridge.may_tell(&event.room, home) {
            true => typed.answer(bridge, &words::FOREIGN.say(typed.language, home)).await,
            false => Ok(()),
        };
    }
    if command.text.len() > command::LONGEST {
        return typed.answer(bridge, &words::LONG.say(typed.language, "")).await;
    }
    let room = match &command.room {
        None => event.room.clone(),
        Some(named) => match other_room(bridge, event, named).await? {
            Some(room) => room,
            None => return typed.answer(bridge, &words::NO_ROOM.say(typed.language, named)).await,
        },
    };
    // Before money moves: a packet whose card nobody sees would wait for its end.
    if !power::may_write(bridge, &room, &[&bridge.matrix.bot, &event.sender]).await? {
        return typed.answer(bridge, &words::MUTE.say(typed.language, "")).await;
    }
    let message = Message {
        id: event.id.clone(),
        sender: event.sender.clone(),
        text: command.text.clone(),
        mentions: command.mentions.clone(),
        language: typed.language.to_owned(),
    };
    let said = bridge.hongbao.say(&room, &message).await?;
    replies(bridge, typed, &room, said).await?;
    Ok(())
}

/// The room that somebody names, if both are in it.
async fn other_room(bridge: &Bridge, event: &Event, named: &str) -> Result<Option<String>, Fault> {
    let room = match named.starts_with('#') {
        true => bridge.matrix.resolve(named).await?,
        false => Some(named.to_owned()),
    };
    let Some(room) = room else { return Ok(None) };
    let member = bridge.matrix.state(&room, "m.room.member", &event.sender).await?;
    Ok(member.filter(|member| at(member, &["membership"]) == "join").map(|_| room))
}

async fn replies(bridge: &Arc<Bridge>, typed: &Typed<'_>, room: &str, said: Said) -> Result<(), Fault> {
    if said.replies.is_empty() {
        let text = match &said.did_you_mean {
            Some(meant) => words::MEANT.say(typed.language, meant),
            None => words::UNKNOWN.say(typed.language, ""),
        };
        return typed.answer(bridge, &text).await;
    }
    for reply in said.replies {
        match reply {
            Reply::Card { card } if card.private || card.packet.is_none() => {
                typed.answer(bridge, &card::private(&card)).await?;
            }
            Reply::Card { card } => {
                show(bridge, typed, room, &card).await?;
                if room != typed.event.room {
                    typed.answer(bridge, &words::SENT.say(typed.language, room)).await?;
                }
            }
            Reply::Notice { text } => typed.answer(bridge, &text).await?,
            Reply::Problem { message, .. } => typed.answer(bridge, &message).await?,
            Reply::Unknown => {}
        }
    }
    Ok(())
}

/// Puts a packet's card into the room, once, and a reaction below it that others only have to press.
async fn show(bridge: &Arc<Bridge>, typed: &Typed<'_>, room: &str, card: &Card) -> Result<(), Fault> {
    let Some(packet) = card.packet.clone() else { return Ok(()) };
    let is_here = room == typed.event.room;
    let thread = is_here.then(|| card::thread(typed.event, typed.thread).to_owned());
    let mark = Mark { packet, language: typed.language.to_owned(), thread };
    let details = bridge.hongbao.details(&mark.packet).await?;
    let (message, drawn) = match find(bridge, typed, room, &mark).await? {
        Some(message) => (message, Drawn::default()),
        None => {
            let content = live::drawing(bridge, &mark, &details).await?;
            (send(bridge, typed, room, &content).await?, Drawn::of(&details))
        }
    };
    bridge
        .rooms
        .change(&bridge.matrix, room, |notes| {
            notes.cards.insert(mark.packet.clone(), message.clone());
        })
        .await?;
    bridge.set_card(room, &message, Some(mark.clone()));
    live::follow(
        bridge,
        Shown { room: room.to_owned(), message: message.clone(), mark: mark.clone(), drawn },
    );
    tap_first(bridge, room, &message, &mark.packet).await
}

async fn send(bridge: &Bridge, typed: &Typed<'_>, room: &str, content: &Value) -> Result<String, Fault> {
    let event = typed.event;
    // A reference leads to an event of the same room.
    let command = (room == event.room).then_some(event.id.as_str());
    let transaction = format!("hongbao.card.{}", event.id);
    bridge.matrix.send(room, "m.room.message", &transaction, &card::first(content, command)).await
}

/// The card that is there, where the command comes a second time: the homeserver remembers transaction ids of an
/// application service in memory alone.
async fn find(bridge: &Bridge, typed: &Typed<'_>, room: &str, mark: &Mark) -> Result<Option<String>, Fault> {
    let notes = bridge.rooms.read(&bridge.matrix, room).await?;
    if let Some(message) = notes.cards.get(&mark.packet) {
        return Ok(Some(message.clone()));
    }
    let events = match room == typed.event.room {
        true => bridge.matrix.references(room, &typed.event.id).await?,
        false => bridge.matrix.own_messages(room).await?,
    };
    let is_card = |event: &&Value| {
        let is_edit = at(event, &["content", "m.relates_to", "rel_type"]) == "m.replace";
        let found = card::mark(event, &bridge.matrix.bot, room);
        !is_edit && found.is_some_and(|found| found.packet == mark.packet)
    };
    let found = events.iter().find(is_card).and_then(|event| at(event, &["event_id"]).as_str());
    Ok(found.map(str::to_owned))
}

async fn tap_first(bridge: &Bridge, room: &str, message: &str, packet: &str) -> Result<(), Fault> {
    let content = json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": message, "key": TAP}});
    let sent = bridge.matrix.send(room, "m.reaction", &format!("hongbao.tap.{packet}"), &content).await;
    match sent {
        // It is there already, or reactions are not allowed here: people find the sign by themselves.
        Err(Fault::Final { code, .. }) => {
            tracing::debug!(?room, ?code, "the first reaction was not put");
            Ok(())
        }
        sent => sent.map(drop),
    }
}
