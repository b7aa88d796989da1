//! The bridge's own membership of rooms, and rooms whose messages it cannot read.

use std::sync::Arc;

use serde_json::json;

use crate::bridge::{Bridge, digest};
use crate::event::{Event, Membership, server};
use crate::fault::{Fault, unless_refused};
use crate::live;
use crate::rooms::Room;
use crate::words;

/// The bridge was invited, has joined, or is out.
pub(crate) async fn changed(
    bridge: &Arc<Bridge>,
    event: &Event,
    now: Membership,
    before: Membership,
) -> Result<(), Fault> {
    match now {
        Membership::Invited if bridge.allows(&event.sender) => {
            tracing::info!(room = ?event.room, by = ?event.sender, "invited");
            bridge.matrix.join(&event.room, server(&event.sender)).await
        }
        Membership::Invited => {
            tracing::info!(room = ?event.room, by = ?event.sender, "an invitation from a server that is not allowed");
            unless_refused(bridge.matrix.leave(&event.room).await).map(drop)
        }
        Membership::Joined if before != Membership::Joined => joined(bridge, event).await,
        Membership::Joined => Ok(()),
        Membership::Out => {
            tracing::info!(room = ?event.room, "the bridge is no longer in a room");
            bridge.live.forget_room(&event.room);
            bridge.rooms.change(&bridge.matrix, &event.room, |room| room.joined_at_ms = 0).await
        }
    }
}

async fn joined(bridge: &Arc<Bridge>, event: &Event) -> Result<(), Fault> {
    let first = |room: &mut Room| {
        // Some homeservers do not say what came before, and a new name would then look like a second coming.
        if room.joined_at_ms == 0 {
            room.joined_at_ms = event.at_ms;
        }
    };
    bridge.rooms.change(&bridge.matrix, &event.room, first).await?;
    // Cards that went on when the bridge was put out of the room.
    live::recover_room(bridge, &event.room).await?;
    if bridge.matrix.state(&event.room, "m.room.encryption", "").await?.is_some() {
        return tell_of_encryption(bridge, &event.room).await;
    }
    Ok(())
}

/// Says in an encrypted room what works there and what does not; once.
pub(crate) async fn tell_of_encryption(bridge: &Arc<Bridge>, room: &str) -> Result<(), Fault> {
    if bridge.rooms.read(&bridge.matrix, room).await?.is_told_of_encryption {
        return Ok(());
    }
    let text = words::ENCRYPTED.say(&bridge.language, room);
    let content = json!({"msgtype": "m.notice", "body": text, "m.mentions": {}});
    let transaction = format!("hongbao.encrypted.{}", digest(&[room]));
    unless_refused(bridge.matrix.send(room, "m.room.message", &transaction, &content).await)?;
    bridge.rooms.change(&bridge.matrix, room, |room| room.is_told_of_encryption = true).await
}
