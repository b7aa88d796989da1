//! `entropy`, `clock`, `log` and `policy`: what has no state worth keeping.

use wasmtime::Result;

use super::bindings::hongbao::plugin::{clock, entropy, log, policy};
use super::convert;
use crate::imports::{Breach, InstanceState};
use hongbao_domain::{Grant, Limit, one_line};

impl entropy::Host for InstanceState {
    fn u64s(&mut self, count: u32) -> Result<Vec<u64>> {
        const MAX_PER_CALL: u32 = 4096;
        if count > MAX_PER_CALL {
            return Err(Breach::Entropy(count).into());
        }
        Ok(self.enter(Grant::Entropy)?.entropy.u64s(count))
    }
}

impl clock::Host for InstanceState {
    fn now_ms(&mut self) -> Result<u64> {
        Ok(self.enter(Grant::Clock)?.clock.now_ms())
    }
}

impl log::Host for InstanceState {
    fn write(&mut self, level: log::Level, message: String) -> Result<()> {
        const MAX_BYTES: usize = 4096;
        self.enter(Grant::Log)?;
        let message = message.get(..message.floor_char_boundary(MAX_BYTES)).unwrap_or_default();
        self.log_bytes += message.len();
        if self.log_bytes > self.around.limits.log_bytes {
            self.reach(Limit::LogBytes);
            return Ok(());
        }
        // One line, as the contract says: a plugin writes down what people typed, and cannot write others' lines.
        let message = one_line(message);
        let tenant = self.around.tenant.as_str();
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
    fn get(&mut self) -> Result<policy::Limits> {
        Ok(convert::limits(&self.enter(Grant::Policy)?.policy))
    }
}
