//! Who calls: API keys, what each opens, and for whom it may act.
//!
//! A key is `hb_`, its id, `_`, and 256 random bits. The registry keeps the bits' SHA-256 alone, so the
//! key itself is shown once and can be read nowhere. The tenant of a call is that of its key: no path
//! that members use has a tenant in it that could be another's.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header;
use axum::http::request::Parts;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Service;
use super::input::single;
use super::notes::Slip;
use super::problem::{Kind, Problem};
use crate::domain::{ApiKey, KeyId, Name, Scope, Scopes, TenantId, UserId};
use crate::runtime::Tenant;
use crate::store::Registry;

const PREFIX: &str = "hb_";

/// A key is looked up again after so long: a host that did not revoke it itself takes it that much longer.
const FRESH: Duration = Duration::from_secs(5);

/// While the registry is away, a key that was valid goes on being taken for so long: grabs need no
/// database, and must not begin to.
const STALE: Duration = Duration::from_secs(600);

/// What a new key is for.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Whose it is; None for the operator's.
    pub tenant: Option<TenantId>,
    /// The only user whom it may act for.
    pub user: Option<UserId>,
    /// For people, to tell keys apart.
    pub label: Name,
    /// What it may be used for.
    pub scopes: Scopes,
    /// From when on it is refused; None for never.
    pub expires_at_ms: Option<u64>,
}

impl NewKey {
    /// Makes it: what is kept, and the text that is shown once.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn make(self, now_ms: u64) -> Result<(ApiKey, String), getrandom::Error> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        let secret = hex(&secret);
        let key = ApiKey {
            id: KeyId::new(getrandom::u64()?),
            tenant: self.tenant,
            user: self.user,
            label: self.label,
            scopes: self.scopes,
            hash: Sha256::digest(&secret).into(),
            created_at_ms: now_ms,
            expires_at_ms: self.expires_at_ms,
            revoked_at_ms: None,
        };
        let text = format!("{PREFIX}{}_{secret}", key.id);
        Ok((key, text))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}

/// The id and the hash of the secret of a key as it is sent.
fn read(text: &str) -> Option<(KeyId, [u8; 32])> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
    Some((id.parse().ok()?, Sha256::digest(secret).into()))
}

/// Keys that were asked for lately.
pub(super) struct Keys {
    registry: Arc<dyn Registry>,
    known: RwLock<HashMap<KeyId, Known>>,
}

#[derive(Clone)]
struct Known {
    key: Arc<ApiKey>,
    /// When the registry last said so.
    told: Instant,
    /// When somebody last set out to ask it. Everybody else takes what is known meanwhile: else all
    /// requests of a busy key would ask at once, whenever its time is over.
    asked: Instant,
}

impl Keys {
    pub(super) fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry, known: RwLock::default() }
    }

    /// The next look goes to the registry.
    pub(super) fn forget(&self, id: KeyId) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// Forgets keys that nobody has used for long.
    pub(super) fn forget_old(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.told.elapsed() < STALE);
    }

    fn known(&self, id: KeyId) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&id).filter(|known| known.told.elapsed() < STALE).cloned()
    }

    /// Whether it is this caller who asks.
    fn sets_out(&self, id: KeyId) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = known.get_mut(&id) else { return true };
        let is_first = known.asked.elapsed() >= FRESH;
        if is_first {
            known.asked = Instant::now();
        }
        is_first
    }

    /// The key of this id.
    async fn find(&self, id: KeyId, service: &Service) -> Result<Option<Arc<ApiKey>>, Problem> {
        let known = self.known(id);
        match &known {
            Some(known) if known.asked.elapsed() < FRESH || !self.sets_out(id) => {
                return Ok(Some(Arc::clone(&known.key)));
            }
            Some(_) => {}
            None => service.rates().stranger()?,
        }
        match (self.registry.key(id).await, known) {
            (Ok(Some(key)), _) => {
                let (key, now) = (Arc::new(key), Instant::now());
                let entry = Known { key: Arc::clone(&key), told: now, asked: now };
                self.known.write().unwrap_or_else(PoisonError::into_inner).insert(id, entry);
                Ok(Some(key))
            }
            (Ok(None), _) => {
                self.forget(id);
                Ok(None)
            }
            (Err(error), Some(known)) if error.may_pass() => Ok(Some(known.key)),
            (Err(error), _) => Err(error.into()),
        }
    }
}

/// Somebody with a valid key.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) key: Arc<ApiKey>,
    /// Of an administrative request.
    pub(super) slip: Option<Arc<Slip>>,
}

fn unauthenticated(why: &'static str) -> Problem {
    Problem::new(Kind::UNAUTHENTICATED, why)
}

impl Caller {
    pub(super) async fn from_text(text: &str, service: &Service) -> Result<Self, Problem> {
        const UNKNOWN: &str = "this API key is not valid";
        let (id, hash) = read(text).ok_or_else(|| unauthenticated(UNKNOWN))?;
        let key = service.keys().find(id, service).await?.ok_or_else(|| unauthenticated(UNKNOWN))?;
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
        let found = service.keys().find(self.key.id, service).await;
        found.is_ok_and(|key| key.is_some_and(|key| key.is_valid(service.host().now_ms())))
    }

    pub(super) fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.key.scopes.has(scope) {
            return Ok(());
        }
        Err(Problem::new(Kind::FORBIDDEN, format!("this needs an API key with the scope {scope}")))
    }

    pub(super) fn is_operator(&self) -> bool {
        self.key.scopes.has(Scope::Operator)
    }

    /// One request of the tenant that this key is of.
    fn request(&self, service: &Service) -> Result<Tenant, Problem> {
        Ok(self.tenant(service)?.request()?)
    }

    /// The tenant that this key is of.
    fn tenant(&self, service: &Service) -> Result<Tenant, Problem> {
        let id = self.key.tenant.as_ref().ok_or_else(|| {
            Problem::new(
                Kind::FORBIDDEN,
                "an operator's API key speaks for no tenant; make one of the tenant's",
            )
        })?;
        service.host().tenant(id).ok_or_else(|| Problem::not_found("there is no such tenant any more"))
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
        let user = user(name)?;
        if self.caller.key.user.as_ref().is_some_and(|only| *only != user) {
            return Err(Problem::new(Kind::FORBIDDEN, "this API key acts for another user alone"));
        }
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
        caller.needs(Scope::Member)?;
        let tenant = caller.request(service)?;
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
        caller.needs(Scope::Fund)?;
        let tenant = caller.request(service)?;
        Ok(Self { caller, tenant })
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
        caller.needs(Scope::Operator)?;
        Ok(Self { caller })
    }
}

/// Somebody who may look after the tenant of the path `/v1/tenants/{tenant}/…`: its own administrator,
/// or the operator. To all others it is as if there were no such tenant.
pub(super) struct Admin {
    pub(super) caller: Caller,
    pub(super) tenant: Tenant,
}

impl Admin {
    /// Whether it may change what its tenant has: the operator may, and its own administrators unless the operator
    /// suspended it. Until then they look, and take away what others could use.
    pub(super) fn may_change(&self) -> Result<(), Problem> {
        if self.caller.is_operator() || !self.tenant.suspension().by_operator {
            return Ok(());
        }
        let why = "the operator suspended this tenant; until that is lifted nothing of it is changed";
        Err(Problem::new(Kind::SUSPENDED, why))
    }
}

impl FromRequestParts<Service> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        if !caller.is_operator() {
            caller.needs(Scope::Admin)?;
        }
        let tenant = tenant_of_path(parts, service, &caller).await?;
        if !caller.is_operator() {
            service.rates().admin(tenant.id())?;
        }
        Ok(Self { caller, tenant })
    }
}

/// Somebody who may look at the tenant of the path: whoever has a key of it, or the operator.
pub(super) struct Visitor {
    pub(super) tenant: Tenant,
}

impl FromRequestParts<Service> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        let tenant = tenant_of_path(parts, service, &caller).await?;
        match caller.key.scopes {
            scopes if scopes.has(Scope::Operator) => {}
            scopes if scopes.has(Scope::Admin) => service.rates().admin(tenant.id())?,
            _ => tenant.count()?,
        }
        Ok(Self { tenant })
    }
}

async fn tenant_of_path(parts: &mut Parts, service: &Service, caller: &Caller) -> Result<Tenant, Problem> {
    let unknown = || Problem::not_found("there is no such tenant");
    let path = RawPathParams::from_request_parts(parts, service).await.map_err(|_| unknown())?;
    let name = path.iter().find(|(name, _)| *name == "tenant").map(|(_, value)| value);
    let id = name.and_then(|name| TenantId::new(name).ok()).ok_or_else(unknown)?;
    let is_own = caller.key.tenant.as_ref() == Some(&id);
    if !is_own && !caller.is_operator() {
        return Err(unknown());
    }
    service.host().tenant(&id).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryRegistry;

    fn new_key() -> NewKey {
        NewKey {
            tenant: None,
            user: None,
            label: Name::new("ci").unwrap(),
            scopes: [Scope::Operator].into_iter().collect(),
            expires_at_ms: None,
        }
    }

    #[test]
    fn a_key_is_kept_without_its_secret() {
        let new = new_key();
        let (key, text) = new.clone().make(7).unwrap();
        let (other, other_text) = new.make(7).unwrap();
        assert_ne!((key.id, &text), (other.id, &other_text));
        assert_eq!(text.len(), "hb_".len() + 16 + 1 + 64);
        assert_eq!(read(&text), Some((key.id, key.hash)));
        let secret = &text[20..];
        assert!(!format!("{key:?}").contains(secret));
        assert_ne!(read(&text.replace(secret, &"0".repeat(64))).unwrap().1, key.hash);
        for text in ["", "hb_", "hb_1_2", "hb_0000000000000001", &text[1..]] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn one_caller_asks_again_for_a_key_and_the_others_take_what_is_known() {
        let key = Arc::new(new_key().make(7).unwrap().0);
        let id = key.id;
        let keys = Keys::new(Arc::new(MemoryRegistry::new()));
        assert!(keys.sets_out(id), "a key that nobody knows is asked for by everybody");
        let told = Instant::now().checked_sub(FRESH).unwrap();
        keys.known.write().unwrap().insert(id, Known { key, told, asked: told });
        let asking = (0..8).filter(|_| keys.sets_out(id)).count();
        assert_eq!(asking, 1);
        assert!(keys.known(id).is_some(), "it is known until the answer is there");
    }
}
