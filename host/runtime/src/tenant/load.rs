//! Tenants of a file, added to a host.

use super::{Tenant, TenantEntry, TenantError, TenantsFile};
use crate::{Host, Plugin, PluginError, PluginSource};
use hongbao_domain::TenantId;

/// Why a tenant of a file could not be added.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its plugin is none for this host.
    #[error("tenant {0}: {1}")]
    Plugin(TenantId, PluginError),
    /// It could not be added.
    #[error("tenant {0}: {1}")]
    Tenant(TenantId, TenantError),
}

impl LoadError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Plugin(_, error) => error.code(),
            Self::Tenant(_, error) => error.code(),
        }
    }
}

impl TenantsFile {
    /// What is said of this tenant.
    #[must_use]
    pub fn tenant(&self, id: &TenantId) -> Option<&TenantEntry> {
        self.tenants.iter().find(|entry| entry.config.id == *id)
    }

    /// Where this tenant's plugin is.
    #[must_use]
    pub fn plugin(&self, entry: &TenantEntry) -> PluginSource {
        let path = entry.plugin.as_ref().and_then(|name| self.plugins.get(name));
        path.map_or(PluginSource::Embedded, PluginSource::at)
    }
}

impl Host {
    /// Adds every tenant of a file, in the order of their names. Plugins of the same digest are compiled
    /// once.
    ///
    /// # Errors
    /// At the first that cannot be added; those before it stay.
    pub async fn add_all(&self, file: &TenantsFile) -> Result<Vec<Tenant>, LoadError> {
        let mut tenants = Vec::with_capacity(file.tenants.len());
        for entry in &file.tenants {
            let id = &entry.config.id;
            let plugin: Plugin = self
                .plugins()
                .load(file.plugin(entry))
                .await
                .map_err(|error| LoadError::Plugin(id.clone(), error))?;
            let tenant = self.add(entry.config.clone(), plugin).await;
            tenants.push(tenant.map_err(|error| LoadError::Tenant(id.clone(), error))?);
        }
        Ok(tenants)
    }
}
