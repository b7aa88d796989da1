//! The pool of warm instances of all tenants, and the limit on their number.
//!
//! An instance belongs to one tenant and one version of its plugin for as long as it lives, since its
//! memory may hold what it saw. Where the engine's pool is full, the one that has had nothing to do
//! for longest makes room; where none is idle, the caller waits.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;

use super::instance::Instance;
use super::{CallError, Engine};

/// Whose an instance is: a number for each tenant and version that ever served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Owner(pub(super) u64);

/// The instances of a host.
pub(super) struct Pool {
    engine: Engine,
    idle: Mutex<Idle>,
    /// Callers for whom there is no room. Changed and read under the lock of `idle` alone, so that
    /// whoever waits has seen what is idle, or is seen by whoever would keep more.
    waiting: AtomicUsize,
}

/// A caller for whom there is no room, until this is dropped.
struct Waiting<'p>(&'p Pool);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let _idle = self.0.idle();
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Idle {
    /// By the order in which they became idle.
    by_age: BTreeMap<u64, Resting>,
    /// Each owner's keys in `by_age`, the youngest last.
    of: HashMap<Owner, VecDeque<u64>>,
    next: u64,
}

struct Resting {
    owner: Owner,
    until: Instant,
    instance: Instance,
}

impl Pool {
    pub(super) fn new(engine: Engine) -> Self {
        Self { engine, idle: Mutex::default(), waiting: AtomicUsize::new(0) }
    }

    /// A warm instance of this owner's: the one that was used last.
    pub(super) fn take(&self, owner: Owner) -> Option<Instance> {
        self.idle().take_youngest(owner)
    }

    /// Room for one more instance, which takes so many places.
    pub(super) async fn room(&self, places: u32) -> Result<OwnedSemaphorePermit, CallError> {
        loop {
            if let Ok(room) = Arc::clone(&self.engine.room).try_acquire_many_owned(places) {
                return Ok(room);
            }
            let Some(_waiting) = self.make_room() else { continue };
            let room = Arc::clone(&self.engine.room).acquire_many_owned(places).await;
            return room.map_err(|_| CallError::Busy);
        }
    }

    /// Drops the instance that has been idle for longest. Where none is idle, the caller waits.
    fn make_room(&self) -> Option<Waiting<'_>> {
        let mut idle = self.idle();
        let oldest = idle.take_oldest();
        if oldest.is_none() {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
        // Nothing is dropped under the lock.
        drop(idle);
        oldest.is_none().then(|| Waiting(self))
    }

    /// Keeps an instance until it is needed again or has been idle for too long; or drops it, where
    /// somebody waits for its place.
    pub(super) fn give_back(&self, owner: Owner, instance: Instance, idle_for: Duration) {
        let mut idle = self.idle();
        if self.waiting.load(Ordering::Relaxed) == 0 {
            idle.put(owner, instance, Instant::now() + idle_for);
        }
    }

    /// Drops what has been idle for too long.
    pub(super) fn drop_idle(&self) {
        let now = Instant::now();
        let gone: Vec<_> = self.idle().take_past(now);
        drop(gone);
    }

    /// Drops what is idle of an owner that serves no more.
    pub(super) fn retire(&self, owner: Owner) {
        let gone: Vec<_> = std::iter::from_fn(|| self.idle().take_youngest(owner)).collect();
        drop(gone);
    }

    /// Instances that are idle, and the places that all there are take.
    pub(super) fn count(&self) -> (usize, usize) {
        let all = self.engine.instances - self.engine.room.available_permits();
        (self.idle().by_age.len(), all)
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    fn put(&mut self, owner: Owner, instance: Instance, until: Instant) {
        self.next += 1;
        self.by_age.insert(self.next, Resting { owner, until, instance });
        self.of.entry(owner).or_default().push_back(self.next);
    }

    fn take_youngest(&mut self, owner: Owner) -> Option<Instance> {
        let keys = self.of.get_mut(&owner)?;
        let key = keys.pop_back();
        if keys.is_empty() {
            self.of.remove(&owner);
        }
        self.by_age.remove(&key?).map(|resting| resting.instance)
    }

    fn take_oldest(&mut self) -> Option<Instance> {
        let (_, resting) = self.by_age.pop_first()?;
        self.forget_oldest_of(resting.owner);
        Some(resting.instance)
    }

    /// Tenants may keep theirs for different times, so all are looked at: there are not many.
    fn take_past(&mut self, now: Instant) -> Vec<Instance> {
        let past: Vec<u64> =
            self.by_age.iter().filter(|(_, resting)| resting.until <= now).map(|(key, _)| *key).collect();
        let take = |key: u64| {
            let resting = self.by_age.remove(&key)?;
            if let Some(keys) = self.of.get_mut(&resting.owner) {
                keys.retain(|other| *other != key);
                if keys.is_empty() {
                    self.of.remove(&resting.owner);
                }
            }
            Some(resting.instance)
        };
        past.into_iter().filter_map(take).collect()
    }

    fn forget_oldest_of(&mut self, owner: Owner) {
        if let Some(keys) = self.of.get_mut(&owner) {
            keys.pop_front();
            if keys.is_empty() {
                self.of.remove(&owner);
            }
        }
    }
}
