//! What a file says of a tenant, and why a host cannot follow it.

use super::{TenantEntry, TenantError, TenantsFile};
use crate::{PluginError, PluginSource};
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
