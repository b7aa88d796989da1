//! Which tenants are served, and by which plugin: the registry says, and every host follows.
//!
//! A change goes first to this host, where a plugin that does not start is refused; then into the
//! registry, if nobody else was faster; then, within a second, to all other hosts.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, to_string};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use super::Service;
use super::access::hex;
use super::model::settings::Settings;
use super::problem::{Kind, Problem};
use crate::domain::TenantId;
use crate::runtime::{Plugin, PluginSource, Tenant, TenantConfig, TenantEntry, TenantsFile};
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
        let settings: Settings = serde_json::from_str(&record.settings)
            .map_err(|error| Problem::invalid(format!("the settings of tenant {}: {error}", record.id)))?;
        let config = settings.config(record.id.clone())?;
        let tenant = match self.host().tenant(&record.id) {
            None => self.host().add(config, self.plugin(&record.id, record.plugin.as_deref()).await?).await?,
            Some(tenant) => {
                if tenant.config() != config {
                    tenant.configure(config).await?;
                }
                let plugin = self.plugin(&record.id, record.plugin.as_deref()).await?;
                if plugin.digest() != tenant.plugin().digest() {
                    tenant.upgrade(plugin).await?;
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

    /// Does what a configuration file says of its tenants, where it says something else than the last
    /// time. So what was changed since then by a call stays, until the file itself is changed.
    pub(super) async fn declare(&self, file: &TenantsFile) -> Result<(), Problem> {
        for entry in &file.tenants {
            self.declare_one(file, entry).await?;
        }
        Ok(())
    }

    async fn declare_one(&self, file: &TenantsFile, entry: &TenantEntry) -> Result<(), Problem> {
        let id = &entry.config.id;
        let internal = |error: serde_json::Error| Problem::invalid(error.to_string());
        let settings = to_string(&Settings::from(&entry.config)).map_err(internal)?;
        let read = file.plugin(entry).read()?;
        let plugin = self.host().plugins().load(PluginSource::Bytes(read.bytes.to_vec())).await?;
        let digest = entry.plugin.as_ref().map(|_| plugin.digest().to_string());
        let mut hash = Sha256::new();
        // Without defaults: another version of the program may have others, and the file is the same.
        let by_default = Settings::from(&TenantConfig::new(id.clone()));
        let by_default = serde_json::to_value(by_default).map_err(internal)?;
        let mut said = serde_json::to_value(Settings::from(&entry.config)).map_err(internal)?;
        leave_out(&mut said, &by_default);
        hash.update(said.to_string());
        hash.update(digest.as_deref().unwrap_or_default());
        let declared = Some(hex(&hash.finalize()));
        let records = self.registry().tenants().await?;
        let known = records.into_iter().find(|record| record.id == *id);
        if known.as_ref().is_some_and(|known| known.declared == declared) {
            return Ok(());
        }
        if let Some(digest) = &digest {
            let now_ms = self.host().now_ms();
            // What it calls itself stands in its plugin.toml, if it has one; asked it is when it serves.
            let (name, version) = read.manifest.map_or_else(Default::default, |said| (said.id, said.version));
            let bytes = plugin.size();
            let record =
                PluginRecord { digest: digest.clone(), name, version, bytes, installed_at_ms: now_ms };
            self.registry().put_plugin(id, record, read.bytes.into_owned()).await?;
        }
        let written = match known {
            None => {
                let created_at_ms = self.host().now_ms();
                let record = TenantRecord {
                    id: id.clone(),
                    revision: 0,
                    settings,
                    plugin: digest,
                    former: None,
                    is_suspended: false,
                    declared,
                    created_at_ms,
                };
                self.create(record).await
            }
            Some(_) => {
                self.change(id, |record| {
                    if record.plugin != digest {
                        record.former = Some(std::mem::replace(&mut record.plugin, digest));
                    }
                    (record.settings, record.declared) = (settings, declared);
                    Ok(())
                })
                .await
            }
        };
        match written {
            // Another host with the same file was faster.
            Err(problem) if [Kind::TENANT_EXISTS, Kind::CONFLICT].contains(&problem.kind()) => Ok(()),
            written => written.map(|_| ()),
        }
    }
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
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_as_by_default_is_left_out() {
        let mut said = json!({"a": 1, "b": {"c": 2, "d": 3}, "e": [1]});
        leave_out(&mut said, &json!({"a": 1, "b": {"c": 2, "d": 4}, "e": []}));
        assert_eq!(said, json!({"b": {"d": 3}, "e": [1]}));
    }
}
