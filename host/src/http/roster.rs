//! Which tenants are served, and by which plugin: the registry says, and every host follows.
//!
//! A change goes first to this host, where a plugin that does not start is refused; then into the
//! registry, if nobody else was faster; then, within a second, to all other hosts.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::Service;
use super::api_key::hex;
use super::model::settings::Settings;
use super::problem::{Kind, Problem};
use crate::decode;
use crate::domain::TenantId;
use crate::runtime::{Digest, Plugin, PluginSource, Tenant, TenantConfig, TenantEntry, TenantsFile};
use crate::store::{PluginRecord, StoreError, TenantRecord};

/// How often a host looks whether another one changed something.
pub(super) const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// What this host has made of the registry.
#[derive(Default)]
pub(super) struct Roster {
    /// One change at a time.
    applied: Mutex<Applied>,
}

#[derive(Default)]
struct Applied {
    revision: u64,
    tenants: HashMap<TenantId, TenantRecord>,
}

impl Service {
    /// Does what the registry says, if that changed.
    pub(super) async fn follow(&self) -> Result<(), StoreError> {
        let mut applied = self.roster().applied.lock().await;
        let revision = self.registry().revision().await?;
        if revision == applied.revision {
            return Ok(());
        }
        let mut is_done = true;
        for record in self.registry().tenants().await? {
            if applied.tenants.get(&record.id).is_some_and(|known| known.revision == record.revision) {
                continue;
            }
            match self.apply(&record, &applied).await {
                Ok(_) => {
                    applied.tenants.insert(record.id.clone(), record);
                }
                Err(problem) => {
                    is_done = false;
                    tracing::error!(tenant = %record.id, "a change of a tenant waits: {problem:?}");
                }
            }
        }
        if is_done {
            applied.revision = revision;
        }
        Ok(())
    }

    /// Changes a tenant, here and everywhere.
    pub(super) async fn change(
        &self,
        id: &TenantId,
        edit: impl FnOnce(&mut TenantRecord) -> Result<(), Problem>,
    ) -> Result<Tenant, Problem> {
        let mut applied = self.roster().applied.lock().await;
        let found = self.registry().tenants().await?.into_iter().find(|record| record.id == *id);
        let before = found.ok_or_else(|| Problem::not_found("there is no such tenant"))?;
        let mut after = before.clone();
        edit(&mut after)?;
        self.put(before, after, &mut applied).await
    }

    /// A new tenant, here and everywhere.
    pub(super) async fn create(&self, record: TenantRecord) -> Result<Tenant, Problem> {
        let mut applied = self.roster().applied.lock().await;
        if self.host().tenant(&record.id).is_some() {
            return Err(Problem::new(Kind::TENANT_EXISTS, format!("there is a tenant {}", record.id)));
        }
        let tenant = self.apply(&record, &applied).await?;
        let written = self.registry().put_tenant(record.clone()).await;
        match written {
            Ok(Some(revision)) => {
                applied.tenants.insert(record.id.clone(), TenantRecord { revision, ..record });
                Ok(tenant)
            }
            refused => {
                self.host().remove(&record.id);
                refused?;
                Err(Problem::new(Kind::TENANT_EXISTS, format!("there is a tenant {}", record.id)))
            }
        }
    }

    async fn put(
        &self,
        before: TenantRecord,
        after: TenantRecord,
        applied: &mut Applied,
    ) -> Result<Tenant, Problem> {
        let tenant = self.apply(&after, applied).await?;
        let written = self.registry().put_tenant(after.clone()).await;
        if let Ok(Some(revision)) = written {
            applied.tenants.insert(after.id.clone(), TenantRecord { revision, ..after });
            return Ok(tenant);
        }
        // Back to what stands in the registry, as far as is known.
        let known = TenantRecord { is_suspended: after.is_suspended, ..before.clone() };
        applied.tenants.insert(after.id, known);
        self.apply(&before, applied).await?;
        applied.tenants.insert(before.id.clone(), before);
        written?;
        Err(Problem::new(Kind::CONFLICT, "somebody else changed the tenant meanwhile; look, and ask again"))
    }

    /// Makes this host serve a tenant as the record says.
    async fn apply(&self, record: &TenantRecord, applied: &Applied) -> Result<Tenant, Problem> {
        let settings: Settings = decode::json(record.settings.as_bytes())
            .map_err(|error| Problem::invalid(format!("the settings of tenant {}: {error}", record.id)))?;
        let config = settings.config(record.id.clone())?;
        let tenant = match self.host().tenant(&record.id) {
            None => self.host().add(config, self.plugin(&record.id, record.plugin.as_deref()).await?).await?,
            Some(tenant) => {
                if tenant.config() != config {
                    tenant.configure(config).await?;
                }
                // Its code is read only where another one shall serve: a suspension must not wait for it.
                let serving = tenant.plugin().digest();
                if record.plugin != Some(serving.to_string()) {
                    let plugin = self.plugin(&record.id, record.plugin.as_deref()).await?;
                    if plugin.digest() != serving {
                        tenant.upgrade(plugin).await?;
                    }
                }
                tenant
            }
        };
        let was_suspended = applied.tenants.get(&record.id).is_some_and(|known| known.is_suspended);
        match (was_suspended, record.is_suspended) {
            (_, true) => tenant.suspend(),
            (true, false) => tenant.resume(),
            (false, false) => {}
        }
        Ok(tenant)
    }

    /// A tenant's plugin of this digest; None is the embedded one.
    pub(super) async fn plugin(&self, tenant: &TenantId, digest: Option<&str>) -> Result<Plugin, Problem> {
        let source = match digest {
            None => PluginSource::Embedded,
            Some(digest) => {
                let code = self.registry().plugin_code(tenant, digest).await?;
                PluginSource::Bytes(code.ok_or_else(|| Problem::not_found("there is no such plugin"))?)
            }
        };
        Ok(self.host().plugins().load(source).await?)
    }

    /// Keeps a plugin for a tenant of such settings, once it has said what it is.
    pub(super) async fn install(
        &self,
        config: TenantConfig,
        plugin: &Plugin,
        code: Vec<u8>,
    ) -> Result<PluginRecord, Problem> {
        let tenant = config.id.clone();
        let manifest = self.host().try_out(config, plugin.clone()).await?;
        let record = PluginRecord {
            digest: plugin.digest().to_string(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            bytes: plugin.size(),
            installed_at_ms: self.host().now_ms(),
        };
        self.registry().put_plugin(&tenant, record.clone(), code).await?;
        Ok(record)
    }

    /// Does what a configuration file says of its tenants, where it says something else than the last
    /// time. So what was changed since then by a call stays, until the file itself is changed.
    pub(super) async fn declare(&self, file: &TenantsFile) -> Result<(), Problem> {
        let records = self.registry().tenants().await?.into_iter();
        let known: HashMap<_, _> = records.map(|record| (record.id, record.declared)).collect();
        for entry in &file.tenants {
            let written = self.declare_one(file, entry, known.get(&entry.config.id)).await;
            match written {
                // Another host with the same file was faster.
                Err(problem) if [Kind::TENANT_EXISTS, Kind::CONFLICT].contains(&problem.kind()) => {}
                written => written?,
            }
        }
        Ok(())
    }

    /// `known` is what a file last said of the tenant, if there is one.
    async fn declare_one(
        &self,
        file: &TenantsFile,
        entry: &TenantEntry,
        known: Option<&Option<String>>,
    ) -> Result<(), Problem> {
        let (id, settings) = (&entry.config.id, Settings::from(&entry.config));
        let code = match entry.plugin {
            Some(_) => Some(file.plugin(entry).read()?.bytes.into_owned()),
            None => None,
        };
        let digest = code.as_deref().map(|code| Digest::of(code).to_string());
        let declared = Some(said(&settings, digest.as_deref()));
        if known == Some(&declared) {
            return Ok(());
        }
        if let Some(code) = code {
            let plugin = self.host().plugins().load(file.plugin(entry)).await?;
            self.install(entry.config.clone(), &plugin, code).await?;
        }
        if known.is_none() {
            let record = TenantRecord::new(id.clone(), settings.kept(), self.host().now_ms());
            self.create(TenantRecord { plugin: digest, declared, ..record }).await?;
            return Ok(());
        }
        let edit = |record: &mut TenantRecord| {
            record.serve_by(digest);
            (record.settings, record.declared) = (settings.kept(), declared);
            Ok(())
        };
        self.change(id, edit).await.map(|_| ())
    }
}

/// A digest of what a file says of a tenant. Defaults are left out: another version of the program may
/// have others, and the file is the same.
fn said(settings: &Settings, plugin: Option<&str>) -> String {
    let none = TenantConfig::new(TenantId::default());
    let mut said = json!(settings);
    leave_out(&mut said, &json!(Settings::from(&none)));
    let mut hash = Sha256::new();
    hash.update(said.to_string());
    hash.update(plugin.unwrap_or_default());
    hex(&hash.finalize())
}

/// Leaves out of an object what is the same in another.
fn leave_out(said: &mut Value, by_default: &Value) {
    let (Value::Object(said), Value::Object(by_default)) = (said, by_default) else { return };
    said.retain(|key, value| by_default.get(key) != Some(value));
    for (key, value) in said {
        if let Some(by_default) = by_default.get(key) {
            leave_out(value, by_default);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_by_default_is_left_out() {
        let mut said = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [1]});
        leave_out(&mut said, &json!({"a": 1, "b": {"c": 2, "d": 4}, "e": []}));
        assert_eq!(said, json!({"b": {"d": 3}, "e": [1]}));
    }
}
