//! Stores in memory: the reference that tests compare every other backend with, and the
//! counter and the events of an embedded host.

mod audit;
mod books;
mod counter;
mod entry;
mod events;
mod ledger;
mod lists;
mod money_events;
mod outbox;
mod registry;
mod wallets;
mod webhooks;
mod withdrawals;

pub use counter::MemoryCounter;
pub use events::MemoryEvents;
pub use ledger::MemoryLedger;
pub use registry::MemoryRegistry;
