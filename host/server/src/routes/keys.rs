//! Routes for API keys. A key is shown once.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Service;
use crate::access::{Admin, Caller, Operator};
use crate::api_key::NewKey;
use crate::input::{Page, Path, Query};
use crate::notes::noted;
use crate::once::{Done, Once};
use crate::output::{Items, Told};
use crate::problem::{Kind, Problem};
use crate::ward::Ward;
use hongbao_domain::{ApiKey, KeyId, Limit, Name, Scope, Scopes, TenantId};

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(revoke))
        .routes(routes!(list_operator, create_operator))
        .routes(routes!(revoke_operator))
}

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = Scope)]
enum ScopeName {
    /// Calls on behalf of members.
    Member,
    /// Crediting wallets from outside.
    Fund,
    /// The tenant's administration.
    Admin,
    /// The service itself.
    Operator,
    /// Taking money out of wallets, and saying what became of it.
    Withdraw,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Member => Self::Member,
            ScopeName::Fund => Self::Fund,
            ScopeName::Admin => Self::Admin,
            ScopeName::Operator => Self::Operator,
            ScopeName::Withdraw => Self::Withdraw,
        }
    }
}

impl From<Scope> for ScopeName {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Member => Self::Member,
            Scope::Fund => Self::Fund,
            Scope::Admin => Self::Admin,
            Scope::Operator => Self::Operator,
            Scope::Withdraw => Self::Withdraw,
        }
    }
}

/// A new key of a tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTenantKey {
    /// For people, to tell keys apart.
    #[schema(min_length = 1, max_length = 256)]
    label: String,
    /// `member`, `fund`, `withdraw`, `admin`; at least one.
    #[schema(min_items = 1)]
    scopes: Vec<ScopeName>,
    /// From when on it is refused; never where it is absent.
    expires_at_ms: Option<u64>,
}

/// A new key of the operator.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOperatorKey {
    /// For people, to tell keys apart.
    #[schema(min_length = 1, max_length = 256)]
    label: String,
    /// From when on it is refused; never where it is absent.
    expires_at_ms: Option<u64>,
}

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct KeyView {
    /// Its public part.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    id: String,
    label: String,
    scopes: Vec<ScopeName>,
    created_at_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at_ms: Option<u64>,
}

impl From<ApiKey> for KeyView {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            label: key.label.into_string(),
            scopes: key.scopes.iter().map(ScopeName::from).collect(),
            created_at_ms: key.created_at_ms,
            expires_at_ms: key.expires_at_ms,
            revoked_at_ms: key.revoked_at_ms,
        }
    }
}

/// A key that was made.
#[derive(Debug, Serialize, ToSchema)]
struct MadeKey {
    /// What is sent as `Authorization: Bearer …`. It is shown this once: asked again with the same
    /// `Idempotency-Key`, the answer lacks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(flatten)]
    view: KeyView,
}

/// Whose a new key is: a tenant's, of which it may have so many, or the operator's.
type Owner<'o> = Option<(&'o Ward, u32)>;

async fn made(
    service: &Service,
    by: &Caller,
    owner: Owner<'_>,
    label: String,
    scopes: Scopes,
    expires_at_ms: Option<u64>,
) -> Result<Done, Problem> {
    let id = owner.map(|(tenant, _)| tenant.id().clone());
    let subject = format!("{label} ({scopes})");
    let of = id.clone();
    let (acting, room) = (service.clone(), owner.map(|(tenant, most)| (tenant.clone(), most)));
    let make = async move {
        let label = Name::new(label).map_err(|error| Problem::invalid(format!("a label {error}")))?;
        let new = NewKey { tenant: of, user: None, label, scopes, expires_at_ms };
        let (key, text) = new
            .make(acting.keys().seal().await?, acting.host().now_ms())
            .map_err(|error| Problem::new(Kind::INTERNAL, error.to_string()))?;
        match room {
            None => acting.registry().add_key(key.clone()).await?,
            Some((tenant, most)) => {
                if !acting.registry().add_key_within(key.clone(), most).await? {
                    let why = format!(
                        "{most} API keys are valid, which is as many as the tenant may have; revoke one"
                    );
                    return Err(tenant.full(Limit::Keys, why));
                }
            }
        }
        Ok((key, text))
    };
    let (key, text) = noted(service, by, id.as_ref(), "key.create", &subject, make).await?;
    let view = KeyView::from(key);
    let told = MadeKey { key: Some(text), view: view.clone() };
    Ok(Done::new(StatusCode::CREATED, &told).keeping(&MadeKey { key: None, view }))
}

async fn listed(
    service: &Service,
    tenant: Option<&TenantId>,
    page: &Page,
) -> Result<Told<Items<KeyView>>, Problem> {
    let limit = page.limit()?;
    let after = page.before(|text| text.parse().ok())?;
    let keys = service.registry().keys(tenant, after, limit).await?;
    Ok(Told(Items::page(keys, limit, |key| key.id.to_string(), KeyView::from)))
}

async fn revoked(
    service: &Service,
    by: &Caller,
    tenant: Option<&TenantId>,
    id: &str,
) -> Result<Told<KeyView>, Problem> {
    let (acting, of, text) = (service.clone(), tenant.cloned(), id.to_owned());
    let revoke = async move {
        let unknown = || Problem::not_found("there is no such API key");
        let id: KeyId = text.parse().map_err(|_| unknown())?;
        let key = acting.registry().revoke_key(of.as_ref(), id, acting.host().now_ms()).await?;
        acting.keys().forget(id);
        key.ok_or_else(unknown)
    };
    let key = noted(service, by, tenant, "key.revoke", id, revoke).await?;
    Ok(Told(key.into()))
}

/// Make an API key of a tenant
///
/// Needs the scope `admin`. It is shown this once, and kept as a hash.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/keys", tag = "keys", operation_id = "create_key",
    params(("tenant" = String, Path),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = NewTenantKey,
    responses((status = 201, description = "The key that was made, with its secret", body = MadeKey)))]
async fn create(
    State(service): State<Service>,
    admin: Admin,
    once: Once<NewTenantKey>,
) -> Result<Response, Problem> {
    admin.may_change(&service)?;
    let (by, acting, tenant) = (admin.caller.clone(), service.clone(), admin.tenant.clone());
    let act = move |new: NewTenantKey, _: Name| async move {
        let scopes: Scopes = new.scopes.into_iter().map(Scope::from).collect();
        if scopes.is_empty() || scopes.has(Scope::Operator) {
            return Err(Problem::invalid("a tenant's key has some of the scopes member, fund and admin"));
        }
        let owner = Some((&tenant, tenant.limits().keys));
        made(&acting, &by, owner, new.label, scopes, new.expires_at_ms).await
    };
    once.run(&service, &admin.caller, Some(admin.tenant.id()), act).await
}

/// A tenant's API keys, in the order of their ids
///
/// Needs the scope `admin`.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/keys", tag = "keys", operation_id = "keys",
    params(("tenant" = String, Path), Page),
    responses((status = 200, description = "A page of the tenant's API keys, without their secrets",
        body = Items<KeyView>)))]
async fn list(
    State(service): State<Service>,
    admin: Admin,
    Query(page): Query<Page>,
) -> Result<Told<Items<KeyView>>, Problem> {
    listed(&service, Some(admin.tenant.id()), &page).await
}

/// Revoke a tenant's API key
///
/// Needs the scope `admin`. It opens nothing here from now on, and on other hosts within five seconds.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/keys/{key}", tag = "keys", operation_id = "revoke_key",
    params(("tenant" = String, Path), ("key" = String, Path)),
    responses((status = 200, description = "The key, revoked", body = KeyView)))]
async fn revoke(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<Told<KeyView>, Problem> {
    let Path((_, id)) = path;
    revoked(&service, &admin.caller, Some(admin.tenant.id()), &id).await
}

/// Make an API key of the operator
///
/// Needs the scope `operator`. It is shown this once, and kept as a hash.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", operation_id = "create_operator_key",
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = NewOperatorKey,
    responses((status = 201, description = "The key that was made, with its secret", body = MadeKey)))]
async fn create_operator(
    State(service): State<Service>,
    operator: Operator,
    once: Once<NewOperatorKey>,
) -> Result<Response, Problem> {
    let (by, acting) = (operator.caller.clone(), service.clone());
    let act = move |new: NewOperatorKey, _: Name| async move {
        let scopes = [Scope::Operator].into_iter().collect();
        made(&acting, &by, None, new.label, scopes, new.expires_at_ms).await
    };
    once.run(&service, &operator.caller, None, act).await
}

/// The operator's API keys, in the order of their ids
///
/// Needs the scope `operator`.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", operation_id = "operator_keys",
    params(Page),
    responses((status = 200, description = "A page of the operator's API keys, without their secrets",
        body = Items<KeyView>)))]
async fn list_operator(
    State(service): State<Service>,
    _operator: Operator,
    Query(page): Query<Page>,
) -> Result<Told<Items<KeyView>>, Problem> {
    listed(&service, None, &page).await
}

/// Revoke an API key of the operator
///
/// Needs the scope `operator`.
#[utoipa::path(delete, path = "/v1/keys/{key}", tag = "keys", operation_id = "revoke_operator_key",
    params(("key" = String, Path)),
    responses((status = 200, description = "The key, revoked", body = KeyView)))]
async fn revoke_operator(
    State(service): State<Service>,
    operator: Operator,
    Path(id): Path<String>,
) -> Result<Told<KeyView>, Problem> {
    revoked(&service, &operator.caller, None, &id).await
}
