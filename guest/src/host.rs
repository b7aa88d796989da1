//! The host as the plugin's logic sees it: one trait for each store, one for the rest.

use crate::bindings::hongbao::plugin::counter::{OpenedSeat, Opening, Seating, Swapped, View};
use crate::bindings::hongbao::plugin::ledger::{Claimed, Closed, Loaded, Order, Recorded, Share};
use crate::bindings::hongbao::plugin::log::Level;
use crate::bindings::hongbao::plugin::policy::Limits;
use crate::bindings::hongbao::plugin::types::{Claim, Error, PacketId, UserId};

/// The cache. Contracts are those of `wit/counter.wit`.
#[expect(missing_docs, reason = "each method is documented in wit/counter.wit")]
pub trait Counter {
    fn open(&self, packet: PacketId, opening: &Opening) -> Result<(), Error>;
    fn load(&self, packet: PacketId, users: &[UserId]) -> Result<Option<View>, Error>;
    fn swap(&self, packet: PacketId, version: u64, take: &[UserId]) -> Result<Swapped, Error>;
    fn admit(&self, packet: PacketId, users: &[UserId]) -> Result<(), Error>;
    fn seats(&self, packet: PacketId, users: &[UserId]) -> Result<Option<Seating>, Error>;
    fn confirm(&self, packet: PacketId, opened: &[OpenedSeat]) -> Result<(), Error>;
    fn close(&self, packet: PacketId) -> Result<(), Error>;
}

/// The truth. Contracts are those of `wit/ledger.wit`.
#[expect(missing_docs, reason = "each method is documented in wit/ledger.wit")]
pub trait Ledger {
    fn record(&self, order: &Order) -> Result<Recorded, Error>;
    fn load(&self, packet: PacketId, users: &[UserId]) -> Result<Option<Loaded>, Error>;
    fn claim(&self, packet: PacketId, version: u64, shares: &[Share]) -> Result<Claimed, Error>;
    fn close(&self, packet: PacketId, version: u64) -> Result<Closed, Error>;
    fn claims(&self, packet: PacketId, cursor: u32, limit: u32) -> Result<Vec<Claim>, Error>;
    fn recent(&self, room: &str, limit: u32) -> Result<Vec<PacketId>, Error>;
}

/// Everything that the plugin imports.
pub trait Host {
    /// The cache.
    fn counter(&self) -> &impl Counter;
    /// The truth.
    fn ledger(&self) -> &impl Ledger;
    /// Independent uniform numbers.
    fn u64s(&self, count: u32) -> Vec<u64>;
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
    /// The tenant's limits and defaults.
    fn limits(&self) -> Limits;
    /// A line for the operator.
    fn log(&self, level: Level, message: &str);
}
