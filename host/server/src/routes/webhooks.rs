//! Routes for webhooks: a tenant's endpoints, which are told of its events of money.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Service;
use crate::access::Admin;
use crate::input::{Json, Page, Path, Query};
use crate::notes::noted;
use crate::once::{Done, Once};
use crate::output::{Items, Told};
use crate::problem::Problem;
use crate::webhooks::{Again, Change, MOST_OVERLAP_S, OVERLAP_S, Outcome, Reply, no_webhook};
use hongbao_domain::{Name, WebhookId};
use hongbao_store::{WebhookFailure, WebhookReplay, WebhookState};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(look, change, remove))
        .routes(routes!(rotate))
        .routes(routes!(test))
        .routes(routes!(failures))
        .routes(routes!(dead_letters))
        .routes(routes!(replay))
}

/// A new webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewWebhook {
    /// Where messages are sent to: `https://` and a public address, on port 443 or from 1024 on, with no user in it.
    #[schema(max_length = 2048)]
    url: String,
    /// Kinds of events, such as `packet.sent`; all kinds, also those of later versions, where it is empty or absent.
    kinds: Option<Vec<String>>,
}

/// What is changed of a webhook. What is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangedWebhook {
    /// Where messages are sent to.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// Kinds of events; all where it is empty.
    kinds: Option<Vec<String>>,
    /// Whether nothing is sent. When that ends, it is told of everything that happened meanwhile.
    is_disabled: Option<bool>,
}

/// A webhook, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct WebhookView {
    #[schema(pattern = "^[0-9a-f]{16}$")]
    id: String,
    url: String,
    /// All kinds where it is empty.
    kinds: Vec<String>,
    /// Whether nothing is sent to it.
    is_disabled: bool,
    /// `administrator`, or `gone` where it answered 410.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_because: Option<String>,
    created_at_ms: u64,
    /// Until then the secret before the present one signs as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    former_secret_until_ms: Option<u64>,
    /// Up to this event everything was delivered or failed. Written down about once a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event: Option<String>,
    /// What is told once more now.
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<ReplayView>,
    /// Events that were not taken and are sent again.
    waiting: u64,
    /// Events that were not taken and are sent no more.
    dead_letters: u64,
}

/// A replay that is under way.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ReplayView {
    /// The only event that is told again.
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    from_ms: u64,
    to_ms: u64,
    /// The last event that was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event: Option<String>,
}

impl From<WebhookReplay> for ReplayView {
    fn from(replay: WebhookReplay) -> Self {
        let WebhookReplay { after, only, from_ms, until_ms } = replay;
        Self { event: only, from_ms, to_ms: until_ms, last_event: after }
    }
}

impl From<WebhookState> for WebhookView {
    fn from(state: WebhookState) -> Self {
        let WebhookState { webhook, progress, waiting, dead } = state;
        Self {
            id: webhook.id.to_string(),
            url: webhook.url,
            kinds: webhook.kinds,
            is_disabled: webhook.disabled.is_some(),
            disabled_because: webhook.disabled,
            created_at_ms: webhook.created_at_ms,
            former_secret_until_ms: webhook.former.map(|(_, until_ms)| until_ms),
            last_event: progress.cursor,
            replay: progress.replay.map(ReplayView::from),
            waiting,
            dead_letters: dead,
        }
    }
}

/// A webhook that was made, or got a new secret.
#[derive(Debug, Serialize, ToSchema)]
struct MadeWebhook {
    /// What messages are signed with, as Standard Webhooks writes it. It is shown this once: asked again with the same
    /// `Idempotency-Key`, the answer lacks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^whsec_[A-Za-z0-9+/]+=*$")]
    secret: Option<String>,
    #[serde(flatten)]
    view: WebhookView,
}

fn made(status: StatusCode, (state, secret): (WebhookState, String)) -> Done {
    let view = WebhookView::from(state);
    let told = MadeWebhook { secret: Some(secret), view: view.clone() };
    Done::new(status, &told).keeping(&MadeWebhook { secret: None, view })
}

fn id(text: &str) -> Result<WebhookId, Problem> {
    text.parse().map_err(|_| no_webhook())
}

/// Where a URL leads, for the log: the rest of it may be secret.
fn place(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().chars().take(128).collect()
}

/// Make a webhook
///
/// Needs the scope `admin`. It is told of what happens from now on. Its secret is shown this once.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/webhooks", tag = "webhooks", operation_id = "create_webhook",
    params(("tenant" = String, Path),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = NewWebhook,
    responses((status = 201, description = "The webhook that was made, with its secret", body = MadeWebhook)))]
async fn create(
    State(service): State<Service>,
    admin: Admin,
    once: Once<NewWebhook>,
) -> Result<Response, Problem> {
    admin.may_change(&service)?;
    let (by, acting, tenant) = (admin.caller.clone(), service.clone(), admin.tenant.id().clone());
    let act = move |new: NewWebhook, _: Name| async move {
        let (making, of, subject) = (acting.clone(), tenant.clone(), place(&new.url));
        let make = async move { making.make_webhook(&of, new.url, new.kinds.unwrap_or_default()).await };
        let new = noted(&acting, &by, Some(&tenant), "webhook.create", &subject, make).await?;
        Ok(made(StatusCode::CREATED, new))
    };
    once.run(&service, &admin.caller, Some(admin.tenant.id()), act).await
}

/// A tenant's webhooks, in the order of their ids
///
/// Needs the scope `admin`. There are 16 at most.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/webhooks", tag = "webhooks", operation_id = "webhooks",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "All webhooks of the tenant, without their secrets",
        body = Items<WebhookView>)))]
async fn list(State(service): State<Service>, admin: Admin) -> Result<Told<Items<WebhookView>>, Problem> {
    let all = service.registry().webhooks(admin.tenant.id()).await?;
    Ok(Told(Items { items: all.into_iter().map(WebhookView::from).collect(), next: None }))
}

/// Look at a webhook
///
/// Needs the scope `admin`.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/webhooks/{webhook}", tag = "webhooks", operation_id = "webhook",
    params(("tenant" = String, Path), ("webhook" = String, Path)),
    responses((status = 200, description = "The webhook, without its secret", body = WebhookView)))]
async fn look(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<Told<WebhookView>, Problem> {
    let Path((_, text)) = path;
    Ok(Told(service.webhook(admin.tenant.id(), id(&text)?).await?.into()))
}

/// Change a webhook
///
/// Needs the scope `admin`. Hosts follow within two seconds.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}/webhooks/{webhook}", tag = "webhooks",
    operation_id = "change_webhook",
    params(("tenant" = String, Path), ("webhook" = String, Path)),
    request_body = ChangedWebhook,
    responses((status = 200, description = "The webhook as it is now", body = WebhookView)))]
async fn change(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
    Json(change): Json<ChangedWebhook>,
) -> Result<Told<WebhookView>, Problem> {
    admin.may_change(&service)?;
    let Path((_, text)) = path;
    let (acting, of, webhook) = (service.clone(), admin.tenant.id().clone(), text.clone());
    let act = async move {
        let ChangedWebhook { url, kinds, is_disabled } = change;
        acting.change_webhook(&of, id(&webhook)?, Change { url, kinds, is_disabled }).await
    };
    let state = noted(&service, &admin.caller, Some(admin.tenant.id()), "webhook.change", &text, act).await?;
    Ok(Told(state.into()))
}

/// Remove a webhook
///
/// Needs the scope `admin`. What it did not take goes with it.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/webhooks/{webhook}", tag = "webhooks",
    operation_id = "remove_webhook",
    params(("tenant" = String, Path), ("webhook" = String, Path)),
    responses((status = 200, description = "The webhook as it was", body = WebhookView)))]
async fn remove(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<Told<WebhookView>, Problem> {
    let Path((_, text)) = path;
    let (acting, of, webhook) = (service.clone(), admin.tenant.id().clone(), text.clone());
    let act = async move {
        let state = acting.webhook(&of, id(&webhook)?).await?;
        let is_removed = acting.registry().remove_webhook(&of, state.webhook.id).await?;
        if is_removed { Ok(state) } else { Err(no_webhook()) }
    };
    let state = noted(&service, &admin.caller, Some(admin.tenant.id()), "webhook.remove", &text, act).await?;
    Ok(Told(state.into()))
}

/// How a secret is replaced.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// For so long the secret before signs as well; 0 where it is known to others.
    #[schema(maximum = 604_800, default = 86_400)]
    overlap_seconds: Option<u32>,
}

/// Give a webhook a new secret
///
/// Needs the scope `admin`. The new secret is shown this once. For a time both sign each message, so that receivers can
/// change over. Of a rotation before that is not over yet, the oldest secret ends now.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/webhooks/{webhook}/rotate", tag = "webhooks",
    operation_id = "rotate_webhook",
    params(("tenant" = String, Path), ("webhook" = String, Path),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = Rotation,
    responses((status = 200, description = "The webhook, with its new secret", body = MadeWebhook)))]
async fn rotate(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
    once: Once<Rotation>,
) -> Result<Response, Problem> {
    admin.may_change(&service)?;
    let Path((_, text)) = path;
    let (by, acting, tenant) = (admin.caller.clone(), service.clone(), admin.tenant.id().clone());
    let act = move |rotation: Rotation, _: Name| async move {
        let overlap_s = rotation.overlap_seconds.unwrap_or(OVERLAP_S);
        if overlap_s > MOST_OVERLAP_S {
            return Err(Problem::invalid(format!("overlap_seconds must be at most {MOST_OVERLAP_S}")));
        }
        let (rotating, of, webhook) = (acting.clone(), tenant.clone(), text.clone());
        let rotate = async move { rotating.rotate_webhook(&of, id(&webhook)?, overlap_s).await };
        let new = noted(&acting, &by, Some(&tenant), "webhook.rotate", &text, rotate).await?;
        Ok(made(StatusCode::OK, new))
    };
    once.run(&service, &admin.caller, Some(admin.tenant.id()), act).await
}

/// What came back.
#[derive(Debug, Serialize, ToSchema)]
struct TestView {
    /// Whether an event would count as delivered.
    is_delivered: bool,
    /// The status of the answer, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// In words: the status and the beginning of the answer, or why there was none.
    result: String,
    took_ms: u64,
}

impl From<Reply> for TestView {
    fn from(reply: Reply) -> Self {
        Self {
            is_delivered: reply.outcome == Outcome::Delivered,
            status: reply.status,
            result: reply.told,
            took_ms: reply.took.as_millis() as u64,
        }
    }
}

/// Try a webhook out
///
/// Needs the scope `admin`. Sends a message of the kind `webhook.test` now, also to a webhook that is disabled, and
/// answers with what came back. It is not sent again.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/webhooks/{webhook}/test", tag = "webhooks",
    operation_id = "test_webhook",
    params(("tenant" = String, Path), ("webhook" = String, Path)),
    responses((status = 200, description = "What came back", body = TestView)))]
async fn test(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<Told<TestView>, Problem> {
    admin.may_change(&service)?;
    let Path((_, text)) = path;
    let (acting, of, webhook) = (service.clone(), admin.tenant.id().clone(), text.clone());
    let act = async move { acting.test_webhook(&of, id(&webhook)?).await };
    let reply = noted(&service, &admin.caller, Some(admin.tenant.id()), "webhook.test", &text, act).await?;
    Ok(Told(reply.into()))
}

/// An event that a webhook did not take.
#[derive(Debug, Serialize, ToSchema)]
struct FailureView {
    /// The event's id.
    event: String,
    kind: String,
    /// When it happened.
    happened_at_ms: u64,
    /// How often it was sent.
    attempts: u32,
    /// When it is sent again; absent for a dead letter.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at_ms: Option<u64>,
    /// What came of the last time, with the first 256 characters of the answer.
    last_error: String,
}

impl From<WebhookFailure> for FailureView {
    fn from(failure: WebhookFailure) -> Self {
        let WebhookFailure { event, kind, happened_at_ms, attempts, next_at_ms, last_error, .. } = failure;
        Self { event, kind, happened_at_ms, attempts, next_at_ms, last_error }
    }
}

async fn listed(
    service: &Service,
    admin: &Admin,
    text: &str,
    is_dead: bool,
    page: &Page,
) -> Result<Told<Items<FailureView>>, Problem> {
    let limit = page.limit()?;
    let after = page.before(|text| (!text.contains('\0')).then(|| text.to_owned()))?;
    let state = service.webhook(admin.tenant.id(), id(text)?).await?;
    let found =
        service.registry().webhook_failures(state.webhook.id, is_dead, after.as_deref(), limit).await?;
    Ok(Told(Items::page(found, limit, |failure| failure.event.clone(), FailureView::from)))
}

/// Events that a webhook did not take and that are sent again
///
/// Needs the scope `admin`. In the order of the texts of their ids.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/webhooks/{webhook}/failures", tag = "webhooks",
    operation_id = "webhook_failures",
    params(("tenant" = String, Path), ("webhook" = String, Path), Page),
    responses((status = 200, description = "A page of events that wait", body = Items<FailureView>)))]
async fn failures(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
    Query(page): Query<Page>,
) -> Result<Told<Items<FailureView>>, Problem> {
    let Path((_, text)) = path;
    listed(&service, &admin, &text, false, &page).await
}

/// Events that a webhook did not take and that are sent no more
///
/// Needs the scope `admin`. In the order of the texts of their ids. A replay sends them again.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/webhooks/{webhook}/dead-letters", tag = "webhooks",
    operation_id = "webhook_dead_letters",
    params(("tenant" = String, Path), ("webhook" = String, Path), Page),
    responses((status = 200, description = "A page of dead letters", body = Items<FailureView>)))]
async fn dead_letters(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
    Query(page): Query<Page>,
) -> Result<Told<Items<FailureView>>, Problem> {
    let Path((_, text)) = path;
    listed(&service, &admin, &text, true, &page).await
}

/// What is told once more: one event, what happened in a time, or the dead letters.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewReplay {
    /// The id of one event.
    #[schema(max_length = 256)]
    event: Option<String>,
    /// What happened from this time on.
    from_ms: Option<u64>,
    /// And before this time, or before now where it is absent.
    to_ms: Option<u64>,
    /// Whether it is the dead letters.
    dead_letters: Option<bool>,
}

/// What a replay does.
#[derive(Debug, Serialize, ToSchema)]
struct Replayed {
    /// How many events are sent now. Absent where they are looked for first: the webhook tells how far that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
}

fn asked(new: NewReplay) -> Result<Again, Problem> {
    match new {
        NewReplay { event: Some(event), from_ms: None, to_ms: None, dead_letters: None } => {
            Ok(Again::Event(event))
        }
        NewReplay { event: None, from_ms: Some(from_ms), to_ms, dead_letters: None } => {
            let to_ms = to_ms.unwrap_or(u64::MAX);
            if from_ms >= to_ms {
                return Err(Problem::invalid("from_ms must be less than to_ms"));
            }
            Ok(Again::Range { from_ms, to_ms })
        }
        NewReplay { event: None, from_ms: None, to_ms: None, dead_letters: Some(true) } => {
            Ok(Again::DeadLetters)
        }
        _ => Err(Problem::invalid("say either event, or from_ms and perhaps to_ms, or dead_letters: true")),
    }
}

/// Send events to a webhook once more
///
/// Needs the scope `admin`. Messages have the ids that they had the first time. A range goes on in the background, beside
/// what happens meanwhile; one at a time.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/webhooks/{webhook}/replay", tag = "webhooks",
    operation_id = "replay_webhook",
    params(("tenant" = String, Path), ("webhook" = String, Path)),
    request_body = NewReplay,
    responses((status = 200, description = "What is sent again", body = Replayed)))]
async fn replay(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
    Json(new): Json<NewReplay>,
) -> Result<Told<Replayed>, Problem> {
    admin.may_change(&service)?;
    let Path((_, text)) = path;
    let (acting, of, webhook) = (service.clone(), admin.tenant.id().clone(), text.clone());
    let act = async move { acting.replay_webhook(&of, id(&webhook)?, asked(new)?).await };
    let events =
        noted(&service, &admin.caller, Some(admin.tenant.id()), "webhook.replay", &text, act).await?;
    Ok(Told(Replayed { events }))
}
