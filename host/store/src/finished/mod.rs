//! A counter wrapper that remembers finished packets and answers grabs of them without a request.
//!
//! A packet's crowd goes on tapping long after the last share is gone, and most of what a counter
//! is asked is about packets that are finished. [`FinishedCache`] stands in front of a counter and
//! answers these calls from this process's memory.
//!
//! **What it knows** of a packet is its card and the final set of opened seats. When a view says
//! for the first time that a packet is finished, the whole counter is read once; it is remembered
//! if every share is opened and no lease holds a slot, since nothing can change any more then but
//! by a call that this process sees, or by a loss of the counter. Who was admitted without a slot
//! is not known here and counts as nobody: there is nothing left to be admitted to.
//!
//! **What bounds it.** So many packets, of so many shares; the one asked for least recently goes. An
//! entry is asked for again after some seconds of the caller's clock, so that a counter which was
//! wrong, and was put right by another host, is wrong here for no longer.
//!
//! **What races.** Every call that may change a finished packet (`open`, `confirm`, `close`,
//! `forget`, `clear`) drops it before and after, and raises a number. What was read is remembered
//! only if the number is still what it was before the reading.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::future::join_all;

use super::{
    Card, Confirmation, Counter, CounterState, Followed, History, Holder, Lease, Lookup, Opening, Report,
    Seat, Seating, StoreError, Swap, Swapped, View,
};
use hongbao_domain::{Amount, PacketKey, UserId};

/// How much is remembered, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Packets in all. Rounded up to a multiple of the number of locks, which is 16.
    pub packets: usize,
    /// Packets of more shares than this are not remembered.
    pub shares: usize,
    /// Age of an entry at which it is asked for again.
    pub life_ms: u64,
}

impl Default for Limits {
    /// 4096 packets of up to 1000 shares, for 3 seconds. With 100 shares each that is 30 MB.
    fn default() -> Self {
        Self { packets: 4096, shares: 1000, life_ms: 3000 }
    }
}

/// A counter in front of another one, which answers from memory what is asked about finished
/// packets.
pub struct FinishedCache {
    counter: Arc<dyn Counter>,
    limits: Limits,
    history: Followed,
    /// Several locks, so that busy packets do not wait for each other.
    shards: Vec<Mutex<Shard>>,
}

#[derive(Default)]
struct Shard {
    packets: HashMap<PacketKey, Finished>,
    /// Raised by whatever may change a packet of this shard.
    changes: u64,
    /// Counts the times that something was used here.
    uses: u64,
}

struct Finished {
    version: u64,
    card: Arc<Card>,
    /// None where there is too much to remember, or not all is final: the counter goes on being asked,
    /// but for the length of a life nobody reads the whole of it again.
    opened: Option<HashMap<UserId, Amount>>,
    since_ms: u64,
    /// The number of the history in which it finished.
    history: u64,
    /// When it was last used, in uses of the shard.
    used: u64,
}

impl FinishedCache {
    const SHARDS: usize = 16;

    /// In front of this counter.
    #[must_use]
    pub fn new(counter: Arc<dyn Counter>) -> Self {
        Self::with_limits(counter, Limits::default())
    }

    /// In front of this counter, with other limits.
    #[must_use]
    pub fn with_limits(counter: Arc<dyn Counter>, limits: Limits) -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(Self::SHARDS).collect();
        Self { counter, limits, history: Followed::default(), shards }
    }

    fn shard(&self, key: &PacketKey) -> Option<MutexGuard<'_, Shard>> {
        // The low half of an id is random, so it spreads packets without being hashed.
        let (_, low) = key.packet.halves();
        Some(lock(self.shards.get(low as usize % Self::SHARDS)?))
    }

    /// What is known of a finished packet. Otherwise the number of changes so far, if it is worth
    /// learning more.
    fn recall<T>(
        &self,
        key: &PacketKey,
        now_ms: u64,
        tell: impl FnOnce(&Finished) -> Option<T>,
    ) -> Result<T, Option<u64>> {
        let Some(mut shard) = self.shard(key) else { return Err(None) };
        let Shard { packets, changes, uses } = &mut *shard;
        let Some(finished) = packets.get_mut(key) else { return Err(Some(*changes)) };
        // Clocks may go back as well.
        let is_old = now_ms.abs_diff(finished.since_ms) >= self.limits.life_ms;
        if is_old || finished.history != self.history.number() {
            packets.remove(key);
            return Err(Some(*changes));
        }
        *uses += 1;
        finished.used = *uses;
        tell(finished).ok_or(None)
    }

    /// Reads the whole of a packet that a view says is finished, and remembers it. `changes` and `history`
    /// are the numbers from before the view was asked for.
    async fn learn(&self, key: &PacketKey, view: &View, now_ms: u64, [changes, history]: [u64; 2]) {
        // Whatever goes wrong here, the view is the answer.
        let Ok(Some(state)) = self.counter.state(key, now_ms).await else { return };
        // A closed counter has no slots, so these would not say that every share is opened.
        let is_final = !state.closed && state.slots == 0 && state.leased == 0;
        let opened = (is_final && state.opened.len() <= self.limits.shares)
            .then(|| state.opened.into_iter().map(|seat| (seat.user, seat.amount)).collect());
        let (version, card) = (view.version, Arc::clone(&view.card));
        let Some(mut shard) = self.shard(key) else { return };
        if shard.changes == changes {
            shard.uses += 1;
            let finished = Finished { version, card, opened, since_ms: now_ms, history, used: shard.uses };
            shard.remember(key.clone(), finished, self.limits.packets.div_ceil(Self::SHARDS));
        }
    }

    /// Drops a packet around a call that may change it. Before, so that nobody is told what stood
    /// when the call is done; after, so that nobody remembers what was read meanwhile.
    async fn changing<T>(&self, key: &PacketKey, call: impl Future<Output = T> + Send) -> T {
        self.drop_packet(key);
        let answer = call.await;
        self.drop_packet(key);
        answer
    }

    fn drop_packet(&self, key: &PacketKey) {
        if let Some(mut shard) = self.shard(key) {
            shard.changes += 1;
            shard.packets.remove(key);
        }
    }

    fn drop_all(&self) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.changes += 1;
            shard.packets.clear();
        }
    }
}

/// A panic under a lock leaves a memory that may be wrong, which a cache may be.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known, and in the place of what is not, the answers of the counter in their order.
fn fill<T>(
    known: Vec<Option<T>>,
    answers: Vec<Result<Option<T>, StoreError>>,
) -> Vec<Result<Option<T>, StoreError>> {
    let mut answers = answers.into_iter();
    let answer =
        |known: Option<T>| known.map_or_else(|| answers.next().unwrap_or(Ok(None)), |known| Ok(Some(known)));
    known.into_iter().map(answer).collect()
}

impl Shard {
    fn remember(&mut self, key: PacketKey, finished: Finished, most: usize) {
        if self.packets.len() >= most && !self.packets.contains_key(&key) {
            // A look through some hundred, once for each packet that is new.
            let oldest = self.packets.iter().min_by_key(|(_, finished)| finished.used);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                self.packets.remove(&oldest);
            }
        }
        self.packets.insert(key, finished);
    }
}

impl Finished {
    fn view(&self, users: &[UserId]) -> Option<View> {
        let (version, card) = (self.version, Arc::clone(&self.card));
        Some(View { version, slots: 0, finished: true, holders: self.holders(users)?, card })
    }

    /// Only where all of them have opened. Who has not may have been told to open without a seat, of
    /// which the counter knows; those who come to open without having been told are few.
    fn seating(&self, users: &[UserId]) -> Option<Seating> {
        let holders = self.holders(users)?;
        (holders.len() == users.len()).then_some(Seating { holders, lenient: false })
    }

    fn holders(&self, users: &[UserId]) -> Option<Vec<Holder>> {
        let all = self.opened.as_ref()?;
        let amounts = users.iter().map(|user| all.get(user));
        let opened = (0_u32..).zip(amounts).filter_map(|(index, amount)| Some((index, *amount?)));
        Some(opened.map(|(index, amount)| Holder { index, seat: Seat::Opened(amount) }).collect())
    }
}

#[async_trait]
impl Counter for FinishedCache {
    async fn open(&self, key: &PacketKey, opening: Opening, now_ms: u64) -> Result<(), StoreError> {
        self.changing(key, self.counter.open(key, opening, now_ms)).await
    }

    async fn load_all(&self, lookups: &[Lookup<'_>], now_ms: u64) -> Vec<Result<Option<View>, StoreError>> {
        let history = self.history.number();
        let (mut recalled, mut others, mut changes) =
            (Vec::with_capacity(lookups.len()), Vec::new(), Vec::new());
        for asked in lookups {
            recalled.push(match self.recall(asked.key, now_ms, |finished| finished.view(asked.users)) {
                Ok(view) => Some(view),
                Err(number) => {
                    others.push(*asked);
                    changes.push(number);
                    None
                }
            });
        }
        if others.is_empty() {
            return recalled.into_iter().map(Ok).collect();
        }
        let views = self.counter.load_all(&others, now_ms).await;
        let learning = others.iter().zip(&views).zip(changes).filter_map(|((asked, view), changes)| {
            let view = view.as_ref().ok()?.as_ref().filter(|view| view.finished)?;
            Some(self.learn(asked.key, view, now_ms, [changes?, history]))
        });
        join_all(learning).await;
        fill(recalled, views)
    }

    async fn swap_all(&self, swaps: &[Swap<'_>], lease: Lease) -> Vec<Result<Swapped, StoreError>> {
        self.counter.swap_all(swaps, lease).await
    }

    async fn admit_all(&self, groups: &[Lookup<'_>], lease: Lease) -> Vec<Result<(), StoreError>> {
        self.counter.admit_all(groups, lease).await
    }

    async fn seats_all(
        &self,
        lookups: &[Lookup<'_>],
        now_ms: u64,
    ) -> Vec<Result<Option<Seating>, StoreError>> {
        let recall = |asked: &Lookup<'_>| {
            self.recall(asked.key, now_ms, |finished| finished.seating(asked.users)).ok()
        };
        let recalled: Vec<_> = lookups.iter().map(recall).collect();
        let unknown = lookups.iter().zip(&recalled).filter(|(_, seating)| seating.is_none());
        let others: Vec<_> = unknown.map(|(asked, _)| *asked).collect();
        if others.is_empty() {
            return recalled.into_iter().map(Ok).collect();
        }
        fill(recalled, self.counter.seats_all(&others, now_ms).await)
    }

    async fn confirm_all(
        &self,
        confirmations: &[Confirmation<'_>],
        now_ms: u64,
    ) -> Vec<Result<(), StoreError>> {
        confirmations.iter().for_each(|confirmation| self.drop_packet(confirmation.key));
        let confirmed = self.counter.confirm_all(confirmations, now_ms).await;
        confirmations.iter().for_each(|confirmation| self.drop_packet(confirmation.key));
        confirmed
    }

    async fn close(&self, key: &PacketKey, now_ms: u64) -> Result<(), StoreError> {
        self.changing(key, self.counter.close(key, now_ms)).await
    }

    async fn state(&self, key: &PacketKey, now_ms: u64) -> Result<Option<CounterState>, StoreError> {
        self.counter.state(key, now_ms).await
    }

    async fn forget(&self, key: &PacketKey) -> Result<(), StoreError> {
        self.changing(key, self.counter.forget(key)).await
    }

    async fn clear(&self) -> Result<(), StoreError> {
        self.drop_all();
        let cleared = self.counter.clear().await;
        self.drop_all();
        cleared
    }

    async fn sweep(&self, now_ms: u64) -> Result<u64, StoreError> {
        self.counter.sweep(now_ms).await
    }

    fn follow(&self, history: History) {
        self.history.follow(history.clone());
        self.counter.follow(history);
    }

    fn let_through(&self, key: &PacketKey, lease: Lease) {
        self.counter.let_through(key, lease);
    }

    fn health(&self) -> Option<Report> {
        self.counter.health()
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.counter.check().await
    }
}
