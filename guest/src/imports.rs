//! The generated imports as a [`Host`]. They work in a component alone.

use crate::bindings::hongbao::plugin::types::{Failure, PacketIndex, UserIndex};
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
    fn numbers(&self, draws: &[entropy::Draw]) -> Vec<u64> {
        entropy::shares(draws)
    }
    fn u64s(&self, count: u32) -> Vec<u64> {
        entropy::u64s(count)
    }
    fn now_ms(&self) -> u64 {
        clock::now_ms()
    }
    fn limits(&self) -> policy::Limits {
        policy::current()
    }
    fn log(&self, level: log::Level, message: &str) {
        log::write(level, message);
    }
}

impl Counter for Imports {
    fn load(&self, packets: &[PacketIndex]) -> counter::Views {
        counter::load(packets)
    }
    fn swap(
        &self,
        attempts: &[counter::Attempt],
        users: &[UserIndex],
    ) -> Vec<Result<counter::Swapped, Failure>> {
        counter::swap(attempts, users)
    }
    fn admit(&self, groups: &[counter::Group], users: &[UserIndex]) -> Vec<Result<(), Failure>> {
        counter::admit(groups, users)
    }
    fn seats(&self, packets: &[PacketIndex]) -> counter::Seatings {
        counter::seats(packets)
    }
}

impl Ledger for Imports {
    fn record(&self, order: &ledger::Order) -> ledger::Recorded {
        ledger::record(order)
    }
    fn load(&self, packets: &[PacketIndex]) -> ledger::States {
        ledger::load(packets)
    }
    fn claim(&self, attempts: &[ledger::ClaimAttempt], shares: &[ledger::Share]) -> Vec<ledger::Claimed> {
        ledger::claim(attempts, shares)
    }
    fn details(&self, packet: PacketIndex, with_claims: bool) -> Result<ledger::PacketDetails, Failure> {
        ledger::details(packet, with_claims)
    }
    fn recent(&self, limit: u32) -> Result<Vec<PacketIndex>, Failure> {
        ledger::recent(limit)
    }
}
