//! `Counter`, the contract of the cache.

use std::sync::Arc;

use async_trait::async_trait;

use super::ledger::{Lookup, the_only};
use super::{History, Report, StoreError};
use hongbao_domain::{Amount, Audience, PacketKey, UserId};

/// What grab needs to know of a packet. Shared, since every view carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Who may take a share.
    pub audience: Audience,
    /// When the packet ends.
    pub expires_at_ms: u64,
}

/// A seat whose share has been claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedSeat {
    /// Whose.
    pub user: UserId,
    /// How much was claimed.
    pub amount: Amount,
}

/// A counter as it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// What grab needs to know.
    pub card: Card,
    /// Shares of the packet. A slot is free for each that is not in `opened`.
    pub shares: u32,
    /// Claims that the ledger holds already.
    pub opened: Vec<OpenedSeat>,
    /// Until then seats taken before a loss of the cache may be out there; 0 for a new packet.
    pub lenient_until_ms: u64,
    /// When the entry may be forgotten.
    pub keep_until_ms: u64,
}

/// A moment, and until when a seat taken at it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The host's clock.
    pub now_ms: u64,
    /// `now_ms` plus the policy's lease.
    pub until_ms: u64,
}

/// State of a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// Taken, not opened yet.
    Leased,
    /// Opened, for this amount.
    Opened(Amount),
}

/// A user of the batch who holds a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Index in the batch.
    pub index: u32,
    /// Its state.
    pub seat: Seat,
}

/// A packet's counter, seen by a batch of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Raised by every change of the slots.
    pub version: u64,
    /// Slots that are free.
    pub slots: u32,
    /// Every share is known to be claimed.
    pub finished: bool,
    /// Those of the users who hold a seat, in the order of the users.
    pub holders: Vec<Holder>,
    /// What grab needs to know.
    pub card: Arc<Card>,
}

/// A packet's seats, seen by a batch of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seating {
    /// Those of the users who hold a seat, in the order of the users.
    pub holders: Vec<Holder>,
    /// Seats taken before a loss of the cache may still be out there, or users were told that they may
    /// open without one.
    pub lenient: bool,
}

/// Users who take seats of one packet, all or none.
#[derive(Clone, Copy, Debug)]
pub struct Swap<'a> {
    /// Of which packet.
    pub key: &'a PacketKey,
    /// At which version it was seen; at another one nobody is seated.
    pub version: u64,
    /// Who takes a slot and a seat each.
    pub take: &'a [UserId],
}

/// Claims of one packet, whose seats become permanent.
#[derive(Clone, Copy, Debug)]
pub struct Confirmation<'a> {
    /// Of which packet.
    pub key: &'a PacketKey,
    /// Who claimed how much.
    pub opened: &'a [OpenedSeat],
}

/// Answer to [`Counter::swap_all`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swapped {
    /// The users hold their seats; so many slots are left.
    Won(u32),
    /// The version is another, a user holds a seat or stands twice, or slots are too few.
    Stale(View),
    /// There is no such counter.
    Missing,
}

/// A counter as the reconciler sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CounterState {
    /// Slots that are free.
    pub slots: u32,
    /// Seats that hold a slot and are not opened.
    pub leased: u32,
    /// Opened seats, in the order of the users' names.
    pub opened: Vec<OpenedSeat>,
    /// Ended by [`Counter::close`].
    pub closed: bool,
}

/// The cache. It may lose everything at any time and may be wrong: that costs traffic, never
/// money. Time is the caller's: a lease that has ended by the given time counts as ended, and
/// its slot as free, whether or not anything was swept.
///
/// Calls about lists answer one result for each element, in the same order: elements are independent. The methods
/// about one packet ask about a list of one.
#[async_trait]
pub trait Counter: Send + Sync + 'static {
    /// Starts a counter if there is none; one that is there stays as it is.
    async fn open(&self, key: &PacketKey, opening: Opening, now_ms: u64) -> Result<(), StoreError>;

    /// Reads counters; None for one that is missing.
    async fn load_all(&self, lookups: &[Lookup<'_>], now_ms: u64) -> Vec<Result<Option<View>, StoreError>>;

    /// Takes a slot and a seat for each user; of each packet all or none, if its version is the expected one.
    async fn swap_all(&self, swaps: &[Swap<'_>], lease: Lease) -> Vec<Result<Swapped, StoreError>>;

    /// Seats the users without taking slots. Those who hold a seat keep it.
    async fn admit_all(&self, groups: &[Lookup<'_>], lease: Lease) -> Vec<Result<(), StoreError>>;

    /// Reads the seats alone; None for a counter that is missing.
    async fn seats_all(
        &self,
        lookups: &[Lookup<'_>],
        now_ms: u64,
    ) -> Vec<Result<Option<Seating>, StoreError>>;

    /// Makes seats permanent. A claim whose seat is not known gets one, and takes a slot.
    async fn confirm_all(
        &self,
        confirmations: &[Confirmation<'_>],
        now_ms: u64,
    ) -> Vec<Result<(), StoreError>>;

    /// Ends a counter: no slots any more.
    async fn close(&self, key: &PacketKey, now_ms: u64) -> Result<(), StoreError>;

    /// The whole of a counter, for the reconciler; None where it is missing.
    async fn state(&self, key: &PacketKey, now_ms: u64) -> Result<Option<CounterState>, StoreError>;

    /// Forgets one counter. The next grab builds it from the ledger again.
    async fn forget(&self, key: &PacketKey) -> Result<(), StoreError>;

    /// Forgets every counter and seat.
    async fn clear(&self) -> Result<(), StoreError>;

    /// Frees the memory of what has ended by now; gives the number of leases that ended.
    async fn sweep(&self, now_ms: u64) -> Result<u64, StoreError>;

    /// From now on counters of this history are there and no others: whatever was counted while the history
    /// had another name is missing. For a ledger that has lost its last moments: see [`History`].
    fn follow(&self, history: History);

    /// A call about this packet failed, and users were told that they may open all the same: until the
    /// lease ends, its [seats](Self::seats) are lenient. Does not wait for a server.
    fn let_through(&self, key: &PacketKey, lease: Lease);

    /// How it is doing, for a counter that watches its server by itself and logs what changes. None for
    /// others: the host asks them by [`check`](Self::check), and logs what it hears.
    fn health(&self) -> Option<Report>;

    /// Whether counters can be read and written now; as cheap as finding out can be.
    async fn check(&self) -> Result<(), StoreError>;

    /// [`load_all`](Self::load_all) of one packet.
    async fn load(&self, key: &PacketKey, users: &[UserId], now_ms: u64) -> Result<Option<View>, StoreError> {
        the_only(self.load_all(&[Lookup { key, users }], now_ms).await)
    }

    /// [`swap_all`](Self::swap_all) of one packet.
    async fn swap(
        &self,
        key: &PacketKey,
        expected_version: u64,
        take: &[UserId],
        lease: Lease,
    ) -> Result<Swapped, StoreError> {
        the_only(self.swap_all(&[Swap { key, version: expected_version, take }], lease).await)
    }

    /// [`admit_all`](Self::admit_all) of one packet.
    async fn admit(&self, key: &PacketKey, users: &[UserId], lease: Lease) -> Result<(), StoreError> {
        the_only(self.admit_all(&[Lookup { key, users }], lease).await)
    }

    /// [`seats_all`](Self::seats_all) of one packet.
    async fn seats(
        &self,
        key: &PacketKey,
        users: &[UserId],
        now_ms: u64,
    ) -> Result<Option<Seating>, StoreError> {
        the_only(self.seats_all(&[Lookup { key, users }], now_ms).await)
    }

    /// [`confirm_all`](Self::confirm_all) of one packet.
    async fn confirm(&self, key: &PacketKey, opened: &[OpenedSeat], now_ms: u64) -> Result<(), StoreError> {
        the_only(self.confirm_all(&[Confirmation { key, opened }], now_ms).await)
    }
}
