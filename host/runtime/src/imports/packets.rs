//! Access of a call to a packet's counter and to the ledger, which keeps the two consistent: a counter is
//! started when its packet is recorded, built again from the ledger when the cache has lost it, and told of the
//! shares that were claimed.

use super::failure::Failure;
use super::state::Surroundings;
use super::stores::Stores;
use hongbao_domain::{Claim, Order, PacketKey, Share, UserId};
use hongbao_store::{Card, Claimed, Lease, Loaded, OpenedSeat, Opening, Seating, StoreError, Swapped, View};

/// How long a counter is kept after its packet's time: late taps are answered without the ledger.
const KEEP_AFTER_EXPIRY_MS: u64 = 10 * 60 * 1000;
/// How often a counter is built that is lost again at once.
const TRIES: u32 = 3;

impl Surroundings {
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
        let loaded = self.ledger(self.around.ledger.load(key, &[])).await;
        let Some(loaded) = loaded.map_err(|error| Failure::of_ledger(&error))? else {
            return Err(Failure::NotFound);
        };
        let packet = loaded.packet;
        let claims = self.ledger(self.around.ledger.claims(key, 0, packet.order.shares)).await;
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
        let lease = self.around.lease();
        let opening = Opening {
            card: Card { audience: order.audience.clone(), expires_at_ms },
            shares: order.shares,
            // A seat from before a loss can be no older than one lease.
            lenient_until_ms: if rebuilt_with.is_some() { lease.until_ms } else { 0 },
            opened: rebuilt_with.unwrap_or_default().into_iter().map(seat).collect(),
            keep_until_ms: lease.now_ms.max(expires_at_ms).saturating_add(KEEP_AFTER_EXPIRY_MS),
        };
        let opened = self.counter(self.around.counter.open(key, opening, lease.now_ms)).await;
        self.around.keep_promise(key, &opened);
        opened
    }

    /// A packet's counter, seen by these users.
    pub(super) async fn view(&self, key: &PacketKey, users: &[UserId]) -> Result<View, Failure> {
        for _ in 0..TRIES {
            let now_ms = self.around.clock.now_ms();
            let loaded = self.counter(self.around.counter.load(key, users, now_ms)).await;
            self.around.keep_promise(key, &loaded);
            match loaded.map_err(|error| Failure::of_counter(&error))? {
                Some(view) => return Ok(view),
                None => self.rebuild_counter(key).await?,
            }
        }
        self.around.counter.let_through(key, self.around.lease());
        Err(Failure::CacheAway)
    }

    /// A packet's seats, seen by these users.
    pub(super) async fn seating(&self, key: &PacketKey, users: &[UserId]) -> Result<Seating, Failure> {
        let now_ms = self.around.clock.now_ms();
        let seats = self.counter(self.around.counter.seats(key, users, now_ms)).await;
        if let Some(seating) = seats.map_err(|error| Failure::of_counter(&error))? {
            return Ok(seating);
        }
        // A counter that was just built again knows no seats that were taken before.
        self.rebuild_counter(key).await?;
        Ok(Seating { holders: Vec::new(), lenient: true })
    }

    /// Seats these users, if the counter still is of this version.
    pub(super) async fn swap(
        &self,
        key: &PacketKey,
        version: u64,
        take: &[UserId],
    ) -> Result<Swapped, Failure> {
        let swapped = self.counter(self.around.counter.swap(key, version, take, self.around.lease())).await;
        self.around.keep_promise(key, &swapped);
        swapped.map_err(|error| Failure::of_counter(&error))
    }

    /// Seats these users without slots.
    pub(super) async fn admit(&self, key: &PacketKey, users: &[UserId]) -> Result<(), Failure> {
        let admitted = self.counter(self.around.counter.admit(key, users, self.around.lease())).await;
        self.around.keep_promise(key, &admitted);
        admitted.map_err(|error| Failure::of_counter(&error))
    }

    /// A packet and the claims of these users.
    pub(super) async fn load(&self, key: &PacketKey, users: &[UserId]) -> Result<Loaded, Failure> {
        let loaded = self.ledger(self.around.ledger.load(key, users)).await;
        loaded.map_err(|error| Failure::of_ledger(&error))?.ok_or(Failure::NotFound)
    }

    /// Claims shares, and makes their seats permanent. Lost, a confirmation costs one needless admission: the
    /// claims stand in the ledger.
    pub(super) async fn claim(
        &self,
        key: &PacketKey,
        version: u64,
        shares: Vec<Share>,
    ) -> Result<Claimed, StoreError> {
        let seat = |share: &Share| OpenedSeat { user: share.user.clone(), amount: share.amount };
        let seats: Vec<_> = shares.iter().map(seat).collect();
        let now_ms = self.around.clock.now_ms();
        let claimed = self.ledger(self.around.ledger.claim(key, version, shares, now_ms)).await?;
        if matches!(claimed, Claimed::Committed(_)) {
            let _ = self.counter(self.around.counter.confirm(key, &seats, now_ms)).await;
        }
        Ok(claimed)
    }
}

fn seat(claim: Claim) -> OpenedSeat {
    OpenedSeat { user: claim.user, amount: claim.amount }
}
