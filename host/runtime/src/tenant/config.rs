//! What an operator says of a tenant.

use crate::{CallError, Plugin};
use hongbao_domain::{Grants, Limits, Policy, TenantId, TenantSettings};

/// The configuration of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantConfig {
    /// Its name in the stores. Plugins never see it.
    pub id: TenantId,
    /// Its grants, policy, limits and settings of its plugin. Where no grants are named, the embedded plugin, which is
    /// part of the host, is granted all that it imports, and any other plugin nothing.
    pub settings: TenantSettings,
}

impl TenantConfig {
    /// A tenant of this name with the default grants, WeChat's policy and the default limits.
    #[must_use]
    pub fn new(id: TenantId) -> Self {
        Self { id, settings: TenantSettings::default() }
    }

    /// Sets the grants, for whichever plugin serves.
    #[must_use]
    pub const fn grants(mut self, grants: Grants) -> Self {
        self.settings.grants = Some(grants);
        self
    }

    /// The grants of a plugin with these imports.
    #[must_use]
    pub fn granted(&self, plugin: &Plugin, asks: Grants) -> Grants {
        let by_default = if plugin.is_embedded() { asks } else { Grants::NONE };
        self.settings.grants.unwrap_or(by_default)
    }

    /// Sets the policy.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.settings.policy = policy;
        self
    }

    /// Sets the limits.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }
}

/// Why a tenant could not be added or changed. Nothing has changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TenantError {
    /// There is a tenant of this name.
    #[error("there is a tenant {0} already")]
    Exists(TenantId),
    /// The policy or the limits cannot be kept.
    #[error("{0}")]
    Invalid(String),
    /// The plugin cannot be made to say what it is.
    #[error("the plugin does not say what it is: {0}")]
    NoManifest(CallError),
    /// It asks for what the tenant does not grant.
    #[error("the plugin asks for {0}, which the tenant does not grant; list it in the tenant's grants")]
    NotGranted(Grants),
    /// It is of another name or version than its `plugin.toml` says.
    #[error("the plugin is not what its plugin.toml says: {0}")]
    OtherManifest(String),
    /// There was no other plugin before.
    #[error("there is no former plugin to go back to")]
    NoFormer,
    /// It was compiled by another engine than the host's.
    #[error("the plugin was compiled by another engine than the host's")]
    OtherEngine,
}

impl TenantError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Exists(_) => "tenant-exists",
            Self::Invalid(_) => "invalid-argument",
            Self::NoManifest(_) => "no-manifest",
            Self::NotGranted(_) => "not-granted",
            Self::OtherManifest(_) => "other-manifest",
            Self::NoFormer => "no-former-plugin",
            Self::OtherEngine => "other-engine",
        }
    }
}
