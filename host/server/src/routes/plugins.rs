//! Routes for a tenant's plugins: install, list, remove. Which one serves is a matter of the tenant.

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Service;
use crate::access::Admin;
use crate::bodies::BodyPlace;
use crate::input::Path;
use crate::notes::noted;
use crate::once::{Done, Once, Raw};
use crate::output::{Items, Told};
use crate::problem::{Kind, Problem};
use crate::ward::Ward;
use hongbao_domain::{Limit, Name, counted};
use hongbao_runtime::{Digest, Plugin, PluginSource};
use hongbao_store::{PluginQuota, PluginRecord};

pub(super) fn router() -> OpenApiRouter<Service> {
    let most = usize::try_from(Plugin::MAX_BYTES).unwrap_or(usize::MAX);
    let installing =
        OpenApiRouter::new().routes(routes!(plugins, install)).layer(DefaultBodyLimit::max(most));
    OpenApiRouter::new().merge(installing).routes(routes!(remove))
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
    /// Whether it serves the tenant, or shall when it is ready.
    serves: bool,
}

impl InstalledPlugin {
    fn of(plugin: PluginRecord, tenant: &Ward) -> Self {
        let serves = tenant.plugin().as_ref() == Some(&plugin.digest);
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
    let items = installed.into_iter().map(|plugin| InstalledPlugin::of(plugin, &admin.tenant)).collect();
    Ok(Told(Items { items, next: None }))
}

/// Install a plugin
///
/// Needs the scope `admin`. The body is the component. It is compiled and asked what it is, and does not
/// serve anybody until an upgrade. What takes too much to compile is refused with `plugin-too-costly`; where
/// too many wait for the compiler, or are being sent, the answer is `busy`. A `Content-Length` with which the plugin
/// does not fit is refused before the body is read.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/plugins", tag = "tenants", operation_id = "install",
    params(("tenant" = String, Path),
        ("Idempotency-Key" = String, Header, min_length = 1, max_length = 128, pattern = "^[!-~]([ -~]*[!-~])?$")),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, description = "The plugin that was installed", body = InstalledPlugin)))]
async fn install(
    State(service): State<Service>,
    admin: Admin,
    request: Request,
) -> Result<Response, Problem> {
    admin.may_change(&service)?;
    let place = room(&service, &admin.tenant, request.body().size_hint().exact()).await?;
    let once = Once::<Raw>::from_request(request, &service).await?;
    // The body took its time.
    admin.may_change(&service)?;
    let (by, acting, tenant) = (admin.caller.clone(), service.clone(), admin.tenant.clone());
    let by_operator = by.is_operator();
    let act = move |Raw(code): Raw, _: Name| async move {
        let _place = place;
        let subject = Digest::of(&code).to_string();
        let install = install_now(acting.clone(), tenant.clone(), code, by_operator);
        let installed = noted(&acting, &by, Some(tenant.id()), "plugin.install", &subject, install).await?;
        let view = InstalledPlugin::of(installed, &tenant);
        Ok(Done::new(StatusCode::CREATED, &view))
    };
    once.run(&service, &admin.caller, Some(admin.tenant.id()), act).await
}

/// Room for a plugin before any of it is read, if one of so many bytes can fit. Who does not say how many will come gets
/// room for the largest.
async fn room(service: &Service, tenant: &Ward, bytes: Option<u64>) -> Result<BodyPlace, Problem> {
    if bytes.is_some_and(|bytes| bytes > Plugin::MAX_BYTES) {
        return Err(Problem::new(Kind::TOO_LARGE, "the body is larger than this path takes"));
    }
    let quota = quota(tenant);
    let installed = service.registry().plugins(tenant.id()).await?;
    // One that is there already fits, and is as long as it is.
    let is_there = |plugin: &PluginRecord| bytes.is_none_or(|bytes| plugin.bytes == bytes);
    if !installed.iter().any(is_there) && !has_room(&installed, bytes.unwrap_or(0), quota) {
        return Err(too_many(tenant, quota));
    }
    service.bodies().place(tenant, bytes.unwrap_or(Plugin::MAX_BYTES))
}

async fn install_now(
    service: Service,
    tenant: Ward,
    code: Bytes,
    by_operator: bool,
) -> Result<PluginRecord, Problem> {
    let quota = quota(&tenant);
    // Before anything is compiled for it.
    let installed = service.registry().plugins(tenant.id()).await?;
    if !fits(&installed, &code, quota) {
        return Err(too_many(&tenant, quota));
    }
    let code = Vec::from(code);
    let source = PluginSource::Bytes(code.clone());
    let plugin = service.compile(tenant.id(), source, service.patience()).await?;
    let installed = service.install(tenant.config()?, &plugin, code, quota, by_operator).await?;
    installed.ok_or_else(|| too_many(&tenant, quota))
}

fn quota(tenant: &Ward) -> PluginQuota {
    let limits = tenant.limits();
    PluginQuota { plugins: limits.plugins, bytes: limits.plugin_bytes }
}

/// As the registry decides in the end.
fn fits(installed: &[PluginRecord], code: &[u8], quota: PluginQuota) -> bool {
    let digest = Digest::of(code).to_string();
    if installed.iter().any(|plugin| plugin.digest == digest) {
        return true;
    }
    has_room(installed, code.len() as u64, quota)
}

/// Whether there is room for one more, of so many bytes.
fn has_room(installed: &[PluginRecord], bytes: u64, quota: PluginQuota) -> bool {
    let bytes = installed.iter().map(|plugin| plugin.bytes).fold(bytes, u64::saturating_add);
    installed.len() < quota.plugins as usize && bytes <= quota.bytes
}

fn too_many(tenant: &Ward, PluginQuota { plugins, bytes }: PluginQuota) -> Problem {
    let plugins = counted(plugins.into(), "plugin", "plugins");
    let why = format!(
        "the tenant may have {plugins} of {bytes} bytes together; remove one that is not used any more"
    );
    tenant.full(Limit::Plugins, why)
}

/// Remove a plugin
///
/// Needs the scope `admin`. One that serves the tenant is not removed; after the removal of the one that served
/// before, there is none to roll back to.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/plugins/{digest}", tag = "tenants",
    operation_id = "remove_plugin",
    params(("tenant" = String, Path), ("digest" = String, Path)),
    responses((status = 200, description = "The plugin that was removed", body = InstalledPlugin)))]
async fn remove(
    State(service): State<Service>,
    admin: Admin,
    path: Path<(String, String)>,
) -> Result<Told<InstalledPlugin>, Problem> {
    let Path((_, digest)) = path;
    let (acting, id, subject) = (service.clone(), admin.tenant.id().clone(), digest.clone());
    let act = async move { acting.remove_plugin(&id, &digest).await };
    let by = (&admin.caller, Some(admin.tenant.id()));
    let removed = noted(&service, by.0, by.1, "plugin.remove", &subject, act).await?;
    Ok(Told(InstalledPlugin::of(removed, &admin.tenant)))
}
