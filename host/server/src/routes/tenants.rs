//! Routes for tenants, for operators and their administrators.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Service;
use crate::access::{Admin, Caller, Keeper, Operator, Visitor, may_change};
use crate::input::Json;
use crate::notes::noted;
use crate::once::{Done, Once};
use crate::output::{Items, Told};
use crate::problem::{Kind, Problem};
use crate::serving::kept;
use crate::ward::Ward;
use hongbao_domain::{DeclaredParameter, DeclaredStrategy, Grants, Limits, Name, Policy, Scope, Suspension};
use hongbao_domain::{TenantId, TenantSettings};
use hongbao_runtime::{Digest, Tenant};
use hongbao_store::TenantRecord;

pub(super) fn router() -> OpenApiRouter<Service> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(look))
        .routes(routes!(configure))
        .routes(routes!(upgrade))
        .routes(routes!(rollback))
        .routes(routes!(suspend))
        .routes(routes!(resume))
}

/// A form of a command.
#[derive(Debug, Serialize, ToSchema)]
struct CommandForm {
    /// As it is typed.
    form: String,
    /// What it does.
    description: String,
}

/// The plugin that serves a tenant.
#[derive(Debug, Serialize, ToSchema)]
struct ServingPlugin {
    /// What it calls itself.
    name: String,
    version: String,
    /// SHA-256 of the component.
    digest: String,
    /// The first is taken where neither a packet nor the policy names one that it has.
    strategies: Vec<StrategyView>,
    commands: Vec<CommandForm>,
    /// BCP 47 tags; the first is taken for all others.
    languages: Vec<String>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
struct TenantView {
    tenant: String,
    /// Absent where none serves it on the host that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    plugin: Option<ServingPlugin>,
    /// Whether the host that is asked does not serve it by its plugin: that is not ready there, or does not start.
    waits_for_plugin: bool,
    /// Interfaces of the host that its plugin may call now.
    #[schema(value_type = Vec<String>)]
    grants: Grants,
    policy: Policy,
    limits: Limits,
    /// Settings that mean something to its plugin alone, by their keys.
    settings: BTreeMap<String, String>,
    /// Whether requests are refused now, for whatever reason.
    is_suspended: bool,
    /// Who refuses them. Where it is the `plugin` alone, that broke again and again, and only requests for it are
    /// refused.
    suspended_by: Vec<Suspender>,
}

/// Who refuses the requests of a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum Suspender {
    /// The operator said so.
    Operator,
    /// The tenant's own administrators said so.
    Tenant,
    /// Its plugin broke again and again.
    Plugin,
}

impl Suspender {
    fn of(tenant: &Ward) -> Vec<Self> {
        let Suspension { by_operator, by_tenant } = tenant.suspension();
        let by_plugin = tenant.tenant().is_some_and(|tenant| tenant.plugin_suspended_for_ms().is_some());
        let all = [(by_operator, Self::Operator), (by_tenant, Self::Tenant), (by_plugin, Self::Plugin)];
        all.into_iter().filter_map(|(suspends, who)| suspends.then_some(who)).collect()
    }
}

/// A way to draw amounts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeclaredStrategy)]
struct StrategyView {
    /// As a packet names it.
    name: String,
    /// How shares are drawn, in a sentence.
    description: String,
    /// Numbers that it takes, each as `name=number` behind the strategy's name.
    parameters: Vec<ParameterView>,
}

/// A number that a strategy takes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeclaredParameter)]
struct ParameterView {
    name: String,
    /// What it does, in a sentence.
    description: String,
    least: u64,
    most: u64,
    /// Taken where none is given.
    default: u64,
}

impl StrategyView {
    fn of(strategy: &DeclaredStrategy) -> Self {
        let parameter = |parameter: &DeclaredParameter| ParameterView {
            name: parameter.name.clone(),
            description: parameter.description.clone(),
            least: parameter.least,
            most: parameter.most,
            default: parameter.default,
        };
        let (name, description) = (strategy.name.clone(), strategy.description.clone());
        Self { name, description, parameters: strategy.parameters.iter().map(parameter).collect() }
    }
}

impl ServingPlugin {
    fn of(tenant: &Tenant) -> Self {
        let manifest = tenant.manifest();
        let commands = manifest.commands.iter();
        let commands = commands
            .map(|usage| CommandForm { form: usage.form.clone(), description: usage.description.clone() });
        Self {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: tenant.plugin().digest().to_string(),
            strategies: manifest.strategies.as_slice().iter().map(StrategyView::of).collect(),
            commands: commands.collect(),
            languages: manifest.languages.clone(),
        }
    }
}

impl TenantView {
    fn of(tenant: &Ward) -> Self {
        let TenantSettings { policy, limits, settings, .. } = tenant.settings();
        let suspended_by = Suspender::of(tenant);
        Self {
            tenant: tenant.id().as_str().to_owned(),
            plugin: tenant.tenant().map(ServingPlugin::of),
            waits_for_plugin: tenant.waits(),
            grants: tenant.tenant().map(Tenant::grants).unwrap_or_default(),
            policy,
            limits,
            settings,
            is_suspended: !suspended_by.is_empty(),
            suspended_by,
        }
    }
}

/// All tenants, in the order of their names
///
/// Needs the scope `operator`.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", operation_id = "tenants",
    responses((status = 200, description = "All tenants", body = Items<TenantView>)))]
async fn list(State(service): State<Service>, _operator: Operator) -> Told<Items<TenantView>> {
    let items = service.wards().iter().map(TenantView::of).collect();
    Told(Items { items, next: None })
}

/// A new tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    /// Its name.
    #[schema(min_length = 1, max_length = 256)]
    tenant: String,
    /// All defaults where it is absent.
    settings: Option<TenantSettings>,
}

/// Make a tenant
///
/// Needs the scope `operator`. It is served by the embedded plugin, at once here and within a second on
/// all other hosts.
#[utoipa::path(post, path = "/v1/tenants", tag = "tenants", operation_id = "create_tenant",
    params(("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body = NewTenant,
    responses((status = 201, description = "The tenant that was made, with what it is granted",
        body = TenantView)))]
async fn create(
    State(service): State<Service>,
    operator: Operator,
    once: Once<NewTenant>,
) -> Result<Response, Problem> {
    let (by, acting) = (operator.caller.clone(), service.clone());
    let act = move |new: NewTenant, _: Name| async move {
        let id = TenantId::new(&new.tenant)
            .map_err(|error| Problem::invalid(format!("the name of a tenant {error}")))?;
        let settings = kept(&new.settings.unwrap_or_default());
        let record = TenantRecord::new(id.clone(), settings, acting.host().now_ms());
        let creating = acting.clone();
        let make = async move { creating.create(record).await };
        let made = noted(&acting, &by, Some(&id), "tenant.create", id.as_str(), make).await?;
        Ok(Done::new(StatusCode::CREATED, &TenantView::of(&made)))
    };
    once.run(&service, &operator.caller, None, act).await
}

/// Look at a tenant
///
/// With any key of the tenant, or the operator's. Where its plugin is not ready on the host that is asked, this needs
/// the scope `admin` or the operator's key.
#[utoipa::path(get, path = "/v1/tenants/{tenant}", tag = "tenants", operation_id = "tenant",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "The tenant, with what it is granted now", body = TenantView)))]
async fn look(visitor: Visitor) -> Told<TenantView> {
    Told(TenantView::of(&visitor.tenant))
}

/// Give a tenant other settings
///
/// Needs the scope `operator`. Unset members go back to their defaults. Where the tenant waits for its plugin on the
/// host that is asked, they are written down, and it is seen later whether the plugin can do with them.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/settings", tag = "tenants", operation_id = "configure",
    params(("tenant" = String, Path)), request_body = TenantSettings,
    responses((status = 200, description = "The tenant with its new settings", body = TenantView)))]
async fn configure(
    State(service): State<Service>,
    keeper: Keeper,
    Json(settings): Json<TenantSettings>,
) -> Result<Told<TenantView>, Problem> {
    keeper.caller.needs(Scope::Operator)?;
    changed(&service, &keeper.caller, &keeper.id, "tenant.configure", "settings", move |record| {
        record.settings = kept(&settings);
        Ok(())
    })
    .await
}

/// Which plugin shall serve.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Upgrade {
    /// SHA-256 of an installed component; the embedded plugin where it is absent.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    digest: Option<String>,
}

/// Let another plugin serve
///
/// Needs the scope `admin`. It takes over at once here, and within a second on all other hosts; calls
/// under way finish with the former one.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/upgrade", tag = "tenants", operation_id = "upgrade",
    params(("tenant" = String, Path)), request_body = Upgrade,
    responses((status = 200, description = "The tenant with the plugin that serves it now",
        body = TenantView)))]
async fn upgrade(
    State(service): State<Service>,
    keeper: Keeper,
    Json(upgrade): Json<Upgrade>,
) -> Result<Told<TenantView>, Problem> {
    let subject = upgrade.digest.clone().unwrap_or_else(|| "embedded".into());
    let by_operator = keeper.caller.is_operator();
    changed(&service, &keeper.caller, &keeper.id, "tenant.upgrade", &subject, move |record| {
        may_change(record.suspension, by_operator)?;
        let digest = upgrade.digest.map(|text| text.parse::<Digest>()).transpose();
        let digest = digest.map_err(|error| Problem::invalid(format!("digest: {error}")))?;
        record.serve_by(digest.map(|digest| digest.to_string()));
        Ok(())
    })
    .await
}

/// Let the former plugin serve again
///
/// Needs the scope `admin`.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/rollback", tag = "tenants", operation_id = "rollback",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "The tenant with the plugin that serves it now",
        body = TenantView)))]
async fn rollback(State(service): State<Service>, keeper: Keeper) -> Result<Told<TenantView>, Problem> {
    let by_operator = keeper.caller.is_operator();
    changed(&service, &keeper.caller, &keeper.id, "tenant.rollback", "former", move |record| {
        may_change(record.suspension, by_operator)?;
        let former = record.former.take();
        let former = former.ok_or_else(|| Problem::new(Kind::NO_FORMER, "no other plugin served before"))?;
        record.former = Some(std::mem::replace(&mut record.plugin, former));
        Ok(())
    })
    .await
}

/// Take no more requests for a tenant
///
/// Needs the scope `admin`. Those under way finish, streams of events end within five seconds; expiry and
/// settlement go on. The operator and the tenant's own administrators suspend it apart from each other: it is
/// served when neither does.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/suspend", tag = "tenants", operation_id = "suspend",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "The tenant, suspended", body = TenantView)))]
async fn suspend(State(service): State<Service>, admin: Admin) -> Result<Told<TenantView>, Problem> {
    let by_operator = admin.caller.is_operator();
    let (caller, id) = (&admin.caller, admin.tenant.id());
    changed(&service, caller, id, "tenant.suspend", by(by_operator), move |record| {
        match by_operator {
            true => record.suspension.by_operator = true,
            false => record.suspension.by_tenant = true,
        }
        Ok(())
    })
    .await
}

/// Take requests for a tenant again
///
/// Needs the scope `admin`. It lifts what was said with keys of the same kind: the operator's suspension is lifted
/// by the operator alone, and the tenant's own by its administrators. A plugin that is suspended since it broke is
/// called again, on the host that is asked.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/resume", tag = "tenants", operation_id = "resume",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "The tenant, and who suspends it still", body = TenantView)))]
async fn resume(State(service): State<Service>, admin: Admin) -> Result<Told<TenantView>, Problem> {
    let (acting, id) = (service.clone(), admin.tenant.id().clone());
    let by_operator = admin.caller.is_operator();
    let act = async move {
        let tenant = acting.change(&id, |record| lift(&mut record.suspension, by_operator)).await?;
        // Not before it is written down that it serves again.
        tenant.tenant().into_iter().for_each(Tenant::reset_breaker);
        Ok(tenant)
    };
    told(&service, &admin.caller, admin.tenant.id(), "tenant.resume", by(by_operator), act).await
}

const fn by(operator: bool) -> &'static str {
    if operator { "by the operator" } else { "by the tenant" }
}

fn lift(suspension: &mut Suspension, by_operator: bool) -> Result<(), Problem> {
    match (by_operator, suspension.by_operator) {
        (true, _) => suspension.by_operator = false,
        (false, false) => suspension.by_tenant = false,
        (false, true) => {
            let why = "the operator suspended this tenant, and alone lifts that";
            return Err(Problem::new(Kind::FORBIDDEN, why));
        }
    }
    Ok(())
}

async fn changed(
    service: &Service,
    by: &Caller,
    id: &TenantId,
    action: &'static str,
    subject: &str,
    edit: impl FnOnce(&mut TenantRecord) -> Result<(), Problem> + Send + 'static,
) -> Result<Told<TenantView>, Problem> {
    let (acting, of) = (service.clone(), id.clone());
    told(service, by, id, action, subject, async move { acting.change(&of, edit).await }).await
}

async fn told(
    service: &Service,
    by: &Caller,
    id: &TenantId,
    action: &'static str,
    subject: &str,
    act: impl Future<Output = Result<Ward, Problem>> + Send + 'static,
) -> Result<Told<TenantView>, Problem> {
    let tenant = noted(service, by, Some(id), action, subject, act).await?;
    Ok(Told(TenantView::of(&tenant)))
}
