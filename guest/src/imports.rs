//! The generated imports as a [`Host`]. They work in a component alone.

use crate::bindings::hongbao::plugin::types::{Claim, Error, PacketId, UserId};
use crate::bindings::hongbao::plugin::{clock, counter, entropy, ledger, log, policy};
use crate::{Counter, Host, Ledger};

/// What the host links in, as a [`Host`].
#[derive(Clone, Copy, Debug)]
pub struct Imports;

impl Host for Imports {
    fn counter(&self) -> &impl Counter {
        self
    }
    fn ledger(&self) -> &impl Ledger {
        self
    }
    fn u64s(&self, count: u32) -> Vec<u64> {
        entropy::u64s(count)
    }
    fn now_ms(&self) -> u64 {
        clock::now_ms()
    }
    fn limits(&self) -> policy::Limits {
        policy::get()
    }
    fn log(&self, level: log::Level, message: &str) {
        log::write(level, message);
    }
}

impl Counter for Imports {
    fn open(&self, packet: PacketId, opening: &counter::Opening) -> Result<(), Error> {
        counter::open(packet, opening)
    }
    fn load(&self, packet: PacketId, users: &[UserId]) -> Result<Option<counter::View>, Error> {
        counter::load(packet, users)
    }
    fn swap(&self, packet: PacketId, version: u64, take: &[UserId]) -> Result<counter::Swapped, Error> {
        counter::swap(packet, version, take)
    }
    fn admit(&self, packet: PacketId, users: &[UserId]) -> Result<(), Error> {
        counter::admit(packet, users)
    }
    fn seats(&self, packet: PacketId, users: &[UserId]) -> Result<Option<counter::Seating>, Error> {
        counter::seats(packet, users)
    }
    fn confirm(&self, packet: PacketId, opened: &[counter::OpenedSeat]) -> Result<(), Error> {
        counter::confirm(packet, opened)
    }
    fn close(&self, packet: PacketId) -> Result<(), Error> {
        counter::close(packet)
    }
}

impl Ledger for Imports {
    fn record(&self, order: &ledger::Order) -> Result<ledger::Recorded, Error> {
        ledger::record(order)
    }
    fn load(&self, packet: PacketId, users: &[UserId]) -> Result<Option<ledger::Loaded>, Error> {
        ledger::load(packet, users)
    }
    fn claim(
        &self,
        packet: PacketId,
        version: u64,
        shares: &[ledger::Share],
    ) -> Result<ledger::Claimed, Error> {
        ledger::claim(packet, version, shares)
    }
    fn close(&self, packet: PacketId, version: u64) -> Result<ledger::Closed, Error> {
        ledger::close(packet, version)
    }
    fn claims(&self, packet: PacketId, cursor: u32, limit: u32) -> Result<Vec<Claim>, Error> {
        ledger::claims(packet, cursor, limit)
    }
    fn recent(&self, room: &str, limit: u32) -> Result<Vec<PacketId>, Error> {
        ledger::recent(room, limit)
    }
}
