//! Access of a call to a packet's counter and to the ledger, which keeps the two consistent: a counter is
//! started when its packet is recorded, built again from the ledger when the cache has lost it, and told of the
//! shares that were claimed.

use super::context::TenantContext;
use super::failure::Failure;
use super::stores::Stores;
use futures::future::join_all;
use hongbao_domain::{Claim, Order, PacketKey, Share};
use hongbao_store::{
    Attempt, Card, Claimed, Confirmation, Lease, Loaded, Lookup, OpenedSeat, Opening, Seating, StoreError,
    Swap, Swapped, View,
};

/// How long a counter is kept after its packet's time: late taps are answered without the ledger.
const KEEP_AFTER_EXPIRY_MS: u64 = 10 * 60 * 1000;
/// How often a counter is built that is lost again at once.
const TRIES: u32 = 3;

impl TenantContext {
    pub(super) fn lease(&self) -> Lease {
        let now_ms = self.clock.now_ms();
        Lease { now_ms, until_ms: now_ms.saturating_add(self.policy.lease_ms) }
    }

    /// After a call that fails a plugin lets users through to the ledger, as the contract says: none of them
    /// may be turned away there for having no seat.
    pub(super) fn keep_promise<T>(&self, key: &PacketKey, answer: &Result<T, StoreError>) {
        // Whoever was told that a store is overloaded was not let through.
        if let Err(error) = answer
            && !matches!(error, StoreError::Overloaded(_))
        {
            self.counter.let_through(key, self.lease());
        }
    }
}

impl Stores<'_> {
    /// Starts the counter of a packet that was just recorded. Should the cache be away, the first grab
    /// builds it from the ledger.
    pub(super) async fn start_counter(&self, key: &PacketKey, order: &Order, expires_at_ms: u64) {
        let _ = self.open_counter(key, order, expires_at_ms, None).await;
    }

    /// Builds a counter that the cache has lost.
    ///
    /// A claim that commits between the two reads is in the second; one that commits after both is
    /// confirmed to the new counter by its own call.
    async fn rebuild_counter(&self, key: &PacketKey) -> Result<(), Failure> {
        let packet = self.load_one(key).await?.packet;
        let claims = self.ledger(self.context.lists.claims(key, 0, packet.order.shares)).await;
        let claims = claims.map_err(|error| Failure::of_ledger(&error))?;
        let opened = self.open_counter(key, &packet.order, packet.expires_at_ms, Some(claims)).await;
        opened.map_err(|error| Failure::of_counter(&error))
    }

    async fn open_counter(
        &self,
        key: &PacketKey,
        order: &Order,
        expires_at_ms: u64,
        rebuilt_with: Option<Vec<Claim>>,
    ) -> Result<(), StoreError> {
        let lease = self.context.lease();
        let opening = Opening {
            card: Card { audience: order.audience.clone(), expires_at_ms },
            shares: order.shares,
            // A seat from before a loss can be no older than one lease.
            lenient_until_ms: if rebuilt_with.is_some() { lease.until_ms } else { 0 },
            opened: rebuilt_with.unwrap_or_default().into_iter().map(seat).collect(),
            keep_until_ms: lease.now_ms.max(expires_at_ms).saturating_add(KEEP_AFTER_EXPIRY_MS),
        };
        let opened = self.counter(self.context.counter.open(key, opening, lease.now_ms)).await;
        self.context.keep_promise(key, &opened);
        opened
    }

    /// Packets' counters, seen by these users of each. What the cache has lost is built again.
    pub(super) async fn views(&self, lookups: &[Lookup<'_>]) -> Vec<Result<View, Failure>> {
        let mut views: Vec<_> = lookups.iter().map(|_| Err(Failure::CacheAway)).collect();
        let mut open: Vec<usize> = (0..lookups.len()).collect();
        for _ in 0..TRIES {
            let asked: Vec<_> = open.iter().filter_map(|place| lookups.get(*place).copied()).collect();
            let now_ms = self.context.clock.now_ms();
            let loaded = self.counter_all(asked.len(), self.context.counter.load_all(&asked, now_ms)).await;
            let mut missing = Vec::new();
            for ((place, asked), loaded) in std::mem::take(&mut open).into_iter().zip(&asked).zip(loaded) {
                self.context.keep_promise(asked.key, &loaded);
                match loaded {
                    Ok(Some(view)) => set(&mut views, place, Ok(view)),
                    Ok(None) => missing.push((place, asked.key)),
                    Err(error) => set(&mut views, place, Err(Failure::of_counter(&error))),
                }
            }
            let rebuilt = join_all(missing.iter().map(|(_, key)| self.rebuild_counter(key))).await;
            for ((place, _), rebuilt) in missing.into_iter().zip(rebuilt) {
                match rebuilt {
                    Ok(()) => open.push(place),
                    Err(failure) => set(&mut views, place, Err(failure)),
                }
            }
            if open.is_empty() {
                return views;
            }
        }
        for lost in open.into_iter().filter_map(|place| lookups.get(place)) {
            self.context.counter.let_through(lost.key, self.context.lease());
        }
        views
    }

    /// Packets' seats, seen by these users of each.
    pub(super) async fn seatings(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Seating, Failure>> {
        let now_ms = self.context.clock.now_ms();
        let seats = self.counter_all(lookups.len(), self.context.counter.seats_all(lookups, now_ms)).await;
        let (mut seatings, mut missing) = (Vec::with_capacity(lookups.len()), Vec::new());
        for (place, (asked, seats)) in lookups.iter().zip(seats).enumerate() {
            seatings.push(match seats {
                Ok(Some(seating)) => Ok(seating),
                Ok(None) => {
                    missing.push((place, asked.key));
                    Err(Failure::CacheAway)
                }
                Err(error) => Err(Failure::of_counter(&error)),
            });
        }
        let rebuilt = join_all(missing.iter().map(|(_, key)| self.rebuild_counter(key))).await;
        for ((place, _), rebuilt) in missing.into_iter().zip(rebuilt) {
            // A counter that was just built again knows no seats that were taken before.
            let seating = rebuilt.map(|()| Seating { holders: Vec::new(), lenient: true });
            set(&mut seatings, place, seating);
        }
        seatings
    }

    /// Seats these users, where the counters still are of these versions.
    pub(super) async fn swap(&self, swaps: &[Swap<'_>]) -> Vec<Result<Swapped, Failure>> {
        let swapping = self.context.counter.swap_all(swaps, self.context.lease());
        let swapped = self.counter_all(swaps.len(), swapping).await;
        let answer = |(swap, swapped): (&Swap<'_>, Result<Swapped, StoreError>)| {
            self.context.keep_promise(swap.key, &swapped);
            swapped.map_err(|error| Failure::of_counter(&error))
        };
        swaps.iter().zip(swapped).map(answer).collect()
    }

    /// Seats these users without slots.
    pub(super) async fn admit(&self, groups: &[Lookup<'_>]) -> Vec<Result<(), Failure>> {
        let admitting = self.context.counter.admit_all(groups, self.context.lease());
        let admitted = self.counter_all(groups.len(), admitting).await;
        let answer = |(group, admitted): (&Lookup<'_>, Result<(), StoreError>)| {
            self.context.keep_promise(group.key, &admitted);
            admitted.map_err(|error| Failure::of_counter(&error))
        };
        groups.iter().zip(admitted).map(answer).collect()
    }

    /// Packets and the claims of these users of each.
    pub(super) async fn load(&self, lookups: &[Lookup<'_>]) -> Vec<Result<Loaded, Failure>> {
        let loaded = self.ledger_all(lookups.len(), self.context.packets.load_all(lookups)).await;
        let answer = |loaded: Result<Option<Loaded>, StoreError>| {
            loaded.map_err(|error| Failure::of_ledger(&error))?.ok_or(Failure::NotFound)
        };
        loaded.into_iter().map(answer).collect()
    }

    /// A packet alone.
    pub(super) async fn load_one(&self, key: &PacketKey) -> Result<Loaded, Failure> {
        let loaded = self.ledger(self.context.packets.load(key, &[])).await;
        loaded.map_err(|error| Failure::of_ledger(&error))?.ok_or(Failure::NotFound)
    }

    /// Claims shares, and makes their seats permanent. Lost, a confirmation costs one needless admission: the
    /// claims stand in the ledger.
    pub(super) async fn claim(&self, attempts: Vec<Attempt>) -> Vec<Result<Claimed, StoreError>> {
        let seat = |share: &Share| OpenedSeat { user: share.user.clone(), amount: share.amount };
        let seats = |attempt: &Attempt| attempt.shares.iter().map(seat).collect();
        let seats: Vec<(PacketKey, Vec<OpenedSeat>)> =
            attempts.iter().map(|attempt| (attempt.key.clone(), seats(attempt))).collect();
        let now_ms = self.context.clock.now_ms();
        let claimed = self.ledger_all(seats.len(), self.context.packets.claim_all(attempts, now_ms)).await;
        let is_claimed = |claimed: &Result<Claimed, StoreError>| matches!(claimed, Ok(Claimed::Committed(_)));
        let committed = seats.iter().zip(&claimed).filter(|(_, claimed)| is_claimed(claimed));
        let confirmations: Vec<_> =
            committed.map(|((key, opened), _)| Confirmation { key, opened }).collect();
        if !confirmations.is_empty() {
            let confirming = self.context.counter.confirm_all(&confirmations, now_ms);
            self.counter_all(confirmations.len(), confirming).await;
        }
        claimed
    }
}

fn set<T>(answers: &mut [T], place: usize, answer: T) {
    if let Some(slot) = answers.get_mut(place) {
        *slot = answer;
    }
}

fn seat(claim: Claim) -> OpenedSeat {
    OpenedSeat { user: claim.user, amount: claim.amount }
}
