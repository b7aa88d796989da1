//! Plugins at work: compiled once, instantiated when needed, called in batches.
//!
//! An [`Engine`] lives as long as the process, a [`Plugin`] as long as somebody uses it, an
//! instance some thousand calls, a lane as long as its packet is busy. [`Host`] ties them
//! together and is what a chat platform embeds.

mod call;
mod code_cache;
mod engine;
mod host;
mod instance;
mod lane;
mod plugin;
mod reconcile;
mod settlement;
mod workers;

pub use call::CallError;
pub use code_cache::{CodeCache, CodeCacheError};
pub use engine::{Engine, EngineError};
pub use host::{Host, HostBuilder, HostError, Refunds};
pub use instance::Limits;
pub use plugin::{
    Digest, DigestError, Form, Inspection, Plugin, PluginError, PluginFile, PluginManifest, PluginSource,
    Plugins,
};
pub use reconcile::{CounterMismatch, Overdue, Reconciliation};
pub use settlement::{Settlement, Settlements};
pub use workers::{Pace, Workers};
