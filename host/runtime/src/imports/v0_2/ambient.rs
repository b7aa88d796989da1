//! The imports `users`, `entropy`, `clock`, `log` and `policy`, which keep no state.

use wasmtime::Result;

use super::bindings::hongbao::plugin::{clock, entropy, log, policy, users};
use super::convert;
use crate::imports::call::About;
use crate::imports::{Breach, InstanceState};
use hongbao_domain::{Grant, Limit, one_line};

/// The most numbers that one call gives.
const MAX_PER_CALL: u32 = 4096;

impl users::Host for InstanceState {
    fn names(&mut self, packet: u32) -> Result<Vec<String>> {
        self.enter(Grant::Users)?;
        Ok(self.call.names(packet)?)
    }
}

impl entropy::Host for InstanceState {
    fn shares(&mut self, draws: Vec<entropy::Draw>) -> Result<Vec<u64>> {
        self.enter(Grant::Entropy)?;
        if !matches!(self.call.about(), About::Open | About::Action) {
            return Err(Breach::Beyond("the numbers of shares where none is opened").into());
        }
        let count = draws.iter().map(|draw| u64::from(draw.shares) * u64::from(draw.each)).sum();
        if count > u64::from(MAX_PER_CALL) {
            return Err(Breach::Entropy(count).into());
        }
        let mut numbers = Vec::with_capacity(count as usize);
        for draw in draws {
            let packet = self.call.id(draw.packet)?;
            for sequence in (draw.sequence..).take(draw.shares as usize) {
                self.context.entropy.of_share(packet, sequence, draw.skip, draw.each, &mut numbers);
            }
        }
        Ok(numbers)
    }

    fn u64s(&mut self, count: u32) -> Result<Vec<u64>> {
        self.enter(Grant::Entropy)?;
        if matches!(self.call.about(), About::Grab | About::Open | About::Action) {
            return Err(Breach::Beyond("numbers that belong to no share").into());
        }
        if count > MAX_PER_CALL {
            return Err(Breach::Entropy(count.into()).into());
        }
        Ok(self.context.entropy.u64s(count))
    }
}

impl clock::Host for InstanceState {
    fn now_ms(&mut self) -> Result<u64> {
        self.enter(Grant::Clock)?;
        Ok(self.context.clock.now_ms())
    }
}

impl log::Host for InstanceState {
    fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        const MAX_BYTES: usize = 4096;
        self.enter(Grant::Log)?;
        let message = message.get(..message.floor_char_boundary(MAX_BYTES)).unwrap_or_default();
        self.log_bytes += message.len();
        if self.log_bytes > self.context.limits.log_bytes {
            self.reach(Limit::LogBytes);
            return Ok(());
        }
        // One line, as the contract says: a plugin writes down what people typed, and cannot write others' lines.
        let message = one_line(message);
        let tenant = self.context.tenant.as_str();
        match level {
            log::Level::Debug => tracing::debug!(target: "plugin", tenant, "{message}"),
            log::Level::Info => tracing::info!(target: "plugin", tenant, "{message}"),
            log::Level::Warn => tracing::warn!(target: "plugin", tenant, "{message}"),
            log::Level::Error => tracing::error!(target: "plugin", tenant, "{message}"),
        }
        Ok(())
    }
}

impl policy::Host for InstanceState {
    fn current(&mut self) -> Result<policy::Limits> {
        self.enter(Grant::Policy)?;
        Ok(convert::limits(&self.context))
    }

    fn get(&mut self, key: String) -> Result<Option<String>> {
        self.enter(Grant::Policy)?;
        Ok(self.context.settings.get(&key).cloned())
    }
}
