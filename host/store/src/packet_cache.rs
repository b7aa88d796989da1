//! A cache of open packets in front of a shared ledger: the load before a claim without a round trip.
//!
//! An open is a load and a claim. Whatever a load says may be old by the time of the claim, so the claim names the version
//! that it builds on, and the ledger refuses any other. Therefore the load may as well come from this process's memory:
//! where the memory is behind, the claim is stale, tells what stands now, and nothing was claimed.
//!
//! **What it knows** of a packet is the packet and *all* of its claims as of a version: so it can say of any user whether
//! they have claimed. It begins with a packet that has no claims yet, and goes on with the claims that this process
//! makes. A packet that others have claimed from is loaded from the ledger each time, as without a cache.
//!
//! **What it never answers** are questions without users: who asks for a packet alone wants to see it as it is now, as
//! details do.
//!
//! **What bounds it.** The packets and claims in memory, in two halves: when the younger half is full the older one is
//! dropped, and what is used moves to the younger one. Packets that are over, stale or of another history of the ledger
//! are dropped.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    Attempt, Claimed, Closed, History, Loaded, Lookup, NewPacket, PacketLedger, Recorded, StoreError,
};
use hongbao_domain::{Claim, Packet, PacketKey, Share, Status, UserId};

/// How much is remembered: a packet counts as eight claims. A million are 100 to 150 MB.
const MOST: usize = 1 << 20;

/// The packet side of a ledger behind a cache of its open packets.
pub struct PacketCache {
    ledger: Arc<dyn PacketLedger>,
    history: History,
    /// Several locks, so that busy packets do not wait for each other.
    shards: Vec<Mutex<Shard>>,
    /// How much one half of a shard holds.
    most: usize,
}

#[derive(Default)]
struct Shard {
    young: HashMap<PacketKey, Known>,
    old: HashMap<PacketKey, Known>,
    /// Of the young ones, as the bound counts.
    size: usize,
}

/// A packet and all of its claims, as of its version.
struct Known {
    packet: Packet,
    claims: HashMap<UserId, Claim>,
    /// The number of the history that they are of.
    history: u64,
}

impl Known {
    /// How much of the bound it takes, with as many claims as it has shares.
    fn size(&self) -> usize {
        8 + self.packet.order.shares as usize
    }

    fn loaded(&self, users: &[UserId]) -> Loaded {
        let mut claims: Vec<_> = users.iter().filter_map(|user| self.claims.get(user)).cloned().collect();
        claims.sort_unstable_by_key(|claim| claim.sequence);
        claims.dedup_by_key(|claim| claim.sequence);
        Loaded { packet: self.packet.clone(), claims }
    }

    /// Adds the shares that were claimed at its version, the first as `first`. None where it is over now, or not what
    /// the ledger had.
    fn claimed(mut self, shares: Vec<Share>, first: u32, now_ms: u64) -> Option<Self> {
        let packet = &mut self.packet;
        for (sequence, Share { user, amount, .. }) in (first..).zip(shares) {
            if sequence != packet.claimed_shares + 1 {
                return None;
            }
            packet.claimed_shares = sequence;
            packet.claimed_amount = packet.claimed_amount.checked_add(amount)?;
            self.claims.insert(user.clone(), Claim { user, amount, sequence, claimed_at_ms: now_ms });
        }
        packet.version += 1;
        (packet.claimed_shares < packet.order.shares).then_some(self)
    }
}

impl Shard {
    fn take(&mut self, key: &PacketKey) -> Option<Known> {
        let young = self.young.remove(key);
        self.size -= young.as_ref().map_or(0, Known::size);
        young.or_else(|| self.old.remove(key))
    }

    fn put(&mut self, key: PacketKey, known: Known, most: usize) {
        if self.size + known.size() > most {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += known.size();
        if let Some(before) = self.young.insert(key, known) {
            self.size -= before.size();
        }
    }

    /// What is known of a packet, which counts as a use of it.
    fn get(&mut self, key: &PacketKey, most: usize) -> Option<&Known> {
        if !self.young.contains_key(key) {
            let known = self.old.remove(key)?;
            self.put(key.clone(), known, most);
        }
        self.young.get(key)
    }
}

impl PacketCache {
    const SHARDS: usize = 16;

    /// In front of this ledger, whose history it is.
    #[must_use]
    pub fn new(ledger: Arc<dyn PacketLedger>, history: History) -> Self {
        Self::with_size(ledger, history, MOST)
    }

    fn with_size(ledger: Arc<dyn PacketLedger>, history: History, most: usize) -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(Self::SHARDS).collect();
        Self { ledger, history, shards, most: most / Self::SHARDS / 2 }
    }

    fn shard(&self, key: &PacketKey) -> Option<MutexGuard<'_, Shard>> {
        // The low half of an id is random, so it spreads packets without being hashed.
        let (_, low) = key.packet.halves();
        let shard = self.shards.get(low as usize % Self::SHARDS)?;
        // A panic under a lock leaves a memory that may be wrong, which versions find out.
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn recall(&self, asked: &Lookup<'_>, history: u64) -> Option<Loaded> {
        if asked.users.is_empty() {
            return None;
        }
        let mut shard = self.shard(asked.key)?;
        let known = shard.get(asked.key, self.most)?;
        if known.history != history {
            shard.take(asked.key);
            return None;
        }
        Some(known.loaded(asked.users))
    }

    fn knows(&self, key: &PacketKey) -> bool {
        self.shard(key).is_some_and(|shard| shard.young.contains_key(key) || shard.old.contains_key(key))
    }

    /// Remembers a packet from which nobody has claimed.
    fn learn(&self, key: &PacketKey, loaded: &Loaded, history: u64) {
        let Loaded { packet, .. } = loaded;
        let known = || Known { packet: packet.clone(), claims: HashMap::new(), history };
        if packet.status == Status::Open
            && packet.claimed_shares == 0
            && 8 + packet.order.shares as usize <= self.most
            && let Some(mut shard) = self.shard(key)
        {
            shard.take(key);
            shard.put(key.clone(), known(), self.most);
        }
    }

    /// Goes on with the shares that were claimed at a version, or knows nothing more of the packet.
    fn go_on(&self, attempt: Attempt, answer: &Result<Claimed, StoreError>, now_ms: u64) {
        let Attempt { key, version, shares } = attempt;
        let Some(mut shard) = self.shard(&key) else { return };
        let known = shard.take(&key).filter(|known| known.packet.version == version);
        let known = match answer {
            Ok(Claimed::Committed(first)) => known.and_then(|known| known.claimed(shares, *first, now_ms)),
            // Nothing was changed, and a ledger that is busy is not asked for more.
            Err(StoreError::Overloaded(_)) => known,
            // Also where shares are refused: should memory be wrong, the next load puts it right.
            _ => None,
        };
        if let Some(known) = known {
            shard.put(key, known, self.most);
        }
    }
}

#[async_trait]
impl PacketLedger for PacketCache {
    async fn record_all(&self, packets: Vec<NewPacket>, now_ms: u64) -> Vec<Result<Recorded, StoreError>> {
        self.ledger.record_all(packets, now_ms).await
    }

    async fn load_all(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Option<Loaded>, StoreError>> {
        let history = self.history.number();
        let recalled: Vec<_> = lookups.iter().map(|asked| self.recall(asked, history)).collect();
        let unknown = lookups.iter().zip(&recalled).filter(|(_, recalled)| recalled.is_none());
        let unknown: Vec<_> = unknown.map(|(asked, _)| *asked).collect();
        let found = match unknown.as_slice() {
            [] => Vec::new(),
            asked => self.ledger.load_all(asked).await,
        };
        for (asked, found) in unknown.iter().zip(&found) {
            if let Ok(Some(loaded)) = found
                && !asked.users.is_empty()
            {
                self.learn(asked.key, loaded, history);
            }
        }
        let mut found = found.into_iter();
        let answer = |recalled: Option<Loaded>| match recalled {
            Some(loaded) => Ok(Some(loaded)),
            // There is one for each that was asked about.
            None => found.next().unwrap_or(Ok(None)),
        };
        recalled.into_iter().map(answer).collect()
    }

    async fn claim_all(&self, attempts: Vec<Attempt>, now_ms: u64) -> Vec<Result<Claimed, StoreError>> {
        let known: Vec<_> =
            attempts.iter().map(|attempt| self.knows(&attempt.key).then(|| attempt.clone())).collect();
        let answers = self.ledger.claim_all(attempts, now_ms).await;
        for (attempt, answer) in known.into_iter().zip(&answers) {
            if let Some(attempt) = attempt {
                self.go_on(attempt, answer, now_ms);
            }
        }
        answers
    }

    async fn close(&self, key: &PacketKey, expected_version: u64, now_ms: u64) -> Result<Closed, StoreError> {
        let closed = self.ledger.close(key, expected_version, now_ms).await;
        if let Some(mut shard) = self.shard(key) {
            shard.take(key);
        }
        closed
    }
}
