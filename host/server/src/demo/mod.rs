//! The demo: a tenant of its own, one room, and a wallet with something in it for whoever joins.

mod bank;
mod names;
mod sessions;

use std::net::{IpAddr, Ipv4Addr};

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, response::IntoResponse as _};
use serde::{Deserialize, Serialize};

pub(super) use names::own_names;
use sessions::Sessions;

use super::Service;
use super::access::{Member, user};
use super::api_key::NewKey;
use super::connections::Client;
use super::input::Json;
use super::output::{Told, answer, json};
use super::problem::{Kind, Problem};
use super::serving::kept;
use hongbao_domain::{Amount, Name, Scope, TenantId, TenantSettings, UserId};
use hongbao_runtime::Tenant;
use hongbao_store::{Funded, TenantRecord};

const TENANT: &str = "demo";
const ROOM: &str = "lobby";
/// What everybody begins with: 1,000.00.
const WELCOME: u64 = 100_000;
const SESSION_MS: u64 = 24 * 60 * 60 * 1000;

/// People whom the page is told of, the latest to join: it is asked for often.
const MOST_PEOPLE: usize = 100;

/// What the keys of sessions are called.
const LABEL: &str = "demo session";
/// Keys of one question to the registry.
const AT_ONCE: u32 = 100;

/// How a demo is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DemoSettings {
    /// Names under which it answers, besides addresses and `localhost`.
    pub names: Vec<String>,
    /// Sessions that may be open at once. Each lasts for a day.
    pub sessions: usize,
    /// Those of one IPv4 address, or of one IPv6 network of 64 bits.
    pub sessions_per_address: usize,
}

impl Default for DemoSettings {
    fn default() -> Self {
        Self { names: Vec::new(), sessions: 1_000, sessions_per_address: 200 }
    }
}

/// The demo of a service.
pub(super) struct Demo {
    names: Vec<String>,
    sessions: Sessions,
}

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

/// Who has joined.
#[derive(Debug, Serialize)]
struct People {
    people: Vec<String>,
}

impl Demo {
    pub(super) fn new(settings: DemoSettings) -> Self {
        Self { sessions: Sessions::new(&settings), names: settings.names }
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    /// Forgets what makes no difference any more.
    pub(super) fn forget(&self) {
        self.sessions.forget();
    }

    /// Sessions from before this process count as well: else a restart would give room for as many again.
    async fn remember(&self, service: &Service, tenant: &TenantId) -> Result<(), Problem> {
        let (mut after, now_ms) = (None, service.host().now_ms());
        loop {
            let keys = service.registry().keys(Some(tenant), after, AT_ONCE).await?;
            after = keys.last().map(|key| key.id);
            let sessions = keys.iter().filter(|key| key.label.as_str() == LABEL && key.is_valid(now_ms));
            for key in sessions {
                if let Some(ends_at_ms) = key.expires_at_ms {
                    self.sessions.remember(key.user.clone(), ends_at_ms);
                }
            }
            if keys.len() < AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    /// Makes the demo's tenant where there is none.
    pub(super) async fn open(&self, service: &Service) -> Result<(), Problem> {
        let id = tenant_id()?;
        self.remember(service, &id).await?;
        if let Some(tenant) = service.host().tenant(&id) {
            bank::pay_rest(&tenant).await?;
        }
        if service.roster().knows(&id) || service.host().tenant(&id).is_some() {
            return Ok(());
        }
        let record = TenantRecord::new(id, kept(&TenantSettings::default()), service.host().now_ms());
        match service.create(record).await {
            // Another host made it first.
            Err(problem) if problem.kind() == Kind::TENANT_EXISTS => Ok(service.follow_ready().await?),
            made => made.map(|_| ()),
        }
    }
}

fn tenant_id() -> Result<TenantId, Problem> {
    TenantId::new(TENANT).map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))
}

/// The demo's own routes; no part of the API.
pub(super) fn router() -> Router<Service> {
    Router::new()
        .route("/demo/session", post(join))
        .route("/demo/people", get(people))
        .route("/demo/withdrawals", post(bank::take_out))
}

/// Whose sessions are open, the latest first: the room hears of somebody only once they say or send something. Of a
/// demo on several hosts, each knows those who joined there, and whoever had joined before it began.
async fn people(State(service): State<Service>, member: Member) -> Result<Told<People>, Problem> {
    let none = || Problem::not_found("there is no demo");
    let (demo, id) = (service.demo().ok_or_else(none)?, tenant_id()?);
    if *member.tenant.id() != id {
        return Err(none());
    }
    if let Some(user) = &member.caller.key.user {
        service.rates().user(&id, user)?;
    }
    let people = demo.sessions.people(service.host().now_ms(), MOST_PEOPLE);
    Ok(Told(People { people: people.into_iter().map(UserId::into_string).collect() }))
}

async fn join(
    State(service): State<Service>,
    client: Option<Extension<Client>>,
    Json(join): Json<Join>,
) -> Result<Response, Problem> {
    let user = user(join.name)?;
    let id = tenant_id()?;
    let none = || Problem::not_found("there is no demo");
    let (demo, tenant) = (service.demo().ok_or_else(none)?, service.tenant(&id)?.ok_or_else(none)?);
    let tenant = tenant.request()?;
    service.rates().user(&id, &user)?;
    let now_ms = service.host().now_ms();
    let expires_at_ms = now_ms + SESSION_MS;
    // Whoever embeds the routes in a server of their own has no connections here: then all have one address.
    let address = client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Extension(client)| client.origin());
    let place = demo.sessions.enter(address, now_ms, expires_at_ms)?;
    welcome(&tenant, &user).await?;
    let label = Name::new(LABEL).map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
    let scopes = [Scope::Member].into_iter().collect();
    let new = NewKey {
        tenant: Some(id),
        user: Some(user.clone()),
        label,
        scopes,
        expires_at_ms: Some(expires_at_ms),
    };
    let made = new.make(service.keys().seal().await?, now_ms);
    let (key, text) = made.map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
    service.registry().add_key(key).await?;
    place.keep(user.clone());
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
async fn welcome(tenant: &Tenant, user: &UserId) -> Result<(), Problem> {
    let amount = Amount::new(WELCOME).map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
    // A name may be as long as a key may: what is too long together is no welcome.
    let key = Name::new(format!("welcome:{user}"))
        .map_err(|_| Problem::invalid("the name of a user must be at most 200 bytes"))?;
    match tenant.fund_once(user, amount, &key).await? {
        Funded::Funded(_) | Funded::Replayed(_) => Ok(()),
        Funded::KeyReused => Err(Problem::new(Kind::INTERNAL, "this name was welcomed with another sum")),
    }
}
