//! The runtime: compiles plugins once, instantiates them on demand, and calls them in batches.
//!
//! An [`Engine`] lives as long as the process, a [`Plugin`] as long as somebody uses it, a [`Tenant`]
//! as long as its host serves it, an instance some thousand calls. [`Host`] ties them together and is what a chat platform embeds.

#![warn(missing_docs)]

pub mod imports;

mod announcer;
mod batcher;
mod breaker;
mod call;
mod clock_watch;
mod code_cache;
mod compiler;
mod engine;
mod expiry;
mod host;
mod instance;
mod label;
mod ledger;
mod metrics;
mod plugin;
mod pool;
mod reconcile;
mod seldom;
mod settlement;
mod shared;
mod tenant;
mod turns;
mod wakes;
mod workers;

pub use announcer::Announcer;
pub use call::{CallError, Operation};
pub use code_cache::{CodeCache, CodeCacheError};
pub use compiler::{CompileLimits, Compiler, compile_for_parent};
pub use engine::{Engine, EngineError};
pub use expiry::Refunds;
pub use host::{Checked, Host, HostBuilder, HostError};
pub use label::Label;
pub use plugin::{
    Digest, DigestError, Form, Inspection, Plugin, PluginError, PluginFile, PluginManifest, PluginSource,
    Plugins,
};
pub use reconcile::{CounterMismatch, Overdue, Reconciliation};
pub use settlement::{Settlement, Settlements};
pub use tenant::{LoadError, Prepared, Tenant, TenantConfig, TenantEntry, TenantError, TenantsFile};
pub use workers::{Pace, Workers};

/// The README's example is tested as documentation is.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
