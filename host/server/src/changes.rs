//! Changes of tenants: which there are, and by which plugin each is served.
//!
//! A change is tried out on this host first, where a plugin that does not start is refused, and nothing of it
//! takes effect. Then it goes into the registry, if nobody else was faster; then it takes effect here, and within
//! a second on all other hosts, which `following` is about. One whose answer was lost is followed as any other, if
//! it was written.

use std::collections::HashMap;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Service;
use super::access::may_change;
use super::api_key::hex;
use super::problem::{Kind, Problem};
use super::roster::{Held, Place};
use super::serving::{Needed, config, kept, no_plugin, wanted_digest};
use super::ward::Ward;
use hongbao_domain::{TenantId, TenantSettings};
use hongbao_runtime::{Digest, Plugin, Prepared, TenantConfig, TenantEntry, TenantsFile};
use hongbao_store::{Installed, PluginQuota, PluginRecord, TenantRecord};

fn overtaken() -> Problem {
    Problem::new(Kind::CONFLICT, "somebody else changed the tenant meanwhile; look, and ask again")
}

impl Service {
    /// Changes a tenant, here and everywhere. While a plugin is compiled for it, others may change the tenant.
    pub(super) async fn change(
        &self,
        id: &TenantId,
        edit: impl FnOnce(&mut TenantRecord) -> Result<(), Problem>,
    ) -> Result<Ward, Problem> {
        let place = self.roster().place(id);
        let mut applied = place.applied.lock().await;
        let before = self.record(id).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        if self.needs_no_plugin(&before, &after)? {
            let revision = self.registry().put_tenant(after.clone()).await?.ok_or_else(overtaken)?;
            let (after, tenant) = (TenantRecord { revision, ..after }, self.host().tenant(id));
            tenant.iter().for_each(|tenant| tenant.set_suspension(after.suspension));
            self.raise(&mut applied, &before, after.clone());
            return Ok(Ward::of(after, tenant));
        }
        let ready;
        (applied, ready) = self.try_on(&place, applied, &after).await?;
        let revision = self.registry().put_tenant(after.clone()).await?.ok_or_else(overtaken)?;
        let after = TenantRecord { revision, ..after };
        let tenant = self.take_over(&after, ready)?;
        self.roster().told(&after);
        *applied = Some(after.clone());
        Ok(Ward::of(after, Some(tenant)))
    }

    /// Whether a change is written down without asking the plugin. A suspension waits for none, not even for one
    /// that does not start here. Nor do settings wait for one that does not serve here: what can be wrong with
    /// them by themselves is refused, and whether the plugin can do with them is seen when it is ready.
    fn needs_no_plugin(&self, before: &TenantRecord, after: &TenantRecord) -> Result<bool, Problem> {
        if after.plugin != before.plugin {
            return Ok(false);
        }
        if after.settings == before.settings {
            return Ok(true);
        }
        let serving = self.host().tenant(&after.id).map(|tenant| tenant.plugin().digest());
        if serving.is_some() && serving == wanted_digest(after) {
            return Ok(false);
        }
        config(after).map(|_| true)
    }

    /// A new tenant, here and everywhere.
    pub(super) async fn create(&self, record: TenantRecord) -> Result<Ward, Problem> {
        let place = self.roster().place(&record.id);
        let mut applied = place.applied.lock().await;
        let exists = || Problem::new(Kind::TENANT_EXISTS, format!("there is a tenant {}", record.id));
        if self.host().tenant(&record.id).is_some() || self.roster().knows(&record.id) {
            return Err(exists());
        }
        let ready;
        (applied, ready) = self.try_on(&place, applied, &record).await?;
        let written = self.registry().put_tenant(record.clone()).await?;
        let record = TenantRecord { revision: written.ok_or_else(exists)?, ..record };
        let tenant = self.take_over(&record, ready)?;
        self.roster().told(&record);
        *applied = Some(record.clone());
        Ok(Ward::of(record, Some(tenant)))
    }

    /// Removes a plugin of a tenant that does not serve it. If it did before, there is none to go back to.
    pub(super) async fn remove_plugin(&self, id: &TenantId, digest: &str) -> Result<PluginRecord, Problem> {
        let place = self.roster().place(id);
        let mut applied = place.applied.lock().await;
        let before = self.record(id).await?;
        let installed = self.registry().plugins(id).await?.into_iter();
        let plugin = installed.into_iter().find(|plugin| plugin.digest == digest).ok_or_else(no_plugin)?;
        if before.plugin.as_deref() == Some(digest) {
            return Err(Problem::new(
                Kind::PLUGIN_IN_USE,
                "it serves the tenant; let another one serve first",
            ));
        }
        let revision = self.registry().remove_plugin(id, digest, before.revision).await?;
        let revision = revision.ok_or_else(overtaken)?;
        let mut after = TenantRecord { revision, ..before.clone() };
        after.former.take_if(|former| former.as_deref() == Some(digest));
        self.raise(&mut applied, &before, after);
        Ok(plugin)
    }

    async fn record(&self, id: &TenantId) -> Result<TenantRecord, Problem> {
        let found = self.registry().tenants().await?.into_iter().find(|record| record.id == *id);
        found.ok_or_else(|| Problem::not_found("there is no such tenant"))
    }

    /// A change that needs nothing else was applied with it. Where this host had not come so far as the record
    /// before, it still follows.
    fn raise(&self, applied: &mut Option<TenantRecord>, before: &TenantRecord, after: TenantRecord) {
        match applied {
            Some(known) if known.revision == before.revision => {
                self.roster().told(&after);
                *known = after;
            }
            _ => self.see_to(after),
        }
    }

    /// What would make this host serve a tenant as the record says. Its place is left while a plugin is compiled:
    /// who was faster then is found out by the registry.
    async fn try_on<'p>(
        &self,
        place: &'p Place,
        applied: Held<'p>,
        record: &TenantRecord,
    ) -> Result<(Held<'p>, Option<Prepared>), Problem> {
        let (applied, plugin) = match self.needed(record).await? {
            Needed::Serves => (applied, None),
            Needed::Ready(plugin) => (applied, Some(*plugin)),
            Needed::Compiling => {
                drop(applied);
                let plugin = self.compiled(record, self.patience()).await?;
                (place.applied.lock().await, Some(plugin))
            }
        };
        let ready = self.prepare(record, plugin).await?;
        Ok((applied, ready))
    }

    /// Keeps a plugin for a tenant of such settings, once it has said what it is. None where that is more than
    /// the quota, and a refusal where the operator suspended the tenant while it was compiled.
    pub(super) async fn install(
        &self,
        config: TenantConfig,
        plugin: &Plugin,
        code: Vec<u8>,
        quota: PluginQuota,
        by_operator: bool,
    ) -> Result<Option<PluginRecord>, Problem> {
        let tenant = config.id.clone();
        let manifest = self.host().try_out(config, plugin.clone()).await?;
        let record = PluginRecord {
            digest: plugin.digest().to_string(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            bytes: plugin.size(),
            installed_at_ms: self.host().now_ms(),
        };
        let place = self.roster().place(&tenant);
        // Whoever suspends it here does that before this look, or after what is written below.
        let _held = place.applied.lock().await;
        if !by_operator {
            may_change(self.record(&tenant).await?.suspension, by_operator)?;
        }
        let installed = self.registry().put_plugin(&tenant, record.clone(), code, quota).await?;
        Ok((installed != Installed::Full).then_some(record))
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
        let TenantConfig { id, settings } = &entry.config;
        let code = match entry.plugin {
            Some(_) => Some(file.plugin(entry).read()?.bytes.into_owned()),
            None => None,
        };
        let digest = code.as_deref().map(|code| Digest::of(code).to_string());
        let declared = Some(said(settings, digest.as_deref()));
        if known == Some(&declared) {
            return Ok(());
        }
        if let Some(code) = code {
            let plugin = self.compile(id, file.plugin(entry), None).await?;
            // Whoever writes the file is the operator.
            self.install(entry.config.clone(), &plugin, code, PluginQuota::NONE, true).await?;
        }
        if known.is_none() {
            let record = TenantRecord::new(id.clone(), kept(settings), self.host().now_ms());
            self.create(TenantRecord { plugin: digest, declared, ..record }).await?;
            return Ok(());
        }
        let edit = |record: &mut TenantRecord| {
            record.serve_by(digest);
            (record.settings, record.declared) = (kept(settings), declared);
            Ok(())
        };
        self.change(id, edit).await.map(|_| ())
    }
}

/// A digest of what a file says of a tenant. Defaults are left out: another version of the program may
/// have others, and the file is the same.
fn said(settings: &TenantSettings, plugin: Option<&str>) -> String {
    let mut said = json!(settings);
    leave_out(&mut said, &json!(TenantSettings::default()));
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
