//! Tenants and plugins in a TOML file.
//!
//! ```toml
//! [plugins]
//! hongbao = "plugins/hongbao"        # a directory with a plugin.toml, or a component
//!
//! [tenants.acme]
//! plugin = "hongbao"                 # without one, the embedded plugin
//! grants = ["counter", "ledger"]     # the embedded plugin needs none
//!
//! [tenants.acme.policy]              # unset keys use their defaults
//! currency = "JPY"
//! currency_digits = 0
//!
//! [tenants.acme.limits]
//! requests_per_second = 500
//!
//! [tenants.acme.settings]            # for its plugin, which asks for them by these keys
//! theme = "spring"
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::TenantConfig;
use hongbao_domain::decode::{self, DecodeError, Misfit};
use hongbao_domain::{Grants, Limits, Policy, TenantId, TenantSettings};

/// What a file says of tenants and their plugins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantsFile {
    /// Where plugins are, by the names that tenants call them.
    pub plugins: BTreeMap<String, PathBuf>,
    /// In the order of their names.
    pub tenants: Vec<TenantEntry>,
}

/// A tenant of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantEntry {
    /// What is said of it.
    pub config: TenantConfig,
    /// Its plugin's name in the file; None for the embedded one.
    pub plugin: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Tables {
    plugins: BTreeMap<String, PathBuf>,
    tenants: BTreeMap<String, TenantTable>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TenantTable {
    plugin: Option<String>,
    grants: Option<Grants>,
    policy: Policy,
    limits: Limits,
    settings: BTreeMap<String, String>,
}

impl TenantsFile {
    /// Reads a document in TOML, of which the keys `others` at the top are somebody else's.
    ///
    /// # Errors
    /// In which line, of which tenant, which key, and why.
    pub fn read(text: &str, others: &[&str]) -> Result<Self, DecodeError> {
        let tables: Tables = decode::toml_beside(text, others)?;
        tables.file().map_err(|misfit| DecodeError::misfit(text, &misfit))
    }
}

impl Tables {
    fn file(self) -> Result<TenantsFile, Misfit> {
        let mut tenants = Vec::with_capacity(self.tenants.len());
        for (name, table) in self.tenants {
            let plugin = table.plugin.clone();
            if let Some(unknown) = plugin.as_ref().filter(|plugin| !self.plugins.contains_key(*plugin)) {
                let why = format!("plugin: there is no {unknown:?} under plugins");
                return Err(Misfit::new(&["tenants", &name], why));
            }
            tenants.push(TenantEntry { config: table.config(&name)?, plugin });
        }
        Ok(TenantsFile { plugins: self.plugins, tenants })
    }
}

impl TenantTable {
    fn config(self, name: &str) -> Result<TenantConfig, Misfit> {
        let no_name = |error| Misfit::new(&["tenants", name], format!("the name of a tenant {error}"));
        let id = TenantId::new(name).map_err(no_name)?;
        let Self { plugin: _, grants, policy, limits, settings } = self;
        let settings = TenantSettings { grants, policy, limits, settings };
        settings.validate().map_err(|error| Misfit::new(&["tenants", name, error.table], error.why))?;
        Ok(TenantConfig { id, settings })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        TenantsFile::read(text, &[]).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_said_stays_at_its_default() {
        let file = TenantsFile::read(
            "[plugins]\nours = 'here'\n\n[tenants.acme]\nplugin = 'ours'\ngrants = ['ledger', 'log']\n\n\
             [tenants.acme.policy]\ncurrency = 'JPY'\ncurrency_digits = 0\n\n[tenants.acme.limits]\ncpu_ms = 7\n\n[tenants.acme.settings]\ntheme = 'spring'\n\n[tenants.bare]\n",
            &[],
        )
        .unwrap();
        let [acme, bare] = &file.tenants[..] else { panic!("{file:?}") };
        assert_eq!(acme.plugin.as_deref(), Some("ours"));
        assert_eq!(acme.config.settings.grants.unwrap().to_string(), "ledger, log");
        let policy = Policy { currency: "JPY".into(), currency_digits: 0, ..Policy::default() };
        assert_eq!(acme.config.settings.policy, policy);
        assert_eq!(acme.config.settings.limits, Limits { cpu_ms: 7, ..Limits::default() });
        assert_eq!(acme.config.settings.settings.get("theme").map(String::as_str), Some("spring"));
        assert_eq!(bare.config, TenantConfig::new(TenantId::new("bare").unwrap()));
        assert_eq!(bare.plugin, None);
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_place() {
        let cases = [
            (
                "[tenants.a]\nplugin = 'b'",
                "line 2, column 1: tenants.a: plugin: there is no \"b\" under plugins",
            ),
            (
                "[tenants.a]\ngrants = ['net']",
                "line 2, column 10: tenants.a.grants: \"net\" is no grant; there are",
            ),
            (
                "[tenants.a.policy]\nmax_shares = 0",
                "line 2, column 1: tenants.a.policy: max_shares must be 1 to 1000000",
            ),
            (
                "[tenants.a]\n[tenants.a.policy]\nmax_share = 9223372036854775808",
                "line 3, column 13: tenants.a.policy.max_share: 9223372036854775808 is no amount: it must be",
            ),
            (
                "[tenants.a.policy]\nmax_share = -1",
                "line 2, column 13: tenants.a.policy.max_share: invalid value",
            ),
            (
                "[tenants.a.policy]\ndefault_strategy = 'x y'",
                "line 2, column 20: tenants.a.policy.default_strategy: a strategy is a name of lower-case letters",
            ),
            (
                "[tenants.a.settings]\n'a b' = 'x'",
                "line 1, column 12: tenants.a.settings: \"a b\" is no key: one is 1 to 64 letters",
            ),
            ("[tenants.a.settings]\na = 1", "tenants.a.settings.a: invalid type: integer `1`"),
            ("[tenants.a.limits]\nbatch = 0", "line 2, column 1: tenants.a.limits: batch must be 1 to 4096"),
            (
                "[tenants.a.limits]\nkeys = -1",
                "line 2, column 8: tenants.a.limits.keys: invalid value: integer `-1`",
            ),
            (
                "[tenants.a]\nlimits = { requests_per_second = 0 }",
                "line 2, column 34: tenants.a.limits.requests_per_second: it must be at least 1; left out it is",
            ),
            ("[tenants.a.limits]\ncpu = 1", "line 2, column 1: tenants.a.limits: unknown field `cpu`"),
            ("[tenants.a]\nplugins = 'x'", "line 2, column 1: tenants.a: unknown field `plugins`"),
            ("[tenant.a]", "unknown field `tenant`"),
            ("[tenants]\na = ['ours', ['ledger']]", "tenants.a: invalid type: sequence, expected a table"),
            ("[tenants.a]\npolicy = []", "tenants.a.policy: invalid type: sequence, expected a table"),
            ("[[tenants.a.limits]]\ncpu_ms = 1", "sequence, expected a table"),
            ("plugins = []", "plugins: invalid type: sequence"),
            ("[tenants.'']", "tenants.\"\": the name of a tenant must be 1 to 256 bytes"),
            ("[tenants.'..']", "line 1, column 10: tenants.\"..\": the name of a tenant "),
        ];
        for (text, expected) in cases {
            let said = refused(text);
            assert!(said.contains(expected), "{text}: {said}");
        }
    }
}
