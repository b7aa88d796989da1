//! Stores in memory: the reference that tests compare every other backend with, and the
//! counter of an embedded host.

mod books;
mod counter;
mod entry;
mod ledger;
mod lists;
mod outbox;
mod registry;

pub use counter::MemoryCounter;
pub use ledger::MemoryLedger;
pub use registry::MemoryRegistry;
