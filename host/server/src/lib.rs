//! The HTTP service around a host, for chat platforms and for a demo.
//!
//! A request goes through `observe` (an id, a count), the limits of `server` (time, size), `access` (whose
//! key, which tenant, which user), `once` where it creates something, and then to its route, which
//! asks the tenant and tells what it said. Errors become problem documents in `problem` alone.

#![warn(missing_docs)]

mod access;
mod api_key;
mod bodies;
mod changes;
mod connections;
mod demo;
mod following;
mod input;
mod known_keys;
mod links;
mod model;
mod notes;
mod observe;
mod once;
mod output;
mod page;
mod problem;
mod quota;
mod rate;
mod refusals;
mod roster;
mod routes;
mod schemas;
mod server;
mod service;
mod serving;
mod specification;
mod trouble;
mod ward;
mod webhooks;

pub use api_key::{NewKey, Seal};
pub use connections::ConnectionLimits;
pub use demo::DemoSettings;
pub use model::money_event::MoneyEventView;
pub use rate::RateSettings;
pub use server::{Listening, ServeError, TlsFiles};
pub use service::{Service, ServiceBuilder, ServiceSettings};
pub use webhooks::{Names, Received, SystemNames, VerifyError, WebhookSettings};

/// The README's example is tested as documentation is.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
