//! The host as the plugin's logic sees it: one trait for each store, one for the rest.

use crate::bindings::hongbao::plugin::counter::{Attempt, Group, Seatings, Swapped, Views};
use crate::bindings::hongbao::plugin::entropy::Draw;
use crate::bindings::hongbao::plugin::ledger::{
    ClaimAttempt, Claimed, Order, PacketDetails, Recorded, Share, States,
};
use crate::bindings::hongbao::plugin::log::Level;
use crate::bindings::hongbao::plugin::policy::Limits;
use crate::bindings::hongbao::plugin::types::{Failure, PacketIndex, UserIndex};

/// The cache. Contracts are those of `wit/counter.wit`.
#[expect(missing_docs, reason = "each method is documented in wit/counter.wit")]
pub trait Counter {
    fn load(&self, packets: &[PacketIndex]) -> Views;
    fn swap(&self, attempts: &[Attempt], users: &[UserIndex]) -> Vec<Result<Swapped, Failure>>;
    fn admit(&self, groups: &[Group], users: &[UserIndex]) -> Vec<Result<(), Failure>>;
    fn seats(&self, packets: &[PacketIndex]) -> Seatings;
}

/// The truth. Contracts are those of `wit/ledger.wit`.
#[expect(missing_docs, reason = "each method is documented in wit/ledger.wit")]
pub trait Ledger {
    fn record(&self, order: &Order) -> Recorded;
    fn load(&self, packets: &[PacketIndex]) -> States;
    fn claim(&self, attempts: &[ClaimAttempt], shares: &[Share]) -> Vec<Claimed>;
    fn details(&self, packet: PacketIndex, with_claims: bool) -> Result<PacketDetails, Failure>;
    fn recent(&self, limit: u32) -> Result<Vec<PacketIndex>, Failure>;
}

/// Everything that the plugin imports.
pub trait Host {
    /// The cache.
    fn counter(&self) -> &impl Counter;
    /// The truth.
    fn ledger(&self) -> &impl Ledger;
    /// Uniform numbers that belong to shares: the same whenever they are asked for.
    fn numbers(&self, draws: &[Draw]) -> Vec<u64>;
    /// Independent uniform numbers.
    fn u64s(&self, count: u32) -> Vec<u64>;
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
    /// The tenant's limits and defaults.
    fn limits(&self) -> Limits;
    /// A line for the operator.
    fn log(&self, level: Level, message: &str);
}
