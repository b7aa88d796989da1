//! The in-memory events.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::events::{Extent, following, is_gap};
use crate::{Events, Followed, History, KEPT_EVENTS, KEPT_MS, Since, StoreError};
use hongbao_domain::{Event, EventId, PacketEvent, PacketId, RoomKey};

/// Below so many rooms, and below so many packets of a room, nothing is looked through for what can
/// be forgotten.
const FEW: usize = 1024;

/// Events in this process. They end with it: whoever listens then asks the ledger how things stand.
#[derive(Default)]
pub struct MemoryEvents {
    state: Mutex<State>,
    history: Followed,
}

#[derive(Default)]
struct State {
    rooms: HashMap<RoomKey, Room>,
    /// The caller's time at the last post.
    now_ms: u64,
    /// When there are so many rooms, the old ones are forgotten.
    sweep_at: usize,
}

#[derive(Default)]
struct Room {
    kept: VecDeque<(EventId, Event)>,
    /// The last event that is no longer kept.
    dropped: Option<EventId>,
    packets: HashMap<PacketId, Told>,
    /// When there are so many packets, the old ones are forgotten.
    sweep_at: usize,
    /// Wakes whoever listens.
    posted: watch::Sender<u64>,
}

/// What a room was last told of a packet.
struct Told {
    version: u64,
    at_ms: u64,
    /// The number of the history of which the version is.
    history: u64,
}

impl MemoryEvents {
    /// No rooms.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic under the lock leaves a room that may lack an event, which a room may.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a time is so long ago that nobody needs it any more.
fn is_old(at_ms: u64, now_ms: u64) -> bool {
    at_ms.saturating_add(KEPT_MS) <= now_ms
}

impl State {
    /// The room, which may be new. Before there is one more of many, the old ones are forgotten;
    /// since the number has to double until the next time, that costs each new room a constant.
    fn room(&mut self, key: &RoomKey) -> &mut Room {
        if self.rooms.len() >= self.sweep_at.max(FEW) {
            let now_ms = self.now_ms;
            self.rooms.retain(|_, room| room.is_listened_to() || room.is_fresh(now_ms));
            self.sweep_at = self.rooms.len().saturating_mul(2);
        }
        self.rooms.entry(key.clone()).or_default()
    }
}

impl Room {
    fn is_listened_to(&self) -> bool {
        self.posted.receiver_count() > 0
    }

    /// Whether something happened lately.
    fn is_fresh(&self, now_ms: u64) -> bool {
        self.kept.back().is_some_and(|(last, _)| !is_old(last.ms, now_ms))
    }

    /// The place of the last event; the beginning where there is none.
    fn last(&self) -> EventId {
        self.kept.back().map(|(id, _)| *id).unwrap_or_default()
    }

    fn extent(&self) -> Option<Extent> {
        let (first, _) = self.kept.front()?;
        Some(Extent { first: *first, dropped: self.dropped, last: self.last() })
    }

    /// Whether the event says something that the room was not told. If so, the room knows it now.
    fn is_news(&mut self, event: &Event, now_ms: u64, history: u64) -> bool {
        match event {
            Event::Message { id, sender, .. } => !self.kept.iter().any(|(_, told)| match told {
                Event::Message { id: other, sender: by, .. } => other == id && by == sender,
                Event::Packet(_) => false,
            }),
            Event::Packet(PacketEvent { packet, version, .. }) => {
                let is_known = |told: &Told| told.version >= *version && told.history == history;
                if self.packets.get(packet).is_some_and(is_known) {
                    return false;
                }
                self.forget_packets(now_ms);
                self.packets.insert(*packet, Told { version: *version, at_ms: now_ms, history });
                true
            }
        }
    }

    /// Forgets the packets that were told of long ago, when there are many; at the cost of rooms.
    fn forget_packets(&mut self, now_ms: u64) {
        if self.packets.len() >= self.sweep_at.max(FEW) {
            self.packets.retain(|_, told| !is_old(told.at_ms, now_ms));
            self.sweep_at = self.packets.len().saturating_mul(2);
        }
    }

    fn post(&mut self, event: Event, now_ms: u64) -> EventId {
        let id = following(self.last(), now_ms);
        if self.kept.len() >= KEPT_EVENTS {
            self.dropped = self.kept.pop_front().map(|(id, _)| id);
        }
        self.kept.push_back((id, event));
        self.posted.send_modify(|posted| *posted = posted.wrapping_add(1));
        id
    }

    fn since(&self, after: EventId, limit: u32) -> Since {
        let from = self.kept.partition_point(|(id, _)| *id <= after);
        let events = self.kept.range(from..).take(limit as usize).cloned().collect();
        Since { events, is_gap: is_gap(self.extent(), after) }
    }
}

#[async_trait]
impl Events for MemoryEvents {
    async fn post(&self, room: &RoomKey, event: Event, now_ms: u64) -> Result<Option<EventId>, StoreError> {
        let mut state = self.state();
        state.now_ms = now_ms;
        let room = state.room(room);
        Ok(room.is_news(&event, now_ms, self.history.number()).then(|| room.post(event, now_ms)))
    }

    async fn latest(&self, room: &RoomKey) -> Result<EventId, StoreError> {
        Ok(self.state().rooms.get(room).map(Room::last).unwrap_or_default())
    }

    async fn since(&self, room: &RoomKey, after: EventId, limit: u32) -> Result<Since, StoreError> {
        let state = self.state();
        let nothing = || Since { events: Vec::new(), is_gap: is_gap(None, after) };
        Ok(state.rooms.get(room).map_or_else(nothing, |room| room.since(after, limit)))
    }

    fn follow(&self, history: History) {
        self.history.follow(history);
    }

    async fn listen(&self, room: &RoomKey) -> Result<watch::Receiver<u64>, StoreError> {
        Ok(self.state().room(room).posted.subscribe())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_domain::{Name, News, TenantId, UserId};

    const NOW: u64 = 1_750_000_000_000;

    fn room(number: usize) -> RoomKey {
        RoomKey { tenant: TenantId::default(), room: Name::new(format!("room {number}")).unwrap() }
    }

    async fn post(events: &MemoryEvents, number: usize, packet: u128, now_ms: u64) -> Option<EventId> {
        let event = Event::Packet(PacketEvent {
            packet: PacketId::new(NOW, packet),
            version: 3,
            sender: UserId::new("alice").unwrap(),
            shares: 9,
            claimed_shares: 1,
            news: News::Progress,
        });
        events.post(&room(number), event, now_ms).await.unwrap()
    }

    fn rooms(events: &MemoryEvents) -> usize {
        events.state().rooms.len()
    }

    #[tokio::test]
    async fn rooms_of_long_ago_are_forgotten_where_nobody_listens() {
        let events = MemoryEvents::new();
        let old = post(&events, 0, 0, NOW).await.unwrap();
        let listener = events.listen(&room(0)).await.unwrap();
        for number in 1..3 * FEW {
            post(&events, number, 0, NOW).await;
        }
        assert_eq!(rooms(&events), 3 * FEW, "those of today are kept");
        for number in 3 * FEW..9 * FEW {
            post(&events, number, 0, NOW + KEPT_MS).await;
        }
        assert_eq!(rooms(&events), 6 * FEW + 1, "and those of yesterday are not");
        assert_eq!(events.latest(&room(0)).await.unwrap(), old, "but where somebody listens");
        assert_eq!(events.latest(&room(1)).await.unwrap(), EventId::default());
        assert!(!listener.has_changed().unwrap());
        drop(listener);
        for number in 9 * FEW..16 * FEW {
            post(&events, number, 0, NOW + 2 * KEPT_MS).await;
        }
        assert_eq!(rooms(&events), 7 * FEW);
    }

    #[tokio::test]
    async fn rooms_that_were_listened_to_and_nothing_else_are_forgotten() {
        let events = MemoryEvents::new();
        for number in 0..20 * FEW {
            drop(events.listen(&room(number)).await.unwrap());
        }
        assert!(rooms(&events) <= FEW, "{}", rooms(&events));
    }

    #[tokio::test]
    async fn packets_of_long_ago_are_forgotten() {
        let events = MemoryEvents::new();
        let packets = || events.state().rooms.values().map(|room| room.packets.len()).sum::<usize>();
        for packet in 0..2000 {
            post(&events, 0, packet, NOW).await;
        }
        assert_eq!(packets(), 2000);
        for packet in 2000..5000 {
            post(&events, 0, packet, NOW + KEPT_MS).await;
        }
        assert_eq!(packets(), 3000);
        assert_eq!(post(&events, 0, 4999, NOW + KEPT_MS).await, None);
        assert_eq!(post(&events, 0, 2000, NOW + KEPT_MS).await, None);
    }
}
