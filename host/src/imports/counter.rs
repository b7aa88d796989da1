//! `counter`: the host adds the tenant, the time and the length of a lease.

use wasmtime::Result;

use super::bindings::hongbao::plugin::counter::{self, Host};
use super::bindings::hongbao::plugin::types::{Error, PacketId};
use super::convert::{amount, audience, packet_id, users, wit_audience, wit_error};
use super::{Breach, InstanceState, Surroundings};
use crate::store::{Card, Holder, Lease, OpenedSeat, Opening, Seat, StoreError, Swapped, View};

impl Surroundings {
    fn lease(&self) -> Lease {
        let now_ms = self.clock.now_ms();
        Lease { now_ms, until_ms: now_ms.saturating_add(self.policy.lease_ms) }
    }

    fn opening(&self, opening: counter::Opening, now_ms: u64) -> Result<Opening, Breach> {
        Ok(Opening {
            card: Card {
                audience: audience(opening.card.audience)?,
                expires_at_ms: opening.card.expires_at_ms,
            },
            shares: opening.shares,
            opened: opened_seats(opening.opened)?,
            // A seat from before a loss can be no older than one lease.
            lenient_until_ms: if opening.rebuilt { self.lease().until_ms } else { 0 },
            keep_until_ms: now_ms.saturating_add(opening.ttl_ms),
        })
    }
}

impl Host for InstanceState {
    async fn open(&mut self, packet: PacketId, opening: counter::Opening) -> Result<Result<(), Error>> {
        let around = self.enter()?;
        let now_ms = around.clock.now_ms();
        let opening = around.opening(opening, now_ms)?;
        Ok(answer(around.counter.open(&around.key(packet_id(packet)), opening, now_ms).await))
    }

    async fn load(
        &mut self,
        packet: PacketId,
        names: Vec<String>,
    ) -> Result<Result<Option<counter::View>, Error>> {
        let around = self.enter()?;
        let users = users(names)?;
        let loaded = around.counter.load(&around.key(packet_id(packet)), &users, around.clock.now_ms()).await;
        Ok(answer(loaded.map(|view| view.map(wit_view))))
    }

    async fn swap(
        &mut self,
        packet: PacketId,
        expected_version: u64,
        take: Vec<String>,
    ) -> Result<Result<counter::Swapped, Error>> {
        let around = self.enter()?;
        let (key, take) = (around.key(packet_id(packet)), users(take)?);
        let swapped = around.counter.swap(&key, expected_version, &take, around.lease()).await;
        Ok(answer(swapped.map(|swapped| match swapped {
            Swapped::Won(slots) => counter::Swapped::Won(slots),
            Swapped::Stale(view) => counter::Swapped::Stale(wit_view(view)),
            Swapped::Missing => counter::Swapped::Missing,
        })))
    }

    async fn admit(&mut self, packet: PacketId, names: Vec<String>) -> Result<Result<(), Error>> {
        let around = self.enter()?;
        let users = users(names)?;
        Ok(answer(around.counter.admit(&around.key(packet_id(packet)), &users, around.lease()).await))
    }

    async fn seats(
        &mut self,
        packet: PacketId,
        names: Vec<String>,
    ) -> Result<Result<Option<counter::Seating>, Error>> {
        let around = self.enter()?;
        let users = users(names)?;
        let seats = around.counter.seats(&around.key(packet_id(packet)), &users, around.clock.now_ms()).await;
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
        let around = self.enter()?;
        let (key, opened) = (around.key(packet_id(packet)), opened_seats(opened)?);
        Ok(answer(around.counter.confirm(&key, &opened, around.clock.now_ms()).await))
    }

    async fn close(&mut self, packet: PacketId) -> Result<Result<(), Error>> {
        let around = self.enter()?;
        Ok(answer(around.counter.close(&around.key(packet_id(packet)), around.clock.now_ms()).await))
    }
}

fn answer<T>(result: Result<T, StoreError>) -> Result<T, Error> {
    result.map_err(|error| wit_error(&error))
}

fn opened_seats(seats: Vec<counter::OpenedSeat>) -> Result<Vec<OpenedSeat>, Breach> {
    let seat = |seat: counter::OpenedSeat| {
        Ok(OpenedSeat { user: super::convert::user(seat.user)?, amount: amount(seat.amount)? })
    };
    seats.into_iter().map(seat).collect()
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
