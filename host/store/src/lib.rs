//! Storage contracts and in-memory stores: a [`Counter`] that may forget and a [`Ledger`] that may not; beside them a
//! [`Registry`] of the service's own records.
//!
//! Backends know nothing of plugins or components. Every backend, and every wrapper around
//! one, passes the same suite in [`conformance`].

#![warn(missing_docs)]

mod answers;
pub mod change_feed;
pub mod checks;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod counter;
mod error;
pub mod events;
pub mod finished;
pub mod gatherer;
mod health;
mod history;
pub mod job;
mod ledger;
pub mod memory;
pub mod packet_cache;
pub mod patience;
pub mod private;
mod registry;
mod webhooks;
mod withdrawals;

pub use answers::{
    Attempt, Audit, Backlog, Claimed, Closed, Discrepancy, Due, Entry, Funded, LARGE_HEAD_START_MS, Loaded,
    Lookup, NewPacket, Parked, Place, Queue, RETRY_MS, Receipt, Received, Recorded, Refusal, Settled,
};
pub use counter::{
    Card, Confirmation, Counter, CounterState, Holder, Lease, OpenedSeat, Opening, Seat, Seating, Swap,
    Swapped, View,
};
pub use error::{StoreError, WritesRefused};
pub use events::{Events, KEPT_EVENTS, KEPT_MS, Since};
pub use health::{CHECK_TIME, FRESH, Health, Report, Standing};
pub use history::Followed;
pub use history::History;
pub use ledger::{AuditLedger, Ledger, MoneyEvents, PacketLedger, PacketLists, Settlement, WalletLedger};
pub use registry::{
    ANSWER_KEPT_MS, AdminEntry, Answer, Begun, Installed, MAX_PLUGIN_BYTES, PluginQuota, PluginRecord,
    RUNNING_MS, Registry, RequestKey, TenantRecord,
};
pub use webhooks::{
    MAX_WEBHOOKS, Saved, Webhook, WebhookFailure, WebhookLease, WebhookProgress, WebhookReplay,
    WebhookSecret, WebhookState, WebhookStep, Webhooks,
};

pub use withdrawals::{End, Ended, Held, NewWithdrawal, Withdrawn};

/// The parts of a ledger and of a counter, to be called on a backend by its own type: `use hongbao_store::prelude::*`.
pub mod prelude {
    pub use super::{
        AuditLedger as _, Counter as _, Ledger as _, MoneyEvents as _, PacketLedger as _, PacketLists as _,
        Settlement as _, WalletLedger as _,
    };
}
