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
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::TenantConfig;
use hongbao_domain::decode::{self, DecodeError, Misfit};
use hongbao_domain::{Amount, Grants, Limits, Policy, Strategy, TenantId, check_settings};

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
    grants: Option<Vec<String>>,
    policy: PolicyTable,
    limits: LimitsTable,
    settings: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyTable {
    currency: Option<String>,
    currency_digits: Option<u8>,
    max_shares: Option<u32>,
    max_share: Option<u64>,
    max_greeting_chars: Option<u32>,
    default_strategy: Option<String>,
    default_expires_in_ms: Option<u64>,
    max_expires_in_ms: Option<u64>,
    large_from: Option<u64>,
    sender_may_grab: Option<bool>,
    lease_ms: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LimitsTable {
    cpu_ms: Option<u64>,
    call_ms: Option<u64>,
    memory_bytes: Option<usize>,
    table_elements: Option<usize>,
    host_calls: Option<u32>,
    host_bytes: Option<usize>,
    log_bytes: Option<usize>,
    calls_in_flight: Option<u32>,
    waiting: Option<usize>,
    waiting_per_packet: Option<usize>,
    batch: Option<usize>,
    requests_per_second: Option<u32>,
    calls_per_instance: Option<u32>,
    idle_ms: Option<u64>,
    streams: Option<u32>,
    message_bytes: Option<u64>,
    open_packets: Option<u32>,
    keys: Option<u32>,
    plugins: Option<u32>,
    plugin_bytes: Option<u64>,
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
        let of_tenant = |why: String| Misfit::new(&["tenants", name], why);
        let of_policy = |why: String| Misfit::new(&["tenants", name, "policy"], why);
        let of_limits = |why: String| Misfit::new(&["tenants", name, "limits"], why);
        let id = TenantId::new(name).map_err(|error| of_tenant(format!("the name of a tenant {error}")))?;
        let grants =
            self.grants.map(|names| names.iter().map(|name| name.parse()).collect::<Result<Grants, _>>());
        let grants = grants.transpose().map_err(|error| of_tenant(format!("grants: {error}")))?;
        let policy = self.policy.policy().map_err(of_policy)?;
        let limits = self.limits.limits().map_err(of_limits)?;
        policy.validate().map_err(of_policy)?;
        limits.validate().map_err(of_limits)?;
        check_settings(&self.settings).map_err(|why| Misfit::new(&["tenants", name, "settings"], why))?;
        Ok(TenantConfig { id, grants, policy, limits, settings: Arc::new(self.settings) })
    }
}

impl PolicyTable {
    fn policy(self) -> Result<Policy, String> {
        let by_default = Policy::default();
        let amount = |key: &str, said: Option<u64>, or: Amount| {
            said.map_or(Ok(or), |minor| Amount::new(minor).map_err(|error| format!("{key}: {error}")))
        };
        let strategy =
            |name: String| Strategy::new(name).map_err(|error| format!("default_strategy: {error}"));
        Ok(Policy {
            max_share: amount("max_share", self.max_share, by_default.max_share)?,
            large_from: amount("large_from", self.large_from, by_default.large_from)?,
            default_strategy: self.default_strategy.map_or(Ok(by_default.default_strategy), strategy)?,
            currency: self.currency.unwrap_or(by_default.currency),
            currency_digits: self.currency_digits.unwrap_or(by_default.currency_digits),
            max_shares: self.max_shares.unwrap_or(by_default.max_shares),
            max_greeting_chars: self.max_greeting_chars.unwrap_or(by_default.max_greeting_chars),
            default_expires_in_ms: self.default_expires_in_ms.unwrap_or(by_default.default_expires_in_ms),
            max_expires_in_ms: self.max_expires_in_ms.unwrap_or(by_default.max_expires_in_ms),
            sender_may_grab: self.sender_may_grab.unwrap_or(by_default.sender_may_grab),
            lease_ms: self.lease_ms.unwrap_or(by_default.lease_ms),
        })
    }
}

impl LimitsTable {
    fn limits(self) -> Result<Limits, String> {
        let by_default = Limits::default();
        let rate = |rate: u32| {
            let why = "requests_per_second must be at least 1; left out it is no limit";
            NonZeroU32::new(rate).ok_or_else(|| why.to_owned())
        };
        let requests_per_second = self.requests_per_second.map(rate).transpose()?;
        Ok(Limits {
            cpu_ms: self.cpu_ms.unwrap_or(by_default.cpu_ms),
            call_ms: self.call_ms.unwrap_or(by_default.call_ms),
            memory_bytes: self.memory_bytes.unwrap_or(by_default.memory_bytes),
            table_elements: self.table_elements.unwrap_or(by_default.table_elements),
            host_calls: self.host_calls.unwrap_or(by_default.host_calls),
            host_bytes: self.host_bytes.unwrap_or(by_default.host_bytes),
            log_bytes: self.log_bytes.unwrap_or(by_default.log_bytes),
            calls_in_flight: self.calls_in_flight.unwrap_or(by_default.calls_in_flight),
            waiting: self.waiting.unwrap_or(by_default.waiting),
            waiting_per_packet: self.waiting_per_packet.unwrap_or(by_default.waiting_per_packet),
            batch: self.batch.unwrap_or(by_default.batch),
            requests_per_second: requests_per_second.or(by_default.requests_per_second),
            calls_per_instance: self.calls_per_instance.unwrap_or(by_default.calls_per_instance),
            idle_ms: self.idle_ms.unwrap_or(by_default.idle_ms),
            streams: self.streams.unwrap_or(by_default.streams),
            message_bytes: self.message_bytes.unwrap_or(by_default.message_bytes),
            open_packets: self.open_packets.unwrap_or(by_default.open_packets),
            keys: self.keys.unwrap_or(by_default.keys),
            plugins: self.plugins.unwrap_or(by_default.plugins),
            plugin_bytes: self.plugin_bytes.unwrap_or(by_default.plugin_bytes),
        })
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
        assert_eq!(acme.config.grants.unwrap().to_string(), "ledger, log");
        let policy = Policy { currency: "JPY".into(), currency_digits: 0, ..Policy::default() };
        assert_eq!(acme.config.policy, policy);
        assert_eq!(acme.config.limits, Limits { cpu_ms: 7, ..Limits::default() });
        assert_eq!(acme.config.settings.get("theme").map(String::as_str), Some("spring"));
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
            ("[tenants.a]\ngrants = ['net']", "line 2, column 1: tenants.a: grants: \"net\" is no grant"),
            (
                "[tenants.a.policy]\nmax_shares = 0",
                "line 2, column 1: tenants.a.policy: max_shares must be 1 to 1000000",
            ),
            (
                "[tenants.a]\n[tenants.a.policy]\nmax_share = 9223372036854775808",
                "line 3, column 1: tenants.a.policy: max_share: ",
            ),
            (
                "[tenants.a.policy]\nmax_share = -1",
                "line 2, column 13: tenants.a.policy.max_share: invalid value",
            ),
            (
                "[tenants.a.policy]\ndefault_strategy = 'x y'",
                "line 2, column 1: tenants.a.policy: default_strategy: a strategy is a name of lower-case letters",
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
                "line 2, column 12: tenants.a.limits: requests_per_second must be at least 1",
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
