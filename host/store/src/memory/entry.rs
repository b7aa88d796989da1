//! The counter of one packet.

use std::collections::HashMap;
use std::sync::Arc;

use crate::{Card, CounterState, Holder, Lease, OpenedSeat, Opening, Seat, Seating, Swapped, View};
use hongbao_domain::{Amount, UserId};

#[derive(Clone, Copy)]
enum Place {
    /// A lease. `slot` is false for a caller who was admitted without one.
    Leased {
        until_ms: u64,
        slot: bool,
    },
    Opened(Amount),
}

pub(super) struct Entry {
    card: Arc<Card>,
    version: u64,
    shares: u32,
    opened: u32,
    /// Leases that hold a slot.
    leased: u32,
    closed: bool,
    seats: HashMap<UserId, Place>,
    /// The earliest end of a lease: before it, nothing has to be looked through.
    next_end_ms: u64,
    lenient_until_ms: u64,
    pub(super) keep_until_ms: u64,
    /// The number of the history in which it was opened.
    pub(super) history: u64,
}

impl Entry {
    pub(super) fn new(opening: Opening, history: u64) -> Self {
        let opened = u32::try_from(opening.opened.len()).unwrap_or(u32::MAX);
        let seats = opening.opened.into_iter().map(|seat| (seat.user, Place::Opened(seat.amount)));
        Self {
            card: Arc::new(opening.card),
            version: 1,
            shares: opening.shares,
            opened,
            leased: 0,
            closed: false,
            seats: seats.collect(),
            next_end_ms: u64::MAX,
            lenient_until_ms: opening.lenient_until_ms,
            keep_until_ms: opening.keep_until_ms,
            history,
        }
    }

    /// Derived, so that a slot which was given twice, once by a lease and once to somebody whom the
    /// ledger let through, comes back once.
    fn slots(&self) -> u32 {
        match self.closed {
            true => 0,
            false => self.shares.saturating_sub(self.opened.saturating_add(self.leased)),
        }
    }

    /// Ends the leases whose time is over; gives how many.
    pub(super) fn end_leases(&mut self, now_ms: u64) -> u64 {
        if now_ms < self.next_end_ms {
            return 0;
        }
        let (mut ended, mut freed, mut next) = (0, 0, u64::MAX);
        self.seats.retain(|_, place| match *place {
            Place::Leased { until_ms, slot } if until_ms <= now_ms => {
                ended += 1;
                freed += u32::from(slot);
                false
            }
            Place::Leased { until_ms, .. } => {
                next = next.min(until_ms);
                true
            }
            Place::Opened(_) => true,
        });
        self.next_end_ms = next;
        if freed > 0 {
            self.leased -= freed;
            self.version += 1;
        }
        ended
    }

    pub(super) fn view(&self, users: &[UserId]) -> View {
        View {
            version: self.version,
            slots: self.slots(),
            finished: self.opened >= self.shares,
            holders: self.holders(users),
            card: Arc::clone(&self.card),
        }
    }

    pub(super) fn seating(&self, users: &[UserId], now_ms: u64) -> Seating {
        Seating { holders: self.holders(users), lenient: now_ms < self.lenient_until_ms }
    }

    /// Users without a seat are let through until then.
    pub(super) fn let_through(&mut self, until_ms: u64) {
        self.lenient_until_ms = self.lenient_until_ms.max(until_ms);
    }

    fn holders(&self, users: &[UserId]) -> Vec<Holder> {
        if self.seats.is_empty() {
            return Vec::new();
        }
        let places = users.iter().map(|user| self.seats.get(user));
        let held = (0_u32..).zip(places).filter_map(|(index, place)| Some((index, place?)));
        held.map(|(index, place)| Holder { index, seat: place.seat() }).collect()
    }

    pub(super) fn swap(&mut self, expected_version: u64, take: &[UserId], lease: Lease) -> Swapped {
        if self.version != expected_version || take.len() > self.slots() as usize {
            return Swapped::Stale(self.view(take));
        }
        let place = Place::Leased { until_ms: lease.until_ms, slot: true };
        for (index, user) in take.iter().enumerate() {
            if let Some(before) = self.seats.insert(user.clone(), place) {
                // All or none: this one keeps what it had, those before it give back. Where a
                // user stands twice, the seat it had is one that this swap made.
                self.seats.insert(user.clone(), before);
                for made in take.iter().take(index) {
                    self.seats.remove(made);
                }
                return Swapped::Stale(self.view(take));
            }
        }
        if !take.is_empty() {
            self.leased += take.len() as u32;
            self.version += 1;
            self.next_end_ms = self.next_end_ms.min(lease.until_ms);
        }
        Swapped::Won(self.slots())
    }

    pub(super) fn admit(&mut self, users: &[UserId], lease: Lease) {
        let place = Place::Leased { until_ms: lease.until_ms, slot: false };
        for user in users {
            self.seats.entry(user.clone()).or_insert(place);
        }
        self.next_end_ms = self.next_end_ms.min(lease.until_ms);
    }

    pub(super) fn confirm(&mut self, seat: &OpenedSeat) {
        if matches!(self.seats.get(&seat.user), Some(Place::Opened(_))) {
            return;
        }
        let before = self.seats.insert(seat.user.clone(), Place::Opened(seat.amount));
        self.opened += 1;
        self.leased -= u32::from(matches!(before, Some(Place::Leased { slot: true, .. })));
        self.version += 1;
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.version += 1;
    }

    pub(super) fn state(&self) -> CounterState {
        let opened = self.seats.iter().filter_map(|(user, place)| match *place {
            Place::Opened(amount) => Some(OpenedSeat { user: user.clone(), amount }),
            Place::Leased { .. } => None,
        });
        let mut opened: Vec<OpenedSeat> = opened.collect();
        opened.sort_unstable_by(|a, b| a.user.cmp(&b.user));
        CounterState { slots: self.slots(), leased: self.leased, opened, closed: self.closed }
    }
}

impl Place {
    const fn seat(&self) -> Seat {
        match *self {
            Self::Leased { .. } => Seat::Leased,
            Self::Opened(amount) => Seat::Opened(amount),
        }
    }
}
