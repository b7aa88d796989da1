//! Limits on memory and tables: growth above them is refused, and recorded. A plugin may have several memories; the limit
//! is for all of them together, and that of a table for each.
//!
//! A refusal alone is not an error: WebAssembly's `memory.grow` answers -1. What a plugin makes of it
//! is mostly a trap without a word, so what was refused is the reason to give.

use wasmtime::ResourceLimiter;

use super::Breach;
use hongbao_domain::Limits;

/// Memories of one instance: compilers make one, and languages with a virtual machine in the component some more.
pub(crate) const MOST_MEMORIES: usize = 4;
/// Tables for each memory that an instance may have.
pub(crate) const TABLES_FOR_EACH: usize = 2;
/// Core modules of one instance.
pub(crate) const MOST_MODULES: usize = 64;

/// Watches over one instance.
pub(crate) struct Memory {
    /// Of all memories.
    used: usize,
    bytes: usize,
    elements: usize,
    refused: Option<fn(&Self) -> Breach>,
}

impl Memory {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self { used: 0, bytes: limits.memory_bytes, elements: limits.table_elements, refused: None }
    }

    /// What was refused since the last time this was asked.
    pub(crate) fn take_refusal(&mut self) -> Option<Breach> {
        self.refused.take().map(|breach| breach(self))
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, now: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(now));
        if used > self.bytes {
            self.refused = Some(|memory| Breach::Memory(memory.bytes));
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.elements {
            self.refused = Some(|memory| Breach::Tables(memory.elements));
        }
        Ok(desired <= self.elements)
    }

    fn instances(&self) -> usize {
        MOST_MODULES
    }

    fn tables(&self) -> usize {
        MOST_MEMORIES * TABLES_FOR_EACH
    }

    fn memories(&self) -> usize {
        MOST_MEMORIES
    }
}
