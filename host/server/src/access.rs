//! Authentication and authorisation: what an API key permits, and for whom it may act.
//!
//! The tenant of a call is that of its key: no path that members use has a tenant in it that could be another's.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header;
use axum::http::request::Parts;
use subtle::ConstantTimeEq as _;

use super::Service;
use super::connections::Client;
use super::input::single;
use super::problem::{Kind, Problem};
use super::ward::Ward;
use hongbao_domain::{ApiKey, Scope, Suspension, TenantId, UserId};
use hongbao_runtime::{CallError, Tenant};

/// Somebody with a valid key.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) key: Arc<ApiKey>,
    /// Of an administrative request.
    pub(super) slip: Option<Arc<Slip>>,
}

/// What is known of an administrative request that is under way.
#[derive(Default)]
pub(super) struct Slip {
    /// Whose it is, once that is known.
    pub(super) by: OnceLock<Arc<ApiKey>>,
    /// Whether what comes of it is written down where it is carried out.
    pub(super) is_noted: AtomicBool,
}

fn unauthenticated(why: &'static str) -> Problem {
    Problem::new(Kind::UNAUTHENTICATED, why)
}

impl Caller {
    pub(super) async fn from_text(text: &str, service: &Service) -> Result<Self, Problem> {
        const UNKNOWN: &str = "this API key is not valid";
        let keys = service.keys();
        let (id, hash) = keys.seal().await?.read(text).ok_or_else(|| unauthenticated(UNKNOWN))?;
        let key = keys.find(id).await?.ok_or_else(|| unauthenticated(UNKNOWN))?;
        // Compared before anything else is told of the key, and in the same time whatever it is.
        if !bool::from(key.hash.ct_eq(&hash)) {
            return Err(unauthenticated(UNKNOWN));
        }
        if !key.is_valid(service.host().now_ms()) {
            return Err(unauthenticated("this API key was revoked, or its time is over"));
        }
        Ok(Self { key, slip: None })
    }

    /// Whether it is valid still: it may be revoked while a stream is open.
    pub(super) async fn is_valid(&self, service: &Service) -> bool {
        let found = service.keys().find(self.key.id).await;
        found.is_ok_and(|key| key.is_some_and(|key| key.is_valid(service.host().now_ms())))
    }

    pub(super) fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.key.scopes.has(scope) {
            return Ok(());
        }
        Err(Problem::new(Kind::FORBIDDEN, format!("this needs an API key with the scope {scope}")))
    }

    /// This user, if the key may act for them.
    fn only(&self, user: UserId) -> Result<UserId, Problem> {
        match self.key.user.as_ref().is_some_and(|only| *only != user) {
            true => Err(Problem::new(Kind::FORBIDDEN, "this API key acts for another user alone")),
            false => Ok(user),
        }
    }

    pub(super) fn is_operator(&self) -> bool {
        self.key.scopes.has(Scope::Operator)
    }

    /// One request of the tenant that this key is of.
    fn request(&self, service: &Service) -> Result<Tenant, Problem> {
        Ok(self.tenant(service)?.request()?)
    }

    /// One request about administration, of whoever it is: what is refused in the end costs work too. The operator has
    /// no limit, and administrators have one of their own.
    fn administers(&self, service: &Service) -> Result<(), Problem> {
        match &self.key.tenant {
            _ if self.is_operator() => Ok(()),
            Some(id) if self.key.scopes.has(Scope::Admin) => service.rates().admin(id),
            _ => Ok(self.tenant(service)?.count()?),
        }
    }

    /// The request is let through: its connection is no stranger's any more.
    fn admitted(&self, parts: &Parts) {
        if let Some(client) = parts.extensions.get::<Client>() {
            client.admitted(self.key.tenant.as_ref());
        }
    }

    /// The tenant that this key is of.
    fn tenant(&self, service: &Service) -> Result<Tenant, Problem> {
        let id = self.key.tenant.as_ref().ok_or_else(|| {
            Problem::new(
                Kind::FORBIDDEN,
                "an operator's API key speaks for no tenant; make one of the tenant's",
            )
        })?;
        service.tenant(id)?.ok_or_else(|| Problem::not_found("there is no such tenant any more"))
    }
}

impl FromRequestParts<Service> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let sent = single(&parts.headers, &header::AUTHORIZATION)?;
        let sent = sent.ok_or_else(|| unauthenticated("send an API key as `Authorization: Bearer …`"))?;
        let token = sent.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let token = token.ok_or_else(|| unauthenticated("send an API key as `Authorization: Bearer …`"))?;
        let slip = parts.extensions.get::<Arc<Slip>>().cloned();
        let caller = Self { slip, ..Self::from_text(token, service).await? };
        if let Some(slip) = &caller.slip {
            // Looked up once for each request; whoever asks again finds the same key.
            let _ = slip.by.set(Arc::clone(&caller.key));
        }
        service.rates().key(caller.key.id)?;
        Ok(caller)
    }
}

/// Somebody who may call on behalf of members.
pub(super) struct Member {
    pub(super) caller: Caller,
    pub(super) tenant: Tenant,
}

impl Member {
    /// The user whom the platform names, if the key may act for them. Each call takes one of the
    /// user's requests.
    pub(super) fn user(&self, service: &Service, name: String) -> Result<UserId, Problem> {
        let user = self.caller.only(user(name)?)?;
        service.rates().user(self.tenant.id(), &user)?;
        Ok(user)
    }
}

/// A user's name, of whom nothing is asked on their behalf.
pub(super) fn user(name: String) -> Result<UserId, Problem> {
    UserId::new(name).map_err(|error| Problem::invalid(format!("the name of a user {error}")))
}

impl FromRequestParts<Service> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        let tenant = caller.request(service)?;
        caller.needs(Scope::Member)?;
        caller.admitted(parts);
        Ok(Self { caller, tenant })
    }
}

/// Somebody who speaks for a whole tenant, and not for one of its members alone. Its scope is that of members: a key that
/// may act for any of them may look at all of their wallets anyway, and whoever passes events on must not need a key that
/// can make others or change the plugin.
pub(super) struct Spokesman {
    pub(super) caller: Caller,
    pub(super) tenant: Tenant,
}

impl FromRequestParts<Service> for Spokesman {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let Member { caller, tenant } = Member::from_request_parts(parts, service).await?;
        if caller.key.user.is_some() {
            let why =
                "this API key acts for one user alone; events of all need one that is not bound to a user";
            return Err(Problem::new(Kind::FORBIDDEN, why));
        }
        Ok(Self { caller, tenant })
    }
}

/// Somebody who may credit wallets.
pub(super) struct Funder {
    pub(super) caller: Caller,
    pub(super) tenant: Tenant,
}

impl FromRequestParts<Service> for Funder {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        let tenant = caller.request(service)?;
        caller.needs(Scope::Fund)?;
        caller.admitted(parts);
        Ok(Self { caller, tenant })
    }
}

/// Somebody who may take money out of wallets, and say what became of it. Suspension does not keep them from it, since
/// what is held may always be ended.
pub(super) struct Withdrawer {
    pub(super) caller: Caller,
    pub(super) tenant: Tenant,
}

impl Withdrawer {
    /// The user whom the platform names, if the key may act for them.
    pub(super) fn user(&self, name: String) -> Result<UserId, Problem> {
        self.caller.only(user(name)?)
    }

    /// Whether money may be taken out now: not while the tenant is suspended.
    pub(super) fn may_begin(&self) -> Result<(), Problem> {
        match self.tenant.suspension().is_any() {
            true => Err(CallError::Suspended { retry_after_ms: None }.into()),
            false => Ok(()),
        }
    }

    /// Whether it may see what all users have taken out.
    pub(super) fn may_see_all(&self) -> Result<(), Problem> {
        match self.caller.key.user {
            Some(_) => Err(Problem::new(Kind::FORBIDDEN, "this API key acts for one user alone")),
            None => Ok(()),
        }
    }
}

impl FromRequestParts<Service> for Withdrawer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        let tenant = caller.tenant(service)?;
        tenant.count()?;
        caller.needs(Scope::Withdraw)?;
        caller.admitted(parts);
        Ok(Self { caller, tenant })
    }
}

/// Somebody who may look at withdrawals: members at their own, and whoever makes them.
pub(super) struct Looker(pub(super) Member);

impl FromRequestParts<Service> for Looker {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        let tenant = match caller.key.scopes.has(Scope::Withdraw) {
            // They look also where the tenant is suspended: else nobody knew what is to be ended.
            true => {
                let tenant = caller.tenant(service)?;
                tenant.count()?;
                tenant
            }
            false => {
                let tenant = caller.request(service)?;
                caller.needs(Scope::Member)?;
                tenant
            }
        };
        caller.admitted(parts);
        Ok(Self(Member { caller, tenant }))
    }
}

/// Somebody who may run the service.
pub(super) struct Operator {
    pub(super) caller: Caller,
}

impl FromRequestParts<Service> for Operator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        caller.administers(service)?;
        caller.needs(Scope::Operator)?;
        caller.admitted(parts);
        Ok(Self { caller })
    }
}

/// Somebody who may look after the tenant of the path `/v1/tenants/{tenant}/…`: its own administrator,
/// or the operator. To all others it is as if there were no such tenant. Its plugin need not be ready here.
pub(super) struct Admin {
    pub(super) caller: Caller,
    pub(super) tenant: Ward,
}

impl Admin {
    /// Whether it may change what its tenant has: the operator may, and its own administrators unless the operator
    /// suspended it. Until then they look, and take away what others could use.
    pub(super) fn may_change(&self, service: &Service) -> Result<(), Problem> {
        // As it is now: what came with the request may have taken its time.
        let now = service.ward(self.tenant.id());
        may_change(now.as_ref().unwrap_or(&self.tenant).suspension(), self.caller.is_operator())
    }
}

/// The same of a tenant whose record is looked at.
pub(super) fn may_change(suspension: Suspension, by_operator: bool) -> Result<(), Problem> {
    if by_operator || !suspension.by_operator {
        return Ok(());
    }
    let why = "the operator suspended this tenant; until that is lifted nothing of it is changed";
    Err(Problem::new(Kind::SUSPENDED, why))
}

impl FromRequestParts<Service> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        caller.administers(service)?;
        if !caller.is_operator() {
            caller.needs(Scope::Admin)?;
        }
        let tenant = tenant_of_path(parts, service, &caller).await?;
        caller.admitted(parts);
        Ok(Self { caller, tenant })
    }
}

/// The same for what changes a tenant's record, which is looked at then.
pub(super) struct Keeper {
    pub(super) caller: Caller,
    pub(super) id: TenantId,
}

impl FromRequestParts<Service> for Keeper {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        caller.administers(service)?;
        if !caller.is_operator() {
            caller.needs(Scope::Admin)?;
        }
        let id = id_of_path(parts, service, &caller).await?;
        caller.admitted(parts);
        match service.ward(&id) {
            None => Err(unknown()),
            Some(_) => Ok(Self { caller, id }),
        }
    }
}

/// Somebody who may look at the tenant of the path: whoever has a key of it, or the operator. Where its plugin is
/// not ready, those who look after it.
pub(super) struct Visitor {
    pub(super) tenant: Ward,
}

impl FromRequestParts<Service> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        caller.administers(service)?;
        let tenant = tenant_of_path(parts, service, &caller).await?;
        caller.admitted(parts);
        Ok(Self { tenant })
    }
}

fn unknown() -> Problem {
    Problem::not_found("there is no such tenant")
}

async fn tenant_of_path(parts: &mut Parts, service: &Service, caller: &Caller) -> Result<Ward, Problem> {
    let id = id_of_path(parts, service, caller).await?;
    service.ward(&id).ok_or_else(unknown)
}

/// The tenant's name in the path, where the caller may know that there is one.
async fn id_of_path(parts: &mut Parts, service: &Service, caller: &Caller) -> Result<TenantId, Problem> {
    let path = RawPathParams::from_request_parts(parts, service).await.map_err(|_| unknown())?;
    let name = path.iter().find(|(name, _)| *name == "tenant").map(|(_, value)| value);
    let id = name.and_then(|name| TenantId::new(name).ok()).ok_or_else(unknown)?;
    let is_own = caller.key.tenant.as_ref() == Some(&id);
    if !is_own && !caller.is_operator() {
        return Err(unknown());
    }
    Ok(id)
}
