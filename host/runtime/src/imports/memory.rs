//! Memory and tables: growth past the limits is refused, and remembered.
//!
//! A refusal alone is not an error: WebAssembly's `memory.grow` answers -1. What a plugin makes of it
//! is mostly a trap without a word, so what was refused is the reason to give.

use wasmtime::ResourceLimiter;

use super::Breach;
use hongbao_domain::Limits;

/// Watches over one instance.
pub(crate) struct Memory {
    bytes: usize,
    elements: usize,
    refused: Option<fn(&Self) -> Breach>,
}

impl Memory {
    /// Components of one plugin are made of a few core instances.
    const INSTANCES: usize = 8;

    pub(super) const fn new(limits: &Limits) -> Self {
        Self { bytes: limits.memory_bytes, elements: limits.table_elements, refused: None }
    }

    /// What was refused since the last time this was asked.
    pub(crate) fn take_refusal(&mut self) -> Option<Breach> {
        self.refused.take().map(|breach| breach(self))
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.bytes {
            self.refused = Some(|memory| Breach::Memory(memory.bytes));
        }
        Ok(desired <= self.bytes)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.elements {
            self.refused = Some(|memory| Breach::Tables(memory.elements));
        }
        Ok(desired <= self.elements)
    }

    fn instances(&self) -> usize {
        Self::INSTANCES
    }

    fn tables(&self) -> usize {
        2
    }

    fn memories(&self) -> usize {
        1
    }
}
