//! How this host serves a tenant as its record says: the plugin is found or compiled, the change prepared, and then
//! taken over.

use std::time::Duration;

use tokio::sync::watch;

use super::Service;
use super::output::json;
use super::problem::{Kind, Problem};
use hongbao_domain::{TenantId, TenantSettings, decode};
use hongbao_runtime::{Digest, Plugin, PluginError, PluginSource, Prepared, Tenant, TenantConfig};
use hongbao_store::TenantRecord;

/// After its plugin is compiled, a request asks it what it is, and writes that down.
const AFTER_COMPILING: Duration = Duration::from_secs(6);

/// The plugin that a record asks for.
pub(super) enum Needed {
    /// It serves already.
    Serves,
    /// It is here.
    Ready(Box<Plugin>),
    /// It has to be compiled.
    Compiling,
}

/// Ends when the service is stopping, also where that was said before.
pub(super) async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

pub(super) fn no_plugin() -> Problem {
    Problem::not_found("there is no such plugin")
}

impl Service {
    /// A tenant that is served here; None where there is none of this name.
    pub(super) fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, Problem> {
        match self.host().tenant(id) {
            None if self.roster().knows(id) => Err(Self::not_ready()),
            found => Ok(found),
        }
    }

    pub(super) fn not_ready() -> Problem {
        const WHY: &str = "this host does not serve the tenant yet: its plugin is being compiled, or does not start; ask again";
        Problem::new(Kind::PLUGIN_NOT_READY, WHY)
    }

    /// Whether the plugin that a record asks for serves already, or is here.
    pub(super) async fn needed(&self, record: &TenantRecord) -> Result<Needed, Problem> {
        let serving = self.host().tenant(&record.id).map(|tenant| tenant.plugin().digest());
        if serving.is_some() && serving == wanted_digest(record) {
            return Ok(Needed::Serves);
        }
        let plugins = self.host().plugins();
        let Some(digest) = &record.plugin else {
            return Ok(Needed::Ready(Box::new(plugins.load(PluginSource::Embedded).await?)));
        };
        // Its code is read only where another one shall serve.
        let _turn = self.roster().reading.acquire().await;
        let code = self.code(&record.id, digest).await?;
        let ready = plugins.load_ready(PluginSource::Bytes(code)).await?;
        Ok(ready.map_or(Needed::Compiling, |plugin| Needed::Ready(Box::new(plugin))))
    }

    /// The plugin that a record asks for, compiled if it has to be.
    pub(super) async fn compiled(
        &self,
        record: &TenantRecord,
        wait: Option<Duration>,
    ) -> Result<Plugin, Problem> {
        let source = match &record.plugin {
            None => PluginSource::Embedded,
            Some(digest) => PluginSource::Bytes(self.code(&record.id, digest).await?),
        };
        self.compile(&record.id, source, wait).await
    }

    /// Compiles a plugin for a tenant. Whoever cannot wait for ever is told to ask again after so long and
    /// what compiling may take; nobody waits on a host that is stopping.
    pub(super) async fn compile(
        &self,
        tenant: &TenantId,
        source: PluginSource,
        wait: Option<Duration>,
    ) -> Result<Plugin, Problem> {
        let plugins = self.host().plugins();
        let longest = wait.map(|wait| wait + plugins.compiler().limits().time + Duration::from_secs(1));
        let too_long = async {
            match longest {
                Some(longest) => tokio::time::sleep(longest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            plugin = plugins.load_for(tenant, source, wait) => Ok(plugin?),
            () = too_long => Err(PluginError::Busy.into()),
            () = stopped(self.stopping()) => Err(PluginError::Stopping.into()),
        }
    }

    /// How long a request waits for its turn at the compiler, so that it has its answer in time.
    pub(super) fn patience(&self) -> Option<Duration> {
        let compiling = self.host().plugins().compiler().limits().time;
        let left = self.settings().request_time.saturating_sub(compiling + AFTER_COMPILING);
        Some(left.max(Duration::from_secs(1)))
    }

    async fn code(&self, tenant: &TenantId, digest: &str) -> Result<Vec<u8>, Problem> {
        let code = self.registry().plugin_code(tenant, digest).await?;
        code.ok_or_else(no_plugin)
    }

    /// What would make this host serve a tenant as the record says, by this plugin if it does not serve already;
    /// None where nothing is to be done. Nothing changes by it.
    pub(super) async fn prepare(
        &self,
        record: &TenantRecord,
        plugin: Option<Plugin>,
    ) -> Result<Option<Prepared>, Problem> {
        let config = config(record)?;
        let Some(tenant) = self.host().tenant(&record.id) else {
            return Ok(Some(self.host().prepare(config, plugin.ok_or_else(Self::not_ready)?).await?));
        };
        let serving = tenant.plugin();
        let plugin = match plugin {
            Some(plugin) => plugin,
            None if wanted_digest(record) == Some(serving.digest()) => serving.clone(),
            None => return Err(Self::not_ready()),
        };
        if plugin.digest() == serving.digest() && tenant.config() == config {
            return Ok(None);
        }
        Ok(Some(self.host().prepare(config, plugin).await?))
    }

    /// Makes this host serve a tenant as the record says, with what was prepared for that.
    pub(super) fn take_over(
        &self,
        record: &TenantRecord,
        ready: Option<Prepared>,
    ) -> Result<Tenant, Problem> {
        let tenant = match (self.host().tenant(&record.id), ready) {
            (Some(tenant), Some(ready)) => {
                // What begins to be suspended is not served by another plugin for a moment first.
                if record.suspension.is_any() {
                    tenant.set_suspension(record.suspension);
                }
                tenant.adopt(ready);
                tenant
            }
            (Some(tenant), None) => tenant,
            (None, Some(ready)) => self.host().add_prepared(ready, record.suspension)?,
            (None, None) => return Err(Problem::not_found("the tenant is not served any more")),
        };
        tenant.set_suspension(record.suspension);
        Ok(tenant)
    }
}

/// Of the plugin that a record asks for; None where that is no digest, and so nobody's.
pub(super) fn wanted_digest(record: &TenantRecord) -> Option<Digest> {
    record.plugin.as_ref().map_or(Some(Plugin::embedded_digest()), |digest| digest.parse().ok())
}

/// What a record says of its tenant, where that can be.
pub(super) fn config(record: &TenantRecord) -> Result<TenantConfig, Problem> {
    let settings: TenantSettings = decode::json(record.settings.as_bytes())
        .map_err(|error| Problem::invalid(format!("the settings of tenant {}: {error}", record.id)))?;
    settings.validate()?;
    Ok(TenantConfig { id: record.id.clone(), settings })
}

/// Settings as the registry keeps them.
pub(super) fn kept(settings: &TenantSettings) -> String {
    String::from_utf8(json(settings)).unwrap_or_default()
}
