//! Which tenants are served, and by which plugin: the registry says, and every host follows.
//!
//! A change goes first to this host, where a plugin that does not start is refused; then into the
//! registry, if nobody else was faster; then, within a second, to all other hosts, which `following` is about.

use std::collections::HashMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Service;
use super::access::hex;
use super::following::{Needed, wanted_digest};
use super::model::settings::Settings;
use super::problem::{Kind, Problem};
use crate::decode;
use crate::domain::TenantId;
use crate::runtime::{Digest, Plugin, Tenant, TenantConfig, TenantEntry, TenantsFile};
use crate::store::{PluginRecord, TenantRecord};

impl Service {
    /// Changes a tenant, here and everywhere. While a plugin is compiled for it, others may change the tenant.
    pub(super) async fn change(
        &self,
        id: &TenantId,
        edit: impl FnOnce(&mut TenantRecord) -> Result<(), Problem>,
    ) -> Result<Tenant, Problem> {
        let place = self.roster().place(id);
        let mut applied = place.applied.lock().await;
        let found = self.registry().tenants().await?.into_iter().find(|record| record.id == *id);
        let before = found.ok_or_else(|| Problem::not_found("there is no such tenant"))?;
        let mut after = before.clone();
        edit(&mut after)?;
        let plugin = match self.needed(&after).await? {
            Needed::Serves => None,
            Needed::Ready(plugin) => Some(plugin),
            Needed::Compiling => {
                drop(applied);
                let plugin = self.compiled(&after, self.patience()).await?;
                applied = place.applied.lock().await;
                if applied.as_ref().is_some_and(|known| known.revision > before.revision) {
                    return Err(changed_meanwhile());
                }
                Some(plugin)
            }
        };
        self.put(before, after, plugin, &mut applied).await
    }

    /// A new tenant, here and everywhere.
    pub(super) async fn create(&self, record: TenantRecord) -> Result<Tenant, Problem> {
        let place = self.roster().place(&record.id);
        let mut applied = place.applied.lock().await;
        let exists = || Problem::new(Kind::TENANT_EXISTS, format!("there is a tenant {}", record.id));
        if self.host().tenant(&record.id).is_some() || self.roster().knows(&record.id) {
            return Err(exists());
        }
        let plugin = match self.needed(&record).await? {
            Needed::Serves => None,
            Needed::Ready(plugin) => Some(plugin),
            Needed::Compiling => Some(self.compiled(&record, self.patience()).await?),
        };
        let tenant = self.apply(&record, applied.as_ref(), plugin).await?;
        let written = self.registry().put_tenant(record.clone()).await;
        match written {
            Ok(Some(revision)) => {
                *applied = Some(TenantRecord { revision, ..record });
                Ok(tenant)
            }
            refused => {
                self.host().remove(&record.id);
                refused?;
                Err(exists())
            }
        }
    }

    async fn put(
        &self,
        before: TenantRecord,
        after: TenantRecord,
        plugin: Option<Plugin>,
        applied: &mut Option<TenantRecord>,
    ) -> Result<Tenant, Problem> {
        let former = self.host().tenant(&after.id).map(|tenant| tenant.plugin());
        let tenant = self.apply(&after, applied.as_ref(), plugin).await?;
        let written = self.registry().put_tenant(after.clone()).await;
        if let Ok(Some(revision)) = written {
            *applied = Some(TenantRecord { revision, ..after });
            return Ok(tenant);
        }
        // Back to what stands in the registry, as far as is known.
        if former.is_some() {
            let known = TenantRecord { is_suspended: after.is_suspended, ..before.clone() };
            self.apply(&before, Some(&known), former).await?;
            *applied = Some(before);
        } else {
            self.host().remove(&after.id);
        }
        written?;
        Err(changed_meanwhile())
    }

    /// Makes this host serve a tenant as the record says, by this plugin if it does not serve already.
    pub(super) async fn apply(
        &self,
        record: &TenantRecord,
        known: Option<&TenantRecord>,
        plugin: Option<Plugin>,
    ) -> Result<Tenant, Problem> {
        let settings: Settings = decode::json(record.settings.as_bytes())
            .map_err(|error| Problem::invalid(format!("the settings of tenant {}: {error}", record.id)))?;
        let config = settings.config(record.id.clone())?;
        let tenant = match self.host().tenant(&record.id) {
            None => self.host().add(config, plugin.ok_or_else(Self::not_ready)?).await?,
            Some(tenant) => {
                if tenant.config() != config {
                    tenant.configure(config).await?;
                }
                let serving = tenant.plugin().digest();
                match plugin {
                    Some(plugin) if plugin.digest() != serving => _ = tenant.upgrade(plugin).await?,
                    None if wanted_digest(record) != Some(serving) => return Err(Self::not_ready()),
                    _ => {}
                }
                tenant
            }
        };
        let was_suspended = known.is_some_and(|known| known.is_suspended);
        match (was_suspended, record.is_suspended) {
            (_, true) => tenant.suspend(),
            (true, false) => tenant.resume(),
            (false, false) => {}
        }
        Ok(tenant)
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
            let plugin = self.compile(id, file.plugin(entry), None).await?;
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

fn changed_meanwhile() -> Problem {
    Problem::new(Kind::CONFLICT, "somebody else changed the tenant meanwhile; look, and ask again")
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
