//! A tenant as administrators see it: from the registry, and from what serves it on this host, if anything
//! does. So nobody has to wait for a plugin to suspend a tenant, to revoke its keys or to read its log.

use super::Service;
use super::problem::{Kind, Problem};
use super::quota::full;
use super::serving::wanted_digest;
use hongbao_domain::{Limit, Limits, Suspension, TenantId, TenantSettings, decode};
use hongbao_runtime::{Tenant, TenantConfig};
use hongbao_store::TenantRecord;

/// One of the two is there.
#[derive(Clone)]
pub(super) struct Ward {
    id: TenantId,
    /// What this host was told of it last; it is told of a tenant that it made itself a moment later.
    record: Option<TenantRecord>,
    served: Option<Tenant>,
}

impl Ward {
    pub(super) fn of(record: TenantRecord, served: Option<Tenant>) -> Self {
        Self { id: record.id.clone(), record: Some(record), served }
    }

    pub(super) const fn id(&self) -> &TenantId {
        &self.id
    }

    /// For what needs its plugin.
    pub(super) fn served(&self) -> Result<&Tenant, Problem> {
        self.tenant().ok_or_else(Service::not_ready)
    }

    pub(super) const fn tenant(&self) -> Option<&Tenant> {
        self.served.as_ref()
    }

    /// Whether this host does not serve it by the plugin that the registry names: that is not ready, or does not
    /// start.
    pub(super) fn waits(&self) -> bool {
        match (&self.served, &self.record) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(tenant), Some(record)) => wanted_digest(record) != Some(tenant.plugin().digest()),
        }
    }

    /// The digest of the plugin that serves it, or shall.
    pub(super) fn plugin(&self) -> Option<String> {
        let wanted = self.record.as_ref().filter(|_| self.waits()).and_then(wanted_digest);
        let digest = wanted.or_else(|| self.served.as_ref().map(|tenant| tenant.plugin().digest()));
        digest.map(|digest| digest.to_string())
    }

    pub(super) fn suspension(&self) -> Suspension {
        let of_record = || self.record.as_ref().map(|record| record.suspension);
        self.served.as_ref().map(Tenant::suspension).or_else(of_record).unwrap_or_default()
    }

    /// Those that hold here, or shall when its plugin is ready. Of a record that this version cannot read nothing is
    /// known, and nobody is kept out for that.
    pub(super) fn settings(&self) -> TenantSettings {
        let record = self.record.as_ref().filter(|_| self.waits());
        let wanted = record.map(|record| decode::json(record.settings.as_bytes()).unwrap_or_default());
        let held = || self.served.as_ref().map(|tenant| tenant.config().settings);
        wanted.or_else(held).unwrap_or_default()
    }

    pub(super) fn config(&self) -> Result<TenantConfig, Problem> {
        let settings = self.settings();
        settings.validate()?;
        Ok(TenantConfig { id: self.id.clone(), settings })
    }

    pub(super) fn limits(&self) -> Limits {
        self.settings().limits
    }

    /// A refusal, which the metrics count of a tenant that is served.
    pub(super) fn full(&self, limit: Limit, why: String) -> Problem {
        match &self.served {
            Some(tenant) => full(tenant, limit, why),
            None => Problem::new(Kind::QUOTA, why),
        }
    }
}

impl Service {
    /// A tenant of this name, whether it is served here or not.
    pub(super) fn ward(&self, id: &TenantId) -> Option<Ward> {
        let (served, record) = (self.host().tenant(id), self.roster().record(id));
        let is_one = served.is_some() || record.is_some();
        is_one.then(|| Ward { id: id.clone(), record, served })
    }

    /// All of them, in the order of their names.
    pub(super) fn wards(&self) -> Vec<Ward> {
        let mut ids = self.roster().ids();
        ids.extend(self.host().tenants().iter().map(|tenant| tenant.id().clone()));
        ids.iter().filter_map(|id| self.ward(id)).collect()
    }
}
