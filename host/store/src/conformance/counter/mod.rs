//! The checks of a counter, and the bench they work at.

use std::sync::Arc;

use super::{Check, RACERS, START, amount, packet, race, user, users};
use crate::{
    Card, Confirmation, Counter, CounterState, History, Holder, Lease, Lookup, OpenedSeat, Opening, Seat,
    Seating, Swap, Swapped, View,
};
use hongbao_domain::{Audience, PacketKey, UserId};

mod confirms;
mod leases;
mod life;
mod many;
mod races;
mod swaps;

pub(super) fn checks() -> Vec<Check<Arc<dyn Counter>>> {
    [life::CHECKS, swaps::CHECKS, leases::CHECKS, confirms::CHECKS, many::CHECKS, races::CHECKS].concat()
}

/// How long a seat lasts that is not opened.
const LEASE: u64 = 60_000;

/// How long entries are kept: longer than any check lasts.
const KEPT: u64 = 7 * 24 * 60 * 60 * 1000;

/// A counter under check, and the packet that the check is about. Times count from [`START`].
#[derive(Clone)]
struct Bench {
    counter: Arc<dyn Counter>,
    key: PacketKey,
}

impl Bench {
    async fn run<F: Future<Output = ()> + Send>(
        counter: Arc<dyn Counter>,
        check: impl FnOnce(Self) -> F + Send,
    ) {
        check(Self { counter, key: packet("here", 1) }).await;
    }

    /// The same counter and another packet.
    fn at(&self, key: PacketKey) -> Self {
        Self { counter: Arc::clone(&self.counter), key }
    }

    async fn open(&self, opening: Opening, now: u64) {
        self.counter.open(&self.key, opening, START + now).await.expect("open answers");
    }

    /// Starts a new packet's counter, at the start of time.
    async fn with_slots(self, shares: u32) -> Self {
        self.open(opening(shares), 0).await;
        self
    }

    async fn load(&self, names: &[&str], now: u64) -> Option<View> {
        self.counter.load(&self.key, &users(names), START + now).await.expect("load answers")
    }

    async fn view(&self, names: &[&str], now: u64) -> View {
        self.load(names, now).await.expect("the counter is there")
    }

    async fn slots(&self, now: u64) -> u32 {
        self.view(&[], now).await.slots
    }

    async fn seating(&self, names: &[&str], now: u64) -> Option<Seating> {
        self.counter.seats(&self.key, &users(names), START + now).await.expect("seats answers")
    }

    /// Who of the users holds which seat. Both ways of reading have to agree on it.
    async fn holders(&self, names: &[&str], now: u64) -> Vec<Holder> {
        let seating = self.seating(names, now).await.expect("the counter is there");
        let view = self.view(names, now).await;
        assert_eq!(seating.holders, view.holders, "load and seats tell the same holders");
        view.holders
    }

    async fn swap(&self, version: u64, names: &[&str], now: u64) -> Swapped {
        let take = users(names);
        self.counter.swap(&self.key, version, &take, lease(now)).await.expect("swap answers")
    }

    /// Swaps at the present version, which must win.
    async fn take(&self, names: &[&str], now: u64) {
        let before = self.view(&[], now).await;
        let left = before.slots.checked_sub(names.len() as u32).expect("the check leaves slots enough");
        let swapped = self.swap(before.version, names, now).await;
        assert_eq!(swapped, Swapped::Won(left), "a swap at the present version wins");
    }

    /// Swaps, which must be stale and change nothing.
    async fn refuses(&self, version: u64, names: &[&str], now: u64) {
        let (view, state) = (self.view(names, now).await, self.state(now).await);
        let swapped = self.swap(version, names, now).await;
        assert_eq!(
            swapped,
            Swapped::Stale(view.clone()),
            "the swap of {names:?} is stale and tells what stands"
        );
        assert_eq!(
            self.view(names, now).await,
            view,
            "a stale swap changes neither version, slots nor seats"
        );
        assert_eq!(self.state(now).await, state, "a stale swap changes nothing at all");
    }

    async fn admit(&self, names: &[&str], now: u64) {
        self.counter.admit(&self.key, &users(names), lease(now)).await.expect("admit answers");
    }

    async fn confirm(&self, seats: &[(&str, u64)], now: u64) {
        self.counter.confirm(&self.key, &opened(seats), START + now).await.expect("confirm answers");
    }

    async fn close(&self, now: u64) {
        self.counter.close(&self.key, START + now).await.expect("close answers");
    }

    async fn forget(&self) {
        self.counter.forget(&self.key).await.expect("forget answers");
    }

    async fn reading(&self, now: u64) -> Option<CounterState> {
        self.counter.state(&self.key, START + now).await.expect("state answers")
    }

    async fn state(&self, now: u64) -> CounterState {
        self.reading(now).await.expect("the counter is there")
    }

    /// Every share is a free slot, a leased one or an opened one.
    async fn adds_up(&self, shares: u32, now: u64) {
        let state = self.state(now).await;
        let sum = state.slots + state.leased + state.opened.len() as u32;
        assert_eq!(sum, shares, "slots, leases and opened seats are the shares: {state:?}");
    }
}

fn lease(now: u64) -> Lease {
    Lease { now_ms: START + now, until_ms: START + now + LEASE }
}

fn card() -> Card {
    Card { audience: Audience::Everyone, expires_at_ms: START + KEPT / 2 }
}

/// A new packet's counter.
fn opening(shares: u32) -> Opening {
    Opening { card: card(), shares, opened: Vec::new(), lenient_until_ms: 0, keep_until_ms: START + KEPT }
}

fn opened(seats: &[(&str, u64)]) -> Vec<OpenedSeat> {
    seats.iter().map(|(name, minor)| OpenedSeat { user: user(name), amount: amount(*minor) }).collect()
}

/// The users of these indexes hold leases.
fn leased(indexes: &[u32]) -> Vec<Holder> {
    indexes.iter().map(|index| Holder { index: *index, seat: Seat::Leased }).collect()
}

/// The users of these indexes have opened, for these amounts.
fn open_seats(seats: &[(u32, u64)]) -> Vec<Holder> {
    seats.iter().map(|(index, minor)| Holder { index: *index, seat: Seat::Opened(amount(*minor)) }).collect()
}

fn name(user: &UserId) -> &str {
    user.as_str()
}
