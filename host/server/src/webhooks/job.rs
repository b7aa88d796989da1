//! One event on its way to an endpoint.

use super::line::Item;
use super::message::body;
use super::send::{Message, Reply};
use super::sign::message_id;
use crate::Service;
use hongbao_domain::{MoneyEvent, MoneyEventId};
use hongbao_store::{StoreError, Webhook, WebhookFailure};

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The log, whose turn it was.
    Log,
    /// A replay.
    Replay,
    /// The failures that wait.
    Failure,
}

/// An event that was sent, or could not be.
pub(super) struct Done {
    pub(super) origin: Origin,
    /// What is kept where it was not taken.
    pub(super) failure: WebhookFailure,
    /// Its place in the line that it comes from.
    pub(super) id: Option<MoneyEventId>,
    /// None where the ledger has no such event any more.
    pub(super) reply: Result<Option<Reply>, StoreError>,
}

/// What is kept of an event that is not taken.
pub(super) fn failure_of(item: &Item) -> WebhookFailure {
    WebhookFailure {
        event: item.event.id.to_string(),
        after: item.after.map(|id| id.to_string()),
        kind: item.event.what.name().to_owned(),
        happened_at_ms: item.event.at_ms,
        attempts: 0,
        next_at_ms: None,
        last_error: String::new(),
    }
}

/// Sends an event, which is read again where it is not at hand.
pub(super) async fn run(
    service: &Service,
    webhook: &Webhook,
    origin: Origin,
    failure: WebhookFailure,
    event: Option<MoneyEvent>,
) -> Done {
    let id = event.as_ref().map(|event| event.id);
    let event = match event {
        Some(event) => Ok(Some(event)),
        None => read(service, webhook, &failure).await,
    };
    let reply = match event {
        Ok(Some(event)) => Ok(Some(send(service, webhook, &event).await)),
        Ok(None) => Ok(None),
        Err(error) => Err(error),
    };
    Done { origin, failure, id, reply }
}

async fn read(
    service: &Service,
    webhook: &Webhook,
    failure: &WebhookFailure,
) -> Result<Option<MoneyEvent>, StoreError> {
    let after = failure.after.as_deref().and_then(|id| id.parse().ok());
    let found = service.host().money_events(&webhook.tenant, after, 1).await?;
    Ok(found.into_iter().flatten().find(|event| event.id.to_string() == failure.event))
}

async fn send(service: &Service, webhook: &Webhook, event: &MoneyEvent) -> Reply {
    let id = message_id(&webhook.tenant, &event.id.to_string());
    let message = Message { id, body: body(&webhook.tenant, event) };
    service.dispatch().send(webhook, message, || service.host().now_ms()).await
}
