//! What the bridge has to know of a room after its end: which cards are open, since when it is there, what it has said.
//!
//! It is written into the bridge's own account data of the room, on the homeserver: so it is where the cards are, nobody
//! else sees it, and this program needs no database.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::fault::Fault;
use crate::matrix::Matrix;

const KIND: &str = "dev.hongbao.room";

/// A room.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Room {
    /// When the bridge's user joined, by the time of that event; 0 if that is not known.
    pub(crate) joined_at_ms: u64,
    /// Whether the room was told that commands cannot be read in it.
    pub(crate) is_told_of_encryption: bool,
    /// The message of each card that goes on, by its packet.
    pub(crate) cards: BTreeMap<String, String>,
}

/// Rooms that were asked for. A lock of its own for each, so that no change is lost.
#[derive(Default)]
pub(crate) struct Rooms(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Room>>>>>);

impl Rooms {
    fn place(&self, id: &str) -> Arc<tokio::sync::Mutex<Option<Room>>> {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(rooms.entry(id.to_owned()).or_default())
    }

    pub(crate) async fn read(&self, matrix: &Matrix, id: &str) -> Result<Room, Fault> {
        let place = self.place(id);
        let mut room = place.lock().await;
        loaded(&mut room, matrix, id).await
    }

    /// Changes a room, and writes it down before that counts.
    pub(crate) async fn change(
        &self,
        matrix: &Matrix,
        id: &str,
        change: impl FnOnce(&mut Room),
    ) -> Result<(), Fault> {
        let place = self.place(id);
        let mut room = place.lock().await;
        let before = loaded(&mut room, matrix, id).await?;
        let mut after = before.clone();
        change(&mut after);
        if after != before {
            matrix.write_notes(id, KIND, json!(after)).await?;
            *room = Some(after);
        }
        Ok(())
    }
}

async fn loaded(room: &mut Option<Room>, matrix: &Matrix, id: &str) -> Result<Room, Fault> {
    if let Some(known) = room {
        return Ok(known.clone());
    }
    let notes = matrix.notes(id, KIND).await?;
    let read = notes.and_then(|notes| serde_json::from_value(notes).ok()).unwrap_or_default();
    Ok(room.insert(read).clone())
}
