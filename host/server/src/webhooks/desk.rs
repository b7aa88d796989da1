//! What administrators do with endpoints: made, changed, rotated, tried out, replayed.

use std::time::Duration;

use super::message::test;
use super::send::{Message, Reply};
use super::sign::{new_secret, told};
use super::target::Refused;
use crate::Service;
use crate::problem::{Kind, Problem};
use hongbao_domain::{MoneyEventId, MoneyEventKind, TenantId, WebhookId};
use hongbao_store::{MAX_WEBHOOKS, Webhook, WebhookFailure, WebhookProgress, WebhookReplay, WebhookState};

/// A name is looked up for so long when an endpoint is made. Each time that it is connected to it is looked up again.
const LOOK_UP: Duration = Duration::from_secs(3);
/// Dead letters of one replay at most.
const REVIVED: u32 = 10_000;
/// Failures of one question to the registry.
const AT_ONCE: u32 = 1000;
/// Longest time that two secrets sign, in seconds.
pub(crate) const MOST_OVERLAP_S: u32 = 7 * 24 * 60 * 60;
/// And how long they do where nobody says.
pub(crate) const OVERLAP_S: u32 = 24 * 60 * 60;
/// Why nothing is sent to an endpoint that its administrators do not want now.
const BY_ADMINISTRATOR: &str = "administrator";

/// What is changed of an endpoint.
pub(crate) struct Change {
    pub(crate) url: Option<String>,
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) is_disabled: Option<bool>,
}

/// What is told once more.
pub(crate) enum Again {
    Event(String),
    Range { from_ms: u64, to_ms: u64 },
    DeadLetters,
}

pub(crate) fn no_webhook() -> Problem {
    Problem::not_found("there is no such webhook")
}

fn overtaken() -> Problem {
    Problem::new(Kind::CONFLICT, "somebody else changed the webhook meanwhile; look, and ask again")
}

fn refused(why: &Refused) -> Problem {
    Problem::new(Kind::BAD_ENDPOINT, why.to_string())
}

/// The kinds that were asked for, each once.
fn known(kinds: Vec<String>) -> Result<Vec<String>, Problem> {
    let unknown = kinds.iter().find(|kind| !MoneyEventKind::NAMES.contains(&kind.as_str()));
    if let Some(unknown) = unknown {
        let all = MoneyEventKind::NAMES.join(", ");
        let unknown: String = unknown.chars().take(64).collect();
        return Err(Problem::invalid(format!("{unknown:?} is no kind of event; there are {all}")));
    }
    let all = MoneyEventKind::NAMES.iter().map(|kind| (*kind).to_owned());
    Ok(all.filter(|kind| kinds.contains(kind)).collect())
}

impl Service {
    /// Looks whether messages may be sent there. A name that leads nowhere now may do so later.
    async fn check_endpoint(&self, url: &str) -> Result<(), Problem> {
        let rules = self.dispatch().rules();
        let url = rules.url(url).map_err(|why| refused(&why))?;
        let looked = rules.look_up(url.host_str().unwrap_or_default());
        match tokio::time::timeout(LOOK_UP, looked).await {
            Ok(Err(why @ Refused::Address { .. })) if url.domain().is_some() => Err(refused(&why)),
            _ => Ok(()),
        }
    }

    /// Makes an endpoint that is told of what happens from now on; gives its secret as well.
    pub(crate) async fn make_webhook(
        &self,
        tenant: &TenantId,
        url: String,
        kinds: Vec<String>,
    ) -> Result<(WebhookState, String), Problem> {
        let kinds = known(kinds)?;
        self.check_endpoint(&url).await?;
        let no_randomness = |error: getrandom::Error| Problem::new(Kind::INTERNAL, error.to_string());
        let (secret, now_ms) = (new_secret().map_err(no_randomness)?, self.host().now_ms());
        let webhook = Webhook {
            id: WebhookId::new(getrandom::u64().map_err(no_randomness)?),
            tenant: tenant.clone(),
            revision: 1,
            url,
            kinds,
            secret,
            former: None,
            disabled: None,
            created_at_ms: now_ms,
        };
        let cursor = self.host().last_money_event(tenant).await?.map(|id| id.to_string());
        let cursor_at_ms = if cursor.is_some() { now_ms } else { 0 };
        let progress = WebhookProgress { cursor, cursor_at_ms, replay: None };
        if !self.registry().add_webhook(webhook.clone(), progress.clone(), MAX_WEBHOOKS).await? {
            let why = format!("a tenant has at most {MAX_WEBHOOKS} webhooks; remove one");
            return Err(Problem::new(Kind::QUOTA, why));
        }
        Ok((WebhookState { webhook, progress, waiting: 0, dead: 0 }, told(&secret)))
    }

    pub(crate) async fn webhook(&self, tenant: &TenantId, id: WebhookId) -> Result<WebhookState, Problem> {
        let all = self.registry().webhooks(tenant).await?;
        all.into_iter().find(|state| state.webhook.id == id).ok_or_else(no_webhook)
    }

    pub(crate) async fn change_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        change: Change,
    ) -> Result<WebhookState, Problem> {
        let Change { url, kinds, is_disabled } = change;
        let mut state = self.webhook(tenant, id).await?;
        if let Some(url) = url {
            self.check_endpoint(&url).await?;
            state.webhook.url = url;
        }
        if let Some(kinds) = kinds {
            state.webhook.kinds = known(kinds)?;
        }
        match is_disabled {
            Some(true) if state.webhook.disabled.is_none() => {
                state.webhook.disabled = Some(BY_ADMINISTRATOR.into());
            }
            Some(false) => state.webhook.disabled = None,
            _ => {}
        }
        self.put_webhook(state).await
    }

    /// Gives an endpoint a new secret; the one before signs as well for so long.
    pub(crate) async fn rotate_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        overlap_s: u32,
    ) -> Result<(WebhookState, String), Problem> {
        let mut state = self.webhook(tenant, id).await?;
        let secret = new_secret().map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
        let until_ms = self.host().now_ms().saturating_add(u64::from(overlap_s) * 1000);
        let former = std::mem::replace(&mut state.webhook.secret, secret);
        state.webhook.former = (overlap_s > 0).then_some((former, until_ms));
        Ok((self.put_webhook(state).await?, told(&secret)))
    }

    async fn put_webhook(&self, mut state: WebhookState) -> Result<WebhookState, Problem> {
        let revision = self.registry().put_webhook(state.webhook.clone()).await?.ok_or_else(overtaken)?;
        state.webhook.revision = revision;
        Ok(state)
    }

    /// Sends a message that is about no event.
    pub(crate) async fn test_webhook(&self, tenant: &TenantId, id: WebhookId) -> Result<Reply, Problem> {
        let state = self.webhook(tenant, id).await?;
        let random = getrandom::u64().map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
        let body = test(tenant, id, self.host().now_ms());
        let message = Message { id: format!("msg_test_{random:016x}"), body };
        let reply = self.dispatch().send(&state.webhook, message, || self.host().now_ms()).await;
        self.metrics().webhooks.count(&reply);
        Ok(reply)
    }

    /// Tells an endpoint once more; gives how many events are sent at once, or nothing where that goes on by itself.
    pub(crate) async fn replay_webhook(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        again: Again,
    ) -> Result<Option<u64>, Problem> {
        let now_ms = self.host().now_ms();
        let replay = match again {
            Again::DeadLetters => {
                let revived = self.registry().revive_webhook(tenant, id, now_ms, REVIVED).await?;
                return revived.map(Some).ok_or_else(no_webhook);
            }
            Again::Event(event) => match self.replay_of(tenant, id, event, now_ms).await? {
                Some(replay) => replay,
                None => return Ok(Some(1)),
            },
            Again::Range { from_ms, to_ms } => {
                WebhookReplay { after: None, only: None, from_ms, until_ms: to_ms.min(now_ms) }
            }
        };
        match self.registry().replay_webhook(tenant, id, replay).await? {
            Some(true) => Ok(None),
            Some(false) => {
                let why = "a replay of this webhook is under way; look when it has ended";
                Err(Problem::new(Kind::REPLAYING, why))
            }
            None => Err(no_webhook()),
        }
    }

    /// One event: if it failed, where it is in the ledger is known, and it is sent at once. Else it is looked for.
    async fn replay_of(
        &self,
        tenant: &TenantId,
        id: WebhookId,
        event: String,
        now_ms: u64,
    ) -> Result<Option<WebhookReplay>, Problem> {
        let unknown = || Problem::not_found("there is no such event");
        let known: MoneyEventId = event.parse().map_err(|_| unknown())?;
        self.host().money_events(tenant, Some(known), 1).await?.ok_or_else(unknown)?;
        self.webhook(tenant, id).await?;
        if let Some(failure) = self.failure(id, &event).await? {
            let failure = WebhookFailure { attempts: 0, next_at_ms: Some(now_ms), ..failure };
            return match self.registry().resend_webhook(tenant, id, failure).await? {
                true => Ok(None),
                false => Err(no_webhook()),
            };
        }
        Ok(Some(WebhookReplay { after: None, only: Some(event), from_ms: 0, until_ms: now_ms }))
    }

    /// The failure of this event.
    async fn failure(&self, id: WebhookId, event: &str) -> Result<Option<WebhookFailure>, Problem> {
        for is_dead in [true, false] {
            let mut after: Option<String> = None;
            loop {
                let page = self.registry().webhook_failures(id, is_dead, after.as_deref(), AT_ONCE).await?;
                let is_last = page.len() < AT_ONCE as usize;
                after = page.last().map(|failure| failure.event.clone());
                let found = page.into_iter().find(|failure| failure.event == event);
                if found.is_some() {
                    return Ok(found);
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(None)
    }
}
