//! Quotas of a tenant on this host: streams, messages kept in rooms, audits.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::problem::{Kind, Problem};
use hongbao_domain::{Limit, Name, TenantId, counted};
use hongbao_runtime::Tenant;
use hongbao_store::{KEPT_EVENTS, KEPT_MS};

/// What each message costs besides its texts: its place, and its share of the room's.
const BESIDES: u64 = 256;
/// How often rooms of long ago are looked for, where the quota is full.
const SWEEP_EVERY_MS: u64 = 10_000;

/// What tenants have now.
#[derive(Default)]
pub(super) struct Quotas {
    streams: Arc<Mutex<HashMap<TenantId, u32>>>,
    audits: Arc<Mutex<HashSet<TenantId>>>,
    messages: Mutex<HashMap<TenantId, Messages>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A refusal, which the metrics count.
pub(super) fn full(tenant: &Tenant, limit: Limit, why: String) -> Problem {
    tenant.reached(limit);
    Problem::new(Kind::QUOTA, why)
}

/// One of a tenant's streams, as long as this lives.
pub(super) struct StreamPlace {
    tenant: TenantId,
    streams: Arc<Mutex<HashMap<TenantId, u32>>>,
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        if let Entry::Occupied(mut open) = locked(&self.streams).entry(self.tenant.clone()) {
            *open.get_mut() = open.get().saturating_sub(1);
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

/// The one reading of all books of a tenant that its administrators may have under way.
pub(super) struct AuditPlace {
    tenant: TenantId,
    audits: Arc<Mutex<HashSet<TenantId>>>,
}

impl Drop for AuditPlace {
    fn drop(&mut self) {
        locked(&self.audits).remove(&self.tenant);
    }
}

impl Quotas {
    /// A place for one more stream of the tenant.
    pub(super) fn stream(&self, tenant: &Tenant) -> Result<StreamPlace, Problem> {
        let most = tenant.limits().streams;
        let mut streams = locked(&self.streams);
        let open = streams.entry(tenant.id().clone()).or_default();
        if *open >= most {
            drop(streams);
            let open = counted(most.into(), "stream is", "streams are");
            let why = format!("{open} open, which is as many as the tenant may have on one host");
            return Err(full(tenant, Limit::Streams, why));
        }
        *open += 1;
        Ok(StreamPlace { tenant: tenant.id().clone(), streams: Arc::clone(&self.streams) })
    }

    /// A place to read all of a tenant's books, which costs the ledger more than anything else.
    pub(super) fn audit(&self, tenant: &TenantId) -> Result<AuditPlace, Problem> {
        if !locked(&self.audits).insert(tenant.clone()) {
            let why = "another audit or reconciliation of this tenant is under way";
            return Err(Problem::new(Kind::BUSY, why));
        }
        Ok(AuditPlace { tenant: tenant.clone(), audits: Arc::clone(&self.audits) })
    }

    /// Takes room for a message in what the tenant's rooms may keep, before it is told: of many at once no more are
    /// told than fit. Whoever does not come back has told it.
    pub(super) fn message(
        &self,
        tenant: &Tenant,
        room: &Name,
        bytes: usize,
        now_ms: u64,
    ) -> Result<MessagePlace, Problem> {
        let most = tenant.limits().message_bytes;
        let mut messages = locked(&self.messages);
        let kept = messages.entry(tenant.id().clone()).or_default();
        let size = bytes as u64 + BESIDES;
        let place = kept.fits(room, size, most, now_ms).then(|| kept.post(room, size, now_ms));
        if kept.rooms.is_empty() {
            messages.remove(tenant.id());
        }
        drop(messages);
        place.ok_or_else(|| {
            let why = format!(
                "the tenant's rooms keep {most} bytes of messages, which is as much as they may; \
                 a room keeps its last {KEPT_EVENTS} for a day"
            );
            full(tenant, Limit::Messages, why)
        })
    }

    /// A message was not told, or had been before.
    pub(super) fn not_told(&self, tenant: &Tenant, room: &Name, place: MessagePlace) {
        if let Some(kept) = locked(&self.messages).get_mut(tenant.id()) {
            kept.take_back(room, place);
        }
    }

    /// Forgets what rooms keep no more.
    pub(super) fn forget(&self, now_ms: u64) {
        locked(&self.messages).retain(|_, kept| {
            kept.sweep(now_ms);
            !kept.rooms.is_empty()
        });
    }
}

/// Room that a message has taken.
#[must_use]
pub(super) struct MessagePlace {
    size: u64,
    /// What its room keeps no more for it.
    dropped: Option<u64>,
}

/// What a tenant's rooms keep of the messages that came through this host.
struct Messages<K = Name> {
    rooms: HashMap<K, Room>,
    bytes: u64,
    swept_at_ms: u64,
}

impl<K> Default for Messages<K> {
    fn default() -> Self {
        Self { rooms: HashMap::new(), bytes: 0, swept_at_ms: 0 }
    }
}

#[derive(Default)]
struct Room {
    /// Of each message that is kept.
    sizes: VecDeque<u64>,
    bytes: u64,
    last_ms: u64,
}

impl<K: Eq + Hash + Clone> Messages<K> {
    fn fits(&mut self, room: &K, size: u64, most: u64, now_ms: u64) -> bool {
        if self.with(room, size) > most && now_ms.saturating_sub(self.swept_at_ms) >= SWEEP_EVERY_MS {
            self.sweep(now_ms);
        }
        self.with(room, size) <= most
    }

    /// How much there is with one more: a room that is full drops its oldest.
    fn with(&self, room: &K, size: u64) -> u64 {
        let dropped = self.rooms.get(room).filter(|room| room.sizes.len() >= KEPT_EVENTS);
        let dropped = dropped.and_then(|room| room.sizes.front()).copied().unwrap_or_default();
        self.bytes.saturating_add(size).saturating_sub(dropped)
    }

    fn post(&mut self, room: &K, size: u64, now_ms: u64) -> MessagePlace {
        self.bytes = self.with(room, size);
        let room = self.rooms.entry(room.clone()).or_default();
        let is_full = room.sizes.len() >= KEPT_EVENTS;
        let dropped = is_full.then(|| room.sizes.pop_front()).flatten();
        room.sizes.push_back(size);
        room.bytes = room.bytes.saturating_add(size).saturating_sub(dropped.unwrap_or_default());
        room.last_ms = now_ms;
        MessagePlace { size, dropped }
    }

    /// As if it had not been posted. Which of several of one size it was makes no difference.
    fn take_back(&mut self, name: &K, MessagePlace { size, dropped }: MessagePlace) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let Some(at) = room.sizes.iter().rposition(|one| *one == size) else { return };
        room.sizes.remove(at);
        dropped.into_iter().for_each(|dropped| room.sizes.push_front(dropped));
        let now = |bytes: u64| bytes.saturating_sub(size).saturating_add(dropped.unwrap_or_default());
        (room.bytes, self.bytes) = (now(room.bytes), now(self.bytes));
        if room.sizes.is_empty() {
            self.rooms.remove(name);
        }
    }

    fn sweep(&mut self, now_ms: u64) {
        self.swept_at_ms = now_ms;
        self.rooms.retain(|_, room| room.last_ms.saturating_add(KEPT_MS) > now_ms);
        self.bytes = self.rooms.values().map(|room| room.bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_room_drops_makes_room_and_what_it_keeps_does_not() {
        let mut kept = Messages::<u8>::default();
        let most = 10 * KEPT_EVENTS as u64;
        for _ in 0..KEPT_EVENTS {
            assert!(kept.fits(&1, 10, most, 0));
            let _ = kept.post(&1, 10, 0);
        }
        assert_eq!(kept.bytes, most);
        assert!(!kept.fits(&2, 1, most, 0), "another room has none left");
        assert!(kept.fits(&1, 10, most, 0) && !kept.fits(&1, 11, most, 0));
        for _ in 0..3 * KEPT_EVENTS {
            let _ = kept.post(&1, 10, 0);
        }
        assert_eq!(kept.bytes, most, "a busy room keeps as much as before");
        let _ = kept.post(&1, 4, 0);
        assert!(kept.fits(&2, 6, most, 0) && !kept.fits(&2, 7, most, 0));
    }

    #[test]
    fn what_was_not_told_is_as_if_it_had_never_been() {
        let mut kept = Messages::<u8>::default();
        let place = kept.post(&1, 7, 0);
        kept.take_back(&1, place);
        assert_eq!((kept.bytes, kept.rooms.len()), (0, 0));
        for size in 1..=KEPT_EVENTS as u64 {
            let _ = kept.post(&1, size, 0);
        }
        let before = kept.bytes;
        let (first, second) = (kept.post(&1, 1_000, 0), kept.post(&1, 2_000, 0));
        assert_eq!(kept.bytes, before + 3_000 - 1 - 2);
        kept.take_back(&1, first);
        kept.take_back(&1, second);
        assert_eq!((kept.bytes, kept.rooms[&1].bytes), (before, before));
        let place = kept.post(&2, 9, 0);
        kept.sweep(KEPT_MS);
        kept.take_back(&2, place);
        assert_eq!(kept.bytes, 0, "what was forgotten meanwhile is not taken back");
    }

    #[test]
    fn rooms_of_long_ago_make_room() {
        let mut kept = Messages::<u8>::default();
        let _ = (kept.post(&1, 60, 1), kept.post(&2, 40, 2));
        assert!(!kept.fits(&3, 1, 100, KEPT_MS));
        assert!(!kept.fits(&3, 1, 100, KEPT_MS + 1), "it was looked for a moment ago");
        assert!(kept.fits(&3, 60, 100, KEPT_MS + SWEEP_EVERY_MS));
        assert!(!kept.fits(&3, 101, 100, 3 * KEPT_MS), "what is larger than all of it never fits");
        assert_eq!((kept.bytes, kept.rooms.len()), (0, 0));
    }
}
