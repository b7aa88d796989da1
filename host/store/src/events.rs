//! `Events`, the contract of room events.

use async_trait::async_trait;
use tokio::sync::watch;

use super::{History, Report, StoreError};
use hongbao_domain::{Event, EventId, RoomKey};

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
    /// Also where that cannot be known, since the room was forgotten, or never gave out this place.
    pub is_gap: bool,
}

/// What a room keeps and what it dropped; there is none where it keeps nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first event that is kept.
    pub first: EventId,
    /// The last event that was dropped, if any was.
    pub dropped: Option<EventId>,
    /// The last event.
    pub last: EventId,
}

/// Whether somebody who read up to `after` may have missed something that is no longer kept.
pub fn is_gap(room: Option<Extent>, after: EventId) -> bool {
    let is_beginning = after == EventId::default();
    match room {
        None => !is_beginning,
        Some(room) if is_beginning => room.dropped.is_some(),
        Some(room) => after < room.dropped.unwrap_or(room.first) || after > room.last,
    }
}

/// The place of an event that is posted now, after `last`. Never that of the beginning.
pub(super) fn following(last: EventId, now_ms: u64) -> EventId {
    let now_ms = now_ms.max(1);
    if now_ms > last.ms {
        return EventId { ms: now_ms, sequence: 0 };
    }
    match last.sequence.checked_add(1) {
        Some(sequence) => EventId { ms: last.ms, sequence },
        None => EventId { ms: last.ms.saturating_add(1), sequence: 0 },
    }
}

/// What happens in rooms, for whoever listens, on any host. It may forget: events are news, and the
/// ledger is the truth. Time is the caller's.
#[async_trait]
pub trait Events: Send + Sync + 'static {
    /// Tells a room. None where a later state of the same packet was told before, or the same, and
    /// where a message of this sender and id is among those kept, since a call may be repeated after
    /// a lost reply: then nothing is told.
    async fn post(&self, room: &RoomKey, event: Event, now_ms: u64) -> Result<Option<EventId>, StoreError>;

    /// The place of the latest event, so that one can listen from now on.
    async fn latest(&self, room: &RoomKey) -> Result<EventId, StoreError>;

    /// At most `limit` events after this place.
    async fn since(&self, room: &RoomKey, after: EventId, limit: u32) -> Result<Since, StoreError>;

    /// From now on rooms are told of packets of this history of the ledger: what was told of a packet while the
    /// history had another name says nothing of its versions. See [`History`].
    fn follow(&self, history: History);

    /// How its server is doing, where it looks after that by itself.
    fn health(&self) -> Option<Report> {
        None
    }

    /// Wakes whoever waits for it when something may be new in the room, on whichever host it was
    /// posted; also when nothing is. The number means nothing.
    async fn listen(&self, room: &RoomKey) -> Result<watch::Receiver<u64>, StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64, sequence: u64) -> EventId {
        EventId { ms, sequence }
    }

    #[test]
    fn a_place_follows_the_clock_and_never_falls_back() {
        assert_eq!(following(EventId::default(), 0), at(1, 0));
        assert_eq!(following(at(5, 3), 6), at(6, 0));
        assert_eq!(following(at(5, 3), 5), at(5, 4));
        assert_eq!(following(at(5, 3), 2), at(5, 4));
        assert_eq!(following(at(5, u64::MAX), 2), at(6, 0));
    }

    #[test]
    fn a_gap_is_whatever_may_have_been_missed() {
        let whole = Some(Extent { first: at(5, 0), dropped: None, last: at(9, 1) });
        let cut = Some(Extent { first: at(5, 0), dropped: Some(at(4, 2)), last: at(9, 1) });
        let cases = [
            (None, at(0, 0), false),
            (None, at(5, 0), true),
            (whole, at(0, 0), false),
            (whole, at(4, 9), true),
            (whole, at(5, 0), false),
            (whole, at(9, 1), false),
            (whole, at(9, 2), true),
            (cut, at(0, 0), true),
            (cut, at(4, 1), true),
            (cut, at(4, 2), false),
            (cut, at(4, 3), false),
        ];
        for (room, after, expected) in cases {
            assert_eq!(is_gap(room, after), expected, "{room:?} after {after}");
        }
    }
}
