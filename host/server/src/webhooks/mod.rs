//! Webhooks: events of a tenant's money, sent to its endpoints, signed by Standard Webhooks.
//!
//! `deliverer` takes leases of endpoints and keeps a `pump` for each. A pump reads events into a `line`, sends them by
//! `dispatch` and `send`, and keeps what was not taken in `waiting`, by the `schedule`. `target` decides where messages
//! may go, `sign` says who they are from, `message` what is in them.

mod address;
mod deliverer;
mod desk;
mod dispatch;
mod job;
mod line;
mod message;
mod metrics;
mod pump;
mod schedule;
mod send;
mod sign;
mod target;
mod waiting;

pub use dispatch::WebhookSettings;
pub use sign::{Received, VerifyError};
pub use target::{Names, SystemNames};

pub(crate) use desk::{Again, Change, MOST_OVERLAP_S, OVERLAP_S, no_webhook};
pub(crate) use dispatch::Dispatch;
pub(crate) use metrics::WebhookMetrics;
pub(crate) use send::{Outcome, Reply};
