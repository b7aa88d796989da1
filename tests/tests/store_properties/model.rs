//! The oracle of a counter: what its contract says, and nothing of how it is done. Slots are
//! not counted down and up, but are what the seats leave over.

use std::collections::BTreeMap;

use hongbao_host::domain::Amount;
use hongbao_host::store::{Holder, Seat};

use super::{USERS, amount};

#[derive(Clone, Copy, Debug)]
enum Place {
    /// With a slot, until then.
    Taken(u64),
    /// Without a slot, until then.
    Admitted(u64),
    Opened(Amount),
}

/// One packet's counter. Users are known by their index.
#[derive(Clone, Debug)]
pub struct Model {
    pub shares: u32,
    pub lenient_until_ms: u64,
    pub keep_until_ms: u64,
    pub closed: bool,
    places: BTreeMap<usize, Place>,
}

impl Model {
    pub fn new(shares: u32, opened: &[usize], lenient_until_ms: u64, keep_until_ms: u64) -> Self {
        let places = opened.iter().map(|user| (*user, Place::Opened(claimed(*user)))).collect();
        Self { shares, lenient_until_ms, keep_until_ms, closed: false, places }
    }

    /// Ends the leases whose time is over.
    pub fn advance(&mut self, now_ms: u64) {
        self.places.retain(|_, place| match *place {
            Place::Taken(until_ms) | Place::Admitted(until_ms) => now_ms < until_ms,
            Place::Opened(_) => true,
        });
    }

    fn count(&self, is: fn(&Place) -> bool) -> u32 {
        self.places.values().filter(|place| is(place)).count() as u32
    }

    pub fn opened(&self) -> u32 {
        self.count(|place| matches!(place, Place::Opened(_)))
    }

    pub fn leased(&self) -> u32 {
        self.count(|place| matches!(place, Place::Taken(_)))
    }

    pub fn slots(&self) -> u32 {
        let held = self.opened() + self.leased();
        if self.closed { 0 } else { self.shares.saturating_sub(held) }
    }

    /// Whether a swap at the present version wins; if it does, the users hold their seats.
    pub fn take(&mut self, users: &[usize], until_ms: u64) -> bool {
        let mut places = self.places.clone();
        let free = users.iter().all(|user| places.insert(*user, Place::Taken(until_ms)).is_none());
        let wins = free && users.len() <= self.slots() as usize;
        if wins {
            self.places = places;
        }
        wins
    }

    pub fn admit(&mut self, users: &[usize], until_ms: u64) {
        for user in users {
            self.places.entry(*user).or_insert(Place::Admitted(until_ms));
        }
    }

    pub fn confirm(&mut self, users: &[usize]) {
        for user in users {
            self.places.insert(*user, Place::Opened(claimed(*user)));
        }
    }

    /// Who of all the users holds which seat.
    pub fn holders(&self) -> Vec<Holder> {
        let seat = |place: &Place| match *place {
            Place::Taken(_) | Place::Admitted(_) => Seat::Leased,
            Place::Opened(amount) => Seat::Opened(amount),
        };
        self.places.iter().map(|(user, place)| Holder { index: *user as u32, seat: seat(place) }).collect()
    }

    /// The users who opened, in the order of their names, which is that of their indexes.
    pub fn openers(&self) -> Vec<usize> {
        debug_assert!(USERS.is_sorted());
        let opened = self.places.iter().filter(|(_, place)| matches!(place, Place::Opened(_)));
        opened.map(|(user, _)| *user).collect()
    }
}

/// What a user claims. Always the same, since a claim's amount never changes.
pub fn claimed(user: usize) -> Amount {
    amount(10 + user as u64)
}
