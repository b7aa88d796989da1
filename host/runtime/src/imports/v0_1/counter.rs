//! `counter`: the host adds the tenant, the time and the length of a lease.

use wasmtime::Result;

use super::bindings::hongbao::plugin::counter::{self, Host};
use super::bindings::hongbao::plugin::types::{Error, PacketId};
use super::convert::{amount, audience, packet_id, user, wit_audience, wit_error};
use crate::imports::{Breach, InstanceState, Surroundings};
use hongbao_domain::{Grant, PacketKey, UserId};
use hongbao_store::{Card, Holder, Lease, OpenedSeat, Opening, Seat, StoreError, Swapped, View};

impl Surroundings {
    fn lease(&self) -> Lease {
        let now_ms = self.clock.now_ms();
        Lease { now_ms, until_ms: now_ms.saturating_add(self.policy.lease_ms) }
    }

    /// How long a counter is kept at most: what is kept for ever would fill the cache.
    fn longest_kept_ms(&self) -> u64 {
        const AFTER_EXPIRY_MS: u64 = 60 * 60 * 1000;
        self.policy.max_expires_in_ms.saturating_add(AFTER_EXPIRY_MS)
    }
}

impl InstanceState {
    /// Seats that a store told of in this call: the cache learns of no other shares.
    fn opened_seats(&self, seats: Vec<counter::OpenedSeat>) -> Result<Vec<OpenedSeat>, Breach> {
        let seat = |(near, seat): (usize, counter::OpenedSeat)| {
            let (user, amount) = (user(seat.user)?, amount(seat.amount)?);
            match self.is_share_of(&user, amount, near) {
                true => Ok(OpenedSeat { user, amount }),
                false => Err(Breach::Lie("a share that nobody has")),
            }
        };
        if !self.check_seats(seats.len()) {
            return Err(Breach::Lie("a share that nobody has"));
        }
        seats.into_iter().enumerate().map(seat).collect()
    }

    /// Remembers the shares among the seats of these users.
    fn saw_holders(&mut self, users: &[UserId], holders: &[Holder]) {
        let shares = holders.iter().filter_map(|holder| match holder.seat {
            Seat::Opened(amount) => Some((users.get(holder.index as usize)?, amount, None)),
            Seat::Leased => None,
        });
        self.saw(shares);
    }
}

/// After a call that fails a plugin lets users through to the ledger, as the contract says: none of them
/// may be turned away there for having no seat.
fn keep_promise(around: &Surroundings, key: &PacketKey, error: Option<&StoreError>) {
    // Whoever was told that a store is overloaded was not let through.
    if error.is_some_and(|error| !matches!(error, StoreError::Overloaded(_))) {
        around.counter.let_through(key, around.lease());
    }
}

impl Host for InstanceState {
    async fn open(&mut self, packet: PacketId, opening: counter::Opening) -> Result<Result<(), Error>> {
        let key = self.enter_packet(Grant::Counter, packet_id(packet))?;
        let opened = self.opened_seats(opening.opened)?;
        let lease = self.around.lease();
        let opening = Opening {
            card: Card {
                audience: audience(opening.card.audience)?,
                expires_at_ms: opening.card.expires_at_ms,
            },
            shares: opening.shares,
            opened,
            // A seat from before a loss can be no older than one lease.
            lenient_until_ms: if opening.rebuilt { lease.until_ms } else { 0 },
            keep_until_ms: lease.now_ms.saturating_add(opening.ttl_ms.min(self.around.longest_kept_ms())),
        };
        let opened = self.asking.counter(self.around.counter.open(&key, opening, lease.now_ms)).await;
        keep_promise(&self.around, &key, opened.as_ref().err());
        Ok(answer(opened))
    }

    async fn load(
        &mut self,
        packet: PacketId,
        names: Vec<String>,
    ) -> Result<Result<Option<counter::View>, Error>> {
        let key = self.enter_packet(Grant::Counter, packet_id(packet))?;
        let users = self.own(names)?;
        let loaded =
            self.asking.counter(self.around.counter.load(&key, &users, self.around.clock.now_ms())).await;
        keep_promise(&self.around, &key, loaded.as_ref().err());
        if let Ok(Some(view)) = &loaded {
            self.saw_holders(&users, &view.holders);
        }
        Ok(answer(loaded.map(|view| view.map(wit_view))))
    }

    async fn swap(
        &mut self,
        packet: PacketId,
        expected_version: u64,
        take: Vec<String>,
    ) -> Result<Result<counter::Swapped, Error>> {
        let key = self.enter_packet(Grant::Counter, packet_id(packet))?;
        let take = self.own(take)?;
        let swapped = self
            .asking
            .counter(self.around.counter.swap(&key, expected_version, &take, self.around.lease()))
            .await;
        keep_promise(&self.around, &key, swapped.as_ref().err());
        if let Ok(Swapped::Stale(view)) = &swapped {
            self.saw_holders(&take, &view.holders);
        }
        Ok(answer(swapped.map(|swapped| match swapped {
            Swapped::Won(slots) => counter::Swapped::Won(slots),
            Swapped::Stale(view) => counter::Swapped::Stale(wit_view(view)),
            Swapped::Missing => counter::Swapped::Missing,
        })))
    }

    async fn admit(&mut self, packet: PacketId, names: Vec<String>) -> Result<Result<(), Error>> {
        let key = self.enter_packet(Grant::Counter, packet_id(packet))?;
        let users = self.own(names)?;
        let admitted =
            self.asking.counter(self.around.counter.admit(&key, &users, self.around.lease())).await;
        keep_promise(&self.around, &key, admitted.as_ref().err());
        Ok(answer(admitted))
    }

    async fn seats(
        &mut self,
        packet: PacketId,
        names: Vec<String>,
    ) -> Result<Result<Option<counter::Seating>, Error>> {
        let key = self.enter_packet(Grant::Counter, packet_id(packet))?;
        let users = self.own(names)?;
        let seats =
            self.asking.counter(self.around.counter.seats(&key, &users, self.around.clock.now_ms())).await;
        if let Ok(Some(seating)) = &seats {
            self.saw_holders(&users, &seating.holders);
        }
        Ok(answer(seats.map(|seating| {
            seating.map(|seating| counter::Seating {
                holders: seating.holders.into_iter().map(wit_holder).collect(),
                lenient: seating.lenient,
            })
        })))
    }

    async fn confirm(
        &mut self,
        packet: PacketId,
        opened: Vec<counter::OpenedSeat>,
    ) -> Result<Result<(), Error>> {
        let key = self.enter_packet(Grant::Counter, packet_id(packet))?;
        let opened = self.opened_seats(opened)?;
        Ok(answer(
            self.asking.counter(self.around.counter.confirm(&key, &opened, self.around.clock.now_ms())).await,
        ))
    }

    async fn close(&mut self, packet: PacketId) -> Result<Result<(), Error>> {
        let key = self.enter_packet(Grant::Counter, packet_id(packet))?;
        Ok(answer(self.asking.counter(self.around.counter.close(&key, self.around.clock.now_ms())).await))
    }
}

/// A counter that is away says so in the log by itself, once: every tap would say it again here.
fn answer<T>(result: Result<T, StoreError>) -> Result<T, Error> {
    result.map_err(|error| match error {
        StoreError::Unavailable(why) => {
            tracing::debug!("the counter is not asked, or does not answer: {why}");
            Error::Unavailable
        }
        error => wit_error(&error),
    })
}

fn wit_view(view: View) -> counter::View {
    counter::View {
        version: view.version,
        slots: view.slots,
        finished: view.finished,
        holders: view.holders.into_iter().map(wit_holder).collect(),
        card: counter::Card {
            audience: wit_audience(&view.card.audience),
            expires_at_ms: view.card.expires_at_ms,
        },
    }
}

fn wit_holder(holder: Holder) -> counter::Holder {
    let seat = match holder.seat {
        Seat::Leased => counter::Seat::Leased,
        Seat::Opened(amount) => counter::Seat::Opened(amount.get()),
    };
    counter::Holder { index: holder.index, seat }
}
