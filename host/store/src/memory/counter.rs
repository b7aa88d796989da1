//! The in-memory counter.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::entry::Entry;
use crate::{
    Confirmation, Counter, CounterState, Followed, History, Lease, Lookup, Opening, Report, Seating,
    StoreError, Swap, Swapped, View,
};
use hongbao_domain::PacketKey;

type Shard = HashMap<PacketKey, Entry>;

/// Counters in this process. They end with it, and any host builds them from the ledger again.
pub struct MemoryCounter {
    /// Packets are spread over several locks, so that busy packets do not wait for each other.
    shards: Vec<Mutex<Shard>>,
    history: Followed,
}

impl MemoryCounter {
    const SHARDS: usize = 64;

    /// No counters.
    #[must_use]
    pub fn new() -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(Self::SHARDS).collect();
        Self { shards, history: Followed::default() }
    }

    fn shard(&self, key: &PacketKey) -> Option<MutexGuard<'_, Shard>> {
        // The low half of an id is random, so it spreads packets without being hashed.
        let (_, low) = key.packet.halves();
        Some(lock(self.shards.get(low as usize % Self::SHARDS)?))
    }

    /// Runs `act` on a counter that is there at this time and of this history, with the ended leases gone.
    fn with<T>(&self, key: &PacketKey, now_ms: u64, act: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut shard = self.shard(key)?;
        let entry = shard.get_mut(key)?;
        if now_ms >= entry.keep_until_ms || entry.history != self.history.number() {
            shard.remove(key);
            return None;
        }
        entry.end_leases(now_ms);
        Some(act(entry))
    }
}

/// A panic under a lock leaves a counter that may be wrong, which a counter may be.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for MemoryCounter {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Counter for MemoryCounter {
    async fn open(&self, key: &PacketKey, opening: Opening, now_ms: u64) -> Result<(), StoreError> {
        if self.with(key, now_ms, |_| ()).is_none()
            && let Some(mut shard) = self.shard(key)
        {
            shard.entry(key.clone()).or_insert_with(|| Entry::new(opening, self.history.number()));
        }
        Ok(())
    }

    async fn load_all(&self, lookups: &[Lookup<'_>], now_ms: u64) -> Vec<Result<Option<View>, StoreError>> {
        let load = |asked: &Lookup<'_>| Ok(self.with(asked.key, now_ms, |entry| entry.view(asked.users)));
        lookups.iter().map(load).collect()
    }

    async fn swap_all(&self, swaps: &[Swap<'_>], lease: Lease) -> Vec<Result<Swapped, StoreError>> {
        let swap = |asked: &Swap<'_>| {
            let act = |entry: &mut Entry| entry.swap(asked.version, asked.take, lease);
            Ok(self.with(asked.key, lease.now_ms, act).unwrap_or(Swapped::Missing))
        };
        swaps.iter().map(swap).collect()
    }

    async fn admit_all(&self, groups: &[Lookup<'_>], lease: Lease) -> Vec<Result<(), StoreError>> {
        let admit = |asked: &Lookup<'_>| {
            self.with(asked.key, lease.now_ms, |entry| entry.admit(asked.users, lease));
            Ok(())
        };
        groups.iter().map(admit).collect()
    }

    async fn seats_all(
        &self,
        lookups: &[Lookup<'_>],
        now_ms: u64,
    ) -> Vec<Result<Option<Seating>, StoreError>> {
        let seats =
            |asked: &Lookup<'_>| Ok(self.with(asked.key, now_ms, |entry| entry.seating(asked.users, now_ms)));
        lookups.iter().map(seats).collect()
    }

    async fn confirm_all(
        &self,
        confirmations: &[Confirmation<'_>],
        now_ms: u64,
    ) -> Vec<Result<(), StoreError>> {
        let confirm = |asked: &Confirmation<'_>| {
            self.with(asked.key, now_ms, |entry| asked.opened.iter().for_each(|seat| entry.confirm(seat)));
            Ok(())
        };
        confirmations.iter().map(confirm).collect()
    }

    async fn close(&self, key: &PacketKey, now_ms: u64) -> Result<(), StoreError> {
        self.with(key, now_ms, Entry::close);
        Ok(())
    }

    async fn state(&self, key: &PacketKey, now_ms: u64) -> Result<Option<CounterState>, StoreError> {
        Ok(self.with(key, now_ms, |entry| entry.state()))
    }

    async fn forget(&self, key: &PacketKey) -> Result<(), StoreError> {
        if let Some(mut shard) = self.shard(key) {
            shard.remove(key);
        }
        Ok(())
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.shards.iter().for_each(|shard| lock(shard).clear());
        Ok(())
    }

    async fn sweep(&self, now_ms: u64) -> Result<u64, StoreError> {
        let mut ended = 0;
        let history = self.history.number();
        for shard in &self.shards {
            lock(shard).retain(|_, entry| {
                ended += entry.end_leases(now_ms);
                now_ms < entry.keep_until_ms && entry.history == history
            });
        }
        Ok(ended)
    }

    fn follow(&self, history: History) {
        self.history.follow(history);
    }

    fn let_through(&self, key: &PacketKey, lease: Lease) {
        self.with(key, lease.now_ms, |entry| entry.let_through(lease.until_ms));
    }

    fn health(&self) -> Option<Report> {
        None
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
