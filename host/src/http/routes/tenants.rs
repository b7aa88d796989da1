//! Tenants: the operator's to make, their administrators' to look after.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::domain::{Name, Scope, TenantId};
use crate::http::Service;
use crate::http::access::{Admin, Caller, Keeper, Operator, Visitor};
use crate::http::input::Json;
use crate::http::model::settings::{LimitSettings, PolicySettings, Settings, names};
use crate::http::notes::noted;
use crate::http::once::{Done, Once, Raw};
use crate::http::output::{Items, Told};
use crate::http::problem::{Kind, Problem};
use crate::runtime::{Digest, Plugin, PluginSource, Tenant};
use crate::store::{PluginRecord, TenantRecord};

pub(super) fn router() -> OpenApiRouter<Service> {
    let most = usize::try_from(Plugin::MAX_BYTES).unwrap_or(usize::MAX);
    let installing =
        OpenApiRouter::new().routes(routes!(plugins, install)).layer(DefaultBodyLimit::max(most));
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(look))
        .routes(routes!(configure))
        .merge(installing)
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
    commands: Vec<CommandForm>,
    /// BCP 47 tags; the first is taken for all others.
    languages: Vec<String>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
struct TenantView {
    tenant: String,
    plugin: ServingPlugin,
    /// Interfaces of the host that its plugin may call now.
    grants: Vec<String>,
    policy: PolicySettings,
    limits: LimitSettings,
    /// Whether requests are refused now: an operator said so, or the plugin broke again and again.
    is_suspended: bool,
}

impl TenantView {
    fn of(tenant: &Tenant) -> Self {
        let manifest = tenant.manifest();
        let Settings { policy, limits, .. } = Settings::from(&tenant.config());
        let commands = manifest.commands.iter();
        let commands = commands
            .map(|usage| CommandForm { form: usage.form.clone(), description: usage.description.clone() });
        Self {
            tenant: tenant.id().as_str().to_owned(),
            plugin: ServingPlugin {
                name: manifest.name.clone(),
                version: manifest.version.clone(),
                digest: tenant.plugin().digest().to_string(),
                commands: commands.collect(),
                languages: manifest.languages.clone(),
            },
            grants: names(tenant.grants()),
            policy,
            limits,
            is_suspended: tenant.is_suspended(),
        }
    }
}

/// All tenants, in the order of their names
///
/// Needs the scope `operator`.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", operation_id = "tenants",
    responses((status = 200, description = "All tenants", body = Items<TenantView>)))]
async fn list(State(service): State<Service>, _operator: Operator) -> Told<Items<TenantView>> {
    let items = service.host().tenants().iter().map(TenantView::of).collect();
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
    settings: Option<Settings>,
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
        let record =
            TenantRecord::new(id.clone(), new.settings.unwrap_or_default().kept(), acting.host().now_ms());
        let made = acting.create(record).await;
        let made = noted(&acting, &by, Some(&id), "tenant.create", id.as_str(), made).await?;
        Ok(Done::new(StatusCode::CREATED, &TenantView::of(&made)))
    };
    once.run(&service, &operator.caller, None, act).await
}

/// Look at a tenant
///
/// With any key of the tenant, or the operator's.
#[utoipa::path(get, path = "/v1/tenants/{tenant}", tag = "tenants", operation_id = "tenant",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "The tenant, with what it is granted now", body = TenantView)))]
async fn look(visitor: Visitor) -> Told<TenantView> {
    Told(TenantView::of(&visitor.tenant))
}

/// Give a tenant other settings
///
/// Needs the scope `operator`. Unset members go back to their defaults.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/settings", tag = "tenants", operation_id = "configure",
    params(("tenant" = String, Path)), request_body = Settings,
    responses((status = 200, description = "The tenant with its new settings", body = TenantView)))]
async fn configure(
    State(service): State<Service>,
    keeper: Keeper,
    Json(settings): Json<Settings>,
) -> Result<Told<TenantView>, Problem> {
    keeper.caller.needs(Scope::Operator)?;
    changed(&service, &keeper.caller, &keeper.id, "tenant.configure", "settings", move |record| {
        record.settings = settings.kept();
        Ok(())
    })
    .await
}

/// A plugin that was installed.
#[derive(Debug, Serialize, ToSchema)]
struct InstalledPlugin {
    /// SHA-256 of the component.
    digest: String,
    /// What it calls itself.
    name: String,
    version: String,
    /// Size of the component.
    bytes: u64,
    installed_at_ms: u64,
    /// Whether it serves the tenant now.
    serves: bool,
}

impl InstalledPlugin {
    fn of(plugin: PluginRecord, serving: Digest) -> Self {
        let serves = serving.to_string() == plugin.digest;
        let PluginRecord { digest, name, version, bytes, installed_at_ms } = plugin;
        Self { digest, name, version, bytes, installed_at_ms, serves }
    }
}

/// A tenant's plugins, in the order of installing
///
/// Needs the scope `admin`. The embedded plugin is there besides.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/plugins", tag = "tenants", operation_id = "plugins",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "The tenant's plugins", body = Items<InstalledPlugin>)))]
async fn plugins(
    State(service): State<Service>,
    admin: Admin,
) -> Result<Told<Items<InstalledPlugin>>, Problem> {
    let installed = service.registry().plugins(admin.tenant.id()).await?;
    let serving = admin.tenant.plugin().digest();
    let items = installed.into_iter().map(|plugin| InstalledPlugin::of(plugin, serving)).collect();
    Ok(Told(Items { items, next: None }))
}

/// Install a plugin
///
/// Needs the scope `admin`. The body is the component. It is compiled and asked what it is, and does not
/// serve anybody until an upgrade. What takes too much to compile is refused with `plugin-too-costly`; where
/// too many wait for the compiler the answer is `busy`.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/plugins", tag = "tenants", operation_id = "install",
    params(("tenant" = String, Path),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, description = "The plugin that was installed", body = InstalledPlugin)))]
async fn install(State(service): State<Service>, admin: Admin, once: Once<Raw>) -> Result<Response, Problem> {
    let (by, acting, tenant) = (admin.caller.clone(), service.clone(), admin.tenant.clone());
    let act = move |Raw(code): Raw, _: Name| async move {
        let subject = Digest::of(&code).to_string();
        let installed = install_now(&acting, &tenant, code).await;
        let installed = noted(&acting, &by, Some(tenant.id()), "plugin.install", &subject, installed).await?;
        let view = InstalledPlugin::of(installed, tenant.plugin().digest());
        Ok(Done::new(StatusCode::CREATED, &view))
    };
    once.run(&service, &admin.caller, Some(admin.tenant.id()), act).await
}

async fn install_now(service: &Service, tenant: &Tenant, code: Bytes) -> Result<PluginRecord, Problem> {
    let code = Vec::from(code);
    let source = PluginSource::Bytes(code.clone());
    let plugin = service.compile(tenant.id(), source, service.patience()).await?;
    service.install(tenant.config(), &plugin, code).await
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
    changed(&service, &keeper.caller, &keeper.id, "tenant.upgrade", &subject, move |record| {
        record.serve_by(upgrade.digest);
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
    changed(&service, &keeper.caller, &keeper.id, "tenant.rollback", "former", |record| {
        let former = record.former.take();
        let former = former.ok_or_else(|| Problem::new(Kind::NO_FORMER, "no other plugin served before"))?;
        record.former = Some(std::mem::replace(&mut record.plugin, former));
        Ok(())
    })
    .await
}

/// Take no more requests for a tenant
///
/// Needs the scope `admin`. Those under way finish; expiry and settlement go on.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/suspend", tag = "tenants", operation_id = "suspend",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "The tenant, suspended", body = TenantView)))]
async fn suspend(State(service): State<Service>, admin: Admin) -> Result<Told<TenantView>, Problem> {
    changed(&service, &admin.caller, admin.tenant.id(), "tenant.suspend", "", |record| {
        record.is_suspended = true;
        Ok(())
    })
    .await
}

/// Take requests for a tenant again
///
/// Needs the scope `admin`.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/resume", tag = "tenants", operation_id = "resume",
    params(("tenant" = String, Path)),
    responses((status = 200, description = "The tenant, served again", body = TenantView)))]
async fn resume(State(service): State<Service>, admin: Admin) -> Result<Told<TenantView>, Problem> {
    // Also where it was suspended by itself, because its plugin broke.
    admin.tenant.resume();
    changed(&service, &admin.caller, admin.tenant.id(), "tenant.resume", "", |record| {
        record.is_suspended = false;
        Ok(())
    })
    .await
}

async fn changed(
    service: &Service,
    by: &Caller,
    id: &TenantId,
    action: &'static str,
    subject: &str,
    edit: impl FnOnce(&mut TenantRecord) -> Result<(), Problem>,
) -> Result<Told<TenantView>, Problem> {
    let tenant = service.change(id, edit).await;
    let tenant = noted(service, by, Some(id), action, subject, tenant).await?;
    Ok(Told(TenantView::of(&tenant)))
}
