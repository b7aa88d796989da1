//! A tenant's settings: what its plugin is granted, its policy, its limits. The configuration file, HTTP and the registry
//! have them in this one form.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Grants, Limits, Policy};

/// What an operator says of a tenant. Unset members use their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Settings))]
pub struct TenantSettings {
    /// Interfaces of the host that its plugin may import: `counter`, `ledger`, `users`, `entropy`, `clock`, `log`,
    /// `policy`. Where it is absent, the embedded plugin is granted what it asks for, and any other plugin
    /// nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<Vec<String>>))]
    pub grants: Option<Grants>,
    /// Limits and defaults for packets.
    pub policy: Policy,
    /// What the tenant and its plugin may take of what all tenants share.
    pub limits: Limits,
    /// Settings that mean something to its plugin alone, by their keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
}

/// Settings that were understood and cannot be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    /// The member that the setting stands in: `policy`, `limits` or `settings`.
    pub table: &'static str,
    /// Why, in a sentence that names the setting.
    pub why: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.why)
    }
}

impl std::error::Error for SettingsError {}

impl TenantSettings {
    /// Whether they can be kept.
    ///
    /// # Errors
    /// Of which setting, and why.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let of = |table| move |why| SettingsError { table, why };
        self.policy.validate().map_err(of("policy"))?;
        self.limits.validate().map_err(of("limits"))?;
        validate_own(&self.settings).map_err(of("settings"))
    }
}

/// Whether settings of a tenant's own can be kept for its plugin.
fn validate_own(settings: &BTreeMap<String, String>) -> Result<(), String> {
    const MOST: usize = 64;
    const LONGEST_KEY: usize = 64;
    const LONGEST_VALUE: usize = 4096;
    if settings.len() > MOST {
        return Err(format!("there are at most {MOST} settings, not {}", settings.len()));
    }
    let is_key = |key: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (1..=LONGEST_KEY).contains(&key.len()) && key.bytes().all(allowed)
    };
    for (key, value) in settings {
        if !is_key(key) {
            let key: String = key.chars().take(LONGEST_KEY).collect();
            return Err(format!(
                "{key:?} is no key: one is 1 to {LONGEST_KEY} letters, digits, hyphens, underscores and points"
            ));
        }
        if value.len() > LONGEST_VALUE {
            return Err(format!("{key} has at most {LONGEST_VALUE} bytes, not {}", value.len()));
        }
    }
    Ok(())
}
