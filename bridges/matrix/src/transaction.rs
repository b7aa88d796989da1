//! Transactions of the homeserver: events that it delivers until they are taken.
//!
//! A transaction is taken when everything in it is done. Until then the homeserver keeps it and whatever comes after it,
//! so taps wait there while Hongbao is away, and none is lost. Everything can be done twice: Hongbao knows a
//! command by its event's id and a share by its user, and the homeserver a message by its transaction id.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::bridge::Bridge;
use crate::event::{self, Event, Kind};
use crate::fault::Fault;
use crate::json::at;
use crate::{commands, members, taps, words};

/// Pauses before an event is tried again at once. After that it waits with the homeserver, for 2 s at least.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(300), Duration::from_millis(900)];

/// How often an event is delivered that fails in a way that may be the same for ever: for two minutes or so. Longer, and
/// one text at which a plugin breaks would keep everybody else waiting.
const MOST_DOUBTS: u32 = 7;

/// Does what the events of a transaction ask for, in their order; reactions that follow each other together.
///
/// # Errors
/// Why the transaction has to come again. What was done by then is not done twice.
pub(crate) async fn handle(bridge: &Arc<Bridge>, events: &[Value]) -> Result<(), Fault> {
    let read = events.iter().filter_map(|event| match event::read(event) {
        Ok(event) => Some(event),
        Err(why) => {
            tracing::debug!(event = ?at(event, &["event_id"]), why, "an event is skipped");
            None
        }
    });
    let new: Vec<Event> = read.filter(|event| concerns(bridge, event)).collect();
    for run in new.chunk_by(|one, next| taps::is_reaction(one) && taps::is_reaction(next)) {
        match run {
            [one] if !taps::is_reaction(one) => single(bridge, one).await?,
            run => taps::all(bridge, run).await?,
        }
    }
    Ok(())
}

/// What the bridge itself did concerns it only where it is about its own membership.
fn concerns(bridge: &Bridge, event: &Event) -> bool {
    let is_own = event.sender == bridge.matrix.bot && !matches!(event.kind, Kind::Member { .. });
    !is_own && !bridge.is_handled(&event.id)
}

async fn single(bridge: &Arc<Bridge>, event: &Event) -> Result<(), Fault> {
    match patiently(|| carry_out(bridge, event)).await {
        Ok(()) => {}
        Err(Fault::Final { code, message }) => {
            tracing::warn!(event = ?event.id, room = ?event.room, code, why = ?message, "an event was refused");
        }
        Err(fault) => {
            let why = given_up(bridge, event, fault)?;
            bridge.answer(event, None, &why).await?;
        }
    }
    bridge.set_handled(&event.id);
    Ok(())
}

async fn carry_out(bridge: &Arc<Bridge>, event: &Event) -> Result<(), Fault> {
    match &event.kind {
        Kind::Said(text) => commands::said(bridge, event, text).await,
        Kind::Redacted(message) => redacted(bridge, event, message).await,
        Kind::Member { user, now, before } if *user == bridge.matrix.bot => {
            members::changed(bridge, event, *now, *before).await
        }
        Kind::Encrypted => members::tell_of_encryption(bridge, &event.room).await,
        Kind::Member { .. } | Kind::Reacted { .. } => Ok(()),
    }
}

/// A card that was taken away is not drawn or tapped any more; its packet ends in its time. A reaction that was taken
/// away means nothing: a share is for ever.
async fn redacted(bridge: &Arc<Bridge>, event: &Event, message: &str) -> Result<(), Fault> {
    let room = bridge.rooms.read(&bridge.matrix, &event.room).await?;
    let Some((packet, _)) = room.cards.iter().find(|(_, card)| *card == message) else { return Ok(()) };
    bridge.rooms.change(&bridge.matrix, &event.room, |room| drop(room.cards.remove(packet))).await?;
    bridge.set_card(&event.room, message, None);
    bridge.live.forget(packet);
    Ok(())
}

/// Tries a few times what may pass within a moment.
pub(crate) async fn patiently<T, F>(act: impl Fn() -> F) -> Result<T, Fault>
where
    F: Future<Output = Result<T, Fault>>,
{
    for pause in PAUSES {
        match act().await {
            Err(Fault::Passing(why)) => tracing::debug!("tried again in {pause:?}: {why}"),
            done => return done,
        }
        tokio::time::sleep(pause).await;
    }
    act().await
}

/// What is said of an event that failed too often.
///
/// # Errors
/// The fault, where it is to be tried again.
pub(crate) fn given_up(bridge: &Bridge, event: &Event, fault: Fault) -> Result<String, Fault> {
    let Fault::Doubtful(why) = &fault else { return Err(fault) };
    if bridge.doubt(&event.id) < MOST_DOUBTS {
        return Err(fault);
    }
    tracing::error!(event = ?event.id, room = ?event.room, "given up: {why}");
    Ok(words::BROKEN.say(&bridge.language, why))
}
