//! `Webhooks`, the part of a registry that keeps tenants' endpoints, how far each is told, and what it did not take.
//!
//! An endpoint has a *cursor*: the last event up to which everything was delivered or is kept as a failure. So nothing
//! is written for a delivery that goes well, and no body is kept: a failure names its event, and the ledger has that
//! event for ever.
//!
//! Of several hosts the one that has an endpoint's *lease* delivers to it. A lease ends by the time of whoever asks, so
//! with clocks that differ two hosts may deliver at once for a while; what one of them writes is refused then. Events
//! may be delivered twice by that, and none is left out.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use hongbao_domain::{TenantId, WebhookId};

/// Most endpoints of a tenant.
pub const MAX_WEBHOOKS: u32 = 16;

/// What an endpoint's messages are signed with. It is needed as it is to sign, so it is kept as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WebhookSecret(pub [u8; 32]);

impl fmt::Debug for WebhookSecret {
    /// Not itself: what is debugged ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(…)")
    }
}

/// An endpoint as its tenant wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id, which no other endpoint of the service has.
    pub id: WebhookId,
    /// Whose events it is told of.
    pub tenant: TenantId,
    /// Raised by each change of what is wanted, a replay included; 0 for one that is not written yet.
    pub revision: u64,
    /// Where messages are sent to.
    pub url: String,
    /// Of which kinds; of all where there is none.
    pub kinds: Vec<String>,
    /// Signs each message.
    pub secret: WebhookSecret,
    /// Signs as well, until that time.
    pub former: Option<(WebhookSecret, u64)>,
    /// Why nothing is sent to it; None where it is in use.
    pub disabled: Option<String>,
    /// When it was made.
    pub created_at_ms: u64,
}

/// A replay that is under way: events are told once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookReplay {
    /// The last event that was looked at; None before the first.
    pub after: Option<String>,
    /// This event alone; None for all of the time that follows.
    pub only: Option<String>,
    /// What happened from this time on.
    pub from_ms: u64,
    /// Up to this time, itself not included.
    pub until_ms: u64,
}

/// How far an endpoint is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookProgress {
    /// The last event up to which everything was delivered or failed; None before the first of the ledger.
    pub cursor: Option<String>,
    /// When that event happened: where to go on if the ledger has lost it. 0 where there is none.
    pub cursor_at_ms: u64,
    /// What is told once more.
    pub replay: Option<WebhookReplay>,
}

/// An event that an endpoint did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookFailure {
    /// Its id.
    pub event: String,
    /// The id of the event before it, after which it is read again; None for the first of the ledger.
    pub after: Option<String>,
    /// Its kind.
    pub kind: String,
    /// When it happened.
    pub happened_at_ms: u64,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent again; None for a dead letter, which is not.
    pub next_at_ms: Option<u64>,
    /// What came of the last time, in one line.
    pub last_error: String,
}

/// An endpoint with everything that is known of it but its failures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookState {
    /// What is wanted.
    pub webhook: Webhook,
    /// How far it is told.
    pub progress: WebhookProgress,
    /// Failures that are sent again.
    pub waiting: u64,
    /// Failures that are not.
    pub dead: u64,
}

/// Somebody who delivers, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookLease {
    /// Drawn by each process, at most `i64::MAX`, and never 0.
    pub holder: u64,
    /// The time of whoever asks.
    pub now_ms: u64,
    /// Own leases that end before this are renewed.
    pub renew_before_ms: u64,
    /// New and renewed ones end then.
    pub until_ms: u64,
    /// Most that are taken anew.
    pub most: u32,
}

/// What a deliverer writes down, all of it or nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookStep {
    /// Of which endpoint.
    pub id: WebhookId,
    /// Who has the lease.
    pub holder: u64,
    /// The revision that this was done by.
    pub revision: u64,
    /// How far it is told now.
    pub progress: WebhookProgress,
    /// Failures, new ones and those that failed again.
    pub failed: Vec<WebhookFailure>,
    /// Events that are failures no more.
    pub settled: Vec<String>,
}

/// Answer to [`Webhooks::save_webhook`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is written down.
    Now,
    /// It is not: the endpoint was changed meanwhile. Look at it and write again.
    Changed,
    /// It is not: somebody else has the lease, or there is no such endpoint.
    Lost,
}

/// Endpoints of tenants. What is acknowledged is durable as far as the backend is. Time is the caller's.
///
/// Refused is what cannot be written down: a time past `i64::MAX`, a text with a zero character.
#[async_trait]
pub trait Webhooks: Send + Sync + 'static {
    /// Keeps a new endpoint, to be told from there on, where its tenant has fewer than `most`; false where it has as
    /// many, and of several at once no more are kept than fit. Its revision is 1 then. Refused where there is one of
    /// this id.
    async fn add_webhook(
        &self,
        webhook: Webhook,
        progress: WebhookProgress,
        most: u32,
    ) -> Result<bool, StoreError>;

    /// A tenant's endpoints, in the order of their ids.
    async fn webhooks(&self, tenant: &TenantId) -> Result<Vec<WebhookState>, StoreError>;

    /// Writes an endpoint if its revision still is that of what is written; gives the new one. None where somebody
    /// else was faster, or its tenant has no such endpoint. When it was made stays.
    async fn put_webhook(&self, webhook: Webhook) -> Result<Option<u64>, StoreError>;

    /// Removes an endpoint of a tenant and its failures; whether there was one.
    async fn remove_webhook(&self, tenant: &TenantId, id: WebhookId) -> Result<bool, StoreError>;

    /// Failures of an endpoint, dead letters or those that wait, after an event, in the order of the ids of their
    /// events.
    async fn webhook_failures(
        &self,
        id: WebhookId,
        is_dead: bool,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<WebhookFailure>, StoreError>;

    /// Begins a replay, and raises the revision. False where one is under way; None where the tenant has no such
    /// endpoint.
    async fn replay_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        replay: WebhookReplay,
    ) -> Result<Option<bool>, StoreError>;

    /// Lets an event be sent again now, as if it had never been sent, and raises the revision; whether the tenant has
    /// such an endpoint.
    async fn resend_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        failure: WebhookFailure,
    ) -> Result<bool, StoreError>;

    /// Lets dead letters be sent again now, at most so many, as if they had never been sent, and raises the revision;
    /// how many. None where the tenant has no such endpoint.
    async fn revive_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        now_ms: u64,
        limit: u32,
    ) -> Result<Option<u64>, StoreError>;

    /// Renews the leases of a holder and takes some that nobody has; gives all endpoints that are the holder's now, in
    /// the order of their ids. Nobody has one that is disabled.
    async fn lease_webhooks(&self, lease: WebhookLease) -> Result<Vec<WebhookState>, StoreError>;

    /// Gives up all leases of a holder.
    async fn release_webhooks(&self, holder: u64) -> Result<(), StoreError>;

    /// Writes down what was done, if the holder still has the lease and nobody changed the endpoint.
    async fn save_webhook(&self, step: WebhookStep) -> Result<Saved, StoreError>;
}
