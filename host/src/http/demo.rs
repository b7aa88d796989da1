//! The demo: a tenant of its own, one room, and a wallet with something in it for whoever joins.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use axum::{Router, response::IntoResponse as _};
use serde::{Deserialize, Serialize};

use super::Service;
use super::access::{NewKey, user};
use super::input::Json;
use super::model::settings::Settings;
use super::output::{answer, json};
use super::problem::{Kind, Problem};
use crate::domain::{Amount, Name, Scope, TenantId};
use crate::runtime::Tenant;
use crate::store::{Funded, TenantRecord};

const TENANT: &str = "demo";
const ROOM: &str = "lobby";
/// What everybody begins with: 1,000.00.
const WELCOME: u64 = 100_000;
const SESSION_MS: u64 = 24 * 60 * 60 * 1000;

/// The demo of a service.
#[derive(Debug, Default)]
pub(super) struct Demo;

/// Who wants to join.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    name: String,
}

/// What the page needs to speak for one person.
#[derive(Debug, Serialize)]
struct Session {
    key: String,
    tenant: String,
    user: String,
    room: String,
    expires_at_ms: u64,
}

impl Demo {
    /// Makes the demo's tenant where there is none.
    pub(super) async fn open(&self, service: &Service) -> Result<(), Problem> {
        let id = tenant_id()?;
        if service.host().tenant(&id).is_some() {
            return Ok(());
        }
        let record = TenantRecord::new(id, Settings::default().kept(), service.host().now_ms());
        match service.create(record).await {
            // Another host made it first.
            Err(problem) if problem.kind() == Kind::TENANT_EXISTS => Ok(service.follow().await?),
            made => made.map(|_| ()),
        }
    }
}

fn tenant_id() -> Result<TenantId, Problem> {
    TenantId::new(TENANT).map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))
}

/// The demo's own route; no part of the API.
pub(super) fn router() -> Router<Service> {
    Router::new().route("/demo/session", post(join))
}

async fn join(State(service): State<Service>, Json(join): Json<Join>) -> Result<Response, Problem> {
    let user = user(join.name)?;
    let id = tenant_id()?;
    let tenant = service.host().tenant(&id).ok_or_else(|| Problem::not_found("there is no demo"))?;
    let tenant = tenant.request()?;
    service.rates().user(&id, &user)?;
    welcome(&tenant, &user).await?;
    let now_ms = service.host().now_ms();
    let expires_at_ms = now_ms + SESSION_MS;
    let label = Name::new("demo session").map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
    let scopes = [Scope::Member].into_iter().collect();
    let new = NewKey {
        tenant: Some(id),
        user: Some(user.clone()),
        label,
        scopes,
        expires_at_ms: Some(expires_at_ms),
    };
    let (key, text) = new.make(now_ms).map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
    service.registry().add_key(key).await?;
    let session = Session {
        key: text,
        tenant: TENANT.into(),
        user: user.into_string(),
        room: ROOM.into(),
        expires_at_ms,
    };
    Ok(answer(StatusCode::CREATED, json(&session)).into_response())
}

/// Once for each name, whoever joins under it and however often.
async fn welcome(tenant: &Tenant, user: &crate::domain::UserId) -> Result<(), Problem> {
    let amount = Amount::new(WELCOME).map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
    // A name may be as long as a key may: what is too long together is no welcome.
    let key = Name::new(format!("welcome:{user}"))
        .map_err(|_| Problem::invalid("the name of a user must be at most 200 bytes"))?;
    match tenant.fund_once(user, amount, &key).await? {
        Funded::Funded(_) | Funded::Replayed(_) => Ok(()),
        Funded::KeyReused => Err(Problem::new(Kind::INTERNAL, "this name was welcomed with another sum")),
    }
}
