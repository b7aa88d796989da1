//! The news' contract.

use async_trait::async_trait;
use tokio::sync::watch;

use super::StoreError;
use crate::domain::{Event, EventId, RoomKey};

/// Events that a room keeps at least, as long as they are younger than [`KEPT_MS`].
pub const KEPT_EVENTS: usize = 256;

/// How long a room keeps events, in which nothing new happens.
pub const KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// Events of a room after some place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Since {
    /// In their order.
    pub events: Vec<(EventId, Event)>,
    /// Whether some before these are no longer kept: whoever reads should ask how things stand.
    pub is_gap: bool,
}

/// What happens in rooms, for whoever listens, on any host. It may forget: events are news, and the
/// ledger is the truth. Time is the caller's.
#[async_trait]
pub trait Events: Send + Sync + 'static {
    /// Tells a room. None where a later state of the same packet was told before, or the same: then
    /// nothing is told.
    async fn post(&self, room: &RoomKey, event: Event, now_ms: u64) -> Result<Option<EventId>, StoreError>;

    /// The place of the latest event, so that one can listen from now on.
    async fn latest(&self, room: &RoomKey) -> Result<EventId, StoreError>;

    /// At most `limit` events after this place.
    async fn since(&self, room: &RoomKey, after: EventId, limit: u32) -> Result<Since, StoreError>;

    /// Wakes whoever waits for it when something may be new in the room, on whichever host it was
    /// posted; also when nothing is. The number means nothing.
    async fn listen(&self, room: &RoomKey) -> Result<watch::Receiver<u64>, StoreError>;
}
