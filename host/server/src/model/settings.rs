//! A tenant's settings: what its plugin is granted, its policy, its limits. Unset members use their
//! defaults. The registry keeps them in this form.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::packet::StrategyName;
use crate::output::json;
use crate::problem::Problem;
use hongbao_domain::{Amount, Grants, Limits, Policy, TenantId, UnknownGrant, check_settings};
use hongbao_runtime::TenantConfig;

/// What an operator says of a tenant.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Interfaces of the host that its plugin may import: `counter`, `ledger`, `users`, `entropy`, `clock`, `log`,
    /// `policy`. Where it is absent, the embedded plugin is granted what it asks for, and any other plugin
    /// nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grants: Option<Vec<String>>,
    pub(crate) policy: PolicySettings,
    pub(crate) limits: LimitSettings,
    /// Settings that mean something to its plugin alone, by their keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) settings: BTreeMap<String, String>,
}

/// Limits and defaults for packets. Amounts in minor units, times in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Policy)]
pub(crate) struct PolicySettings {
    /// ISO 4217 code.
    currency: String,
    /// Digits after the decimal point when amounts are written.
    #[schema(maximum = 8)]
    currency_digits: u8,
    /// Most shares of one packet.
    max_shares: u32,
    /// The most that one share can be.
    max_share: u64,
    /// Longest greeting, in characters.
    max_greeting_chars: u32,
    default_strategy: StrategyName,
    default_expires_in_ms: u64,
    /// Longest life of a packet.
    max_expires_in_ms: u64,
    /// Claims from this amount on are settled first.
    large_from: u64,
    /// Whether senders may take a share of their own packets.
    sender_may_grab: bool,
    /// Life of a seat that is not opened.
    lease_ms: u64,
}

impl Default for PolicySettings {
    fn default() -> Self {
        Policy::default().into()
    }
}

impl From<Policy> for PolicySettings {
    fn from(policy: Policy) -> Self {
        Self {
            currency: policy.currency,
            currency_digits: policy.currency_digits,
            max_shares: policy.max_shares,
            max_share: policy.max_share.get(),
            max_greeting_chars: policy.max_greeting_chars,
            default_strategy: policy.default_strategy.into(),
            default_expires_in_ms: policy.default_expires_in_ms,
            max_expires_in_ms: policy.max_expires_in_ms,
            large_from: policy.large_from.get(),
            sender_may_grab: policy.sender_may_grab,
            lease_ms: policy.lease_ms,
        }
    }
}

/// What the tenant and its plugin may take of what all tenants share.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = Limits)]
pub(crate) struct LimitSettings {
    cpu_ms: u64,
    call_ms: u64,
    memory_bytes: usize,
    table_elements: usize,
    host_calls: u32,
    host_bytes: usize,
    log_bytes: usize,
    calls_in_flight: u32,
    waiting: usize,
    waiting_per_packet: usize,
    batch: usize,
    /// None for no limit.
    #[schema(value_type = Option<u32>, minimum = 1)]
    requests_per_second: Option<NonZeroU32>,
    calls_per_instance: u32,
    idle_ms: u64,
    /// Streams of events that are open at once, on each host.
    streams: u32,
    /// Bytes of messages that its rooms keep, as each host counts them.
    message_bytes: u64,
    /// Packets that are open.
    open_packets: u32,
    /// API keys that are valid.
    keys: u32,
    /// Plugins that are installed.
    plugins: u32,
    /// Bytes of all plugins that are installed.
    plugin_bytes: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Limits::default().into()
    }
}

impl From<Limits> for LimitSettings {
    fn from(limits: Limits) -> Self {
        Self {
            cpu_ms: limits.cpu_ms,
            call_ms: limits.call_ms,
            memory_bytes: limits.memory_bytes,
            table_elements: limits.table_elements,
            host_calls: limits.host_calls,
            host_bytes: limits.host_bytes,
            log_bytes: limits.log_bytes,
            calls_in_flight: limits.calls_in_flight,
            waiting: limits.waiting,
            waiting_per_packet: limits.waiting_per_packet,
            batch: limits.batch,
            requests_per_second: limits.requests_per_second,
            calls_per_instance: limits.calls_per_instance,
            idle_ms: limits.idle_ms,
            streams: limits.streams,
            message_bytes: limits.message_bytes,
            open_packets: limits.open_packets,
            keys: limits.keys,
            plugins: limits.plugins,
            plugin_bytes: limits.plugin_bytes,
        }
    }
}

impl From<&TenantConfig> for Settings {
    fn from(config: &TenantConfig) -> Self {
        Self {
            grants: config.grants.map(names),
            policy: config.policy.clone().into(),
            limits: config.limits.into(),
            settings: (*config.settings).clone(),
        }
    }
}

/// As they stand in JSON.
pub(crate) fn names(grants: Grants) -> Vec<String> {
    grants.iter().map(|grant| grant.name().to_owned()).collect()
}

impl Settings {
    /// As the registry keeps them.
    pub(crate) fn kept(&self) -> String {
        String::from_utf8(json(self)).unwrap_or_default()
    }

    /// For a tenant of this name.
    pub(crate) fn config(self, id: TenantId) -> Result<TenantConfig, Problem> {
        let parsed =
            |names: Vec<String>| names.iter().map(|name| name.parse()).collect::<Result<Grants, _>>();
        let grants = self.grants.map(parsed).transpose();
        let grants = grants.map_err(|error: UnknownGrant| Problem::invalid(format!("grants: {error}")))?;
        let policy = self.policy.policy()?;
        let limits = self.limits.limits();
        policy.validate().map_err(|why| Problem::invalid(format!("policy: {why}")))?;
        limits.validate().map_err(|why| Problem::invalid(format!("limits: {why}")))?;
        check_settings(&self.settings).map_err(|why| Problem::invalid(format!("settings: {why}")))?;
        Ok(TenantConfig { id, grants, policy, limits, settings: Arc::new(self.settings) })
    }
}

impl PolicySettings {
    fn policy(self) -> Result<Policy, Problem> {
        let amount = |key: &str, minor| {
            Amount::new(minor).map_err(|error| Problem::invalid(format!("policy: {key}: {error}")))
        };
        Ok(Policy {
            max_share: amount("max_share", self.max_share)?,
            large_from: amount("large_from", self.large_from)?,
            currency: self.currency,
            currency_digits: self.currency_digits,
            max_shares: self.max_shares,
            max_greeting_chars: self.max_greeting_chars,
            default_strategy: self.default_strategy.into(),
            default_expires_in_ms: self.default_expires_in_ms,
            max_expires_in_ms: self.max_expires_in_ms,
            sender_may_grab: self.sender_may_grab,
            lease_ms: self.lease_ms,
        })
    }
}

impl LimitSettings {
    pub(crate) const fn limits(self) -> Limits {
        Limits {
            cpu_ms: self.cpu_ms,
            call_ms: self.call_ms,
            memory_bytes: self.memory_bytes,
            table_elements: self.table_elements,
            host_calls: self.host_calls,
            host_bytes: self.host_bytes,
            log_bytes: self.log_bytes,
            calls_in_flight: self.calls_in_flight,
            waiting: self.waiting,
            waiting_per_packet: self.waiting_per_packet,
            batch: self.batch,
            requests_per_second: self.requests_per_second,
            calls_per_instance: self.calls_per_instance,
            idle_ms: self.idle_ms,
            streams: self.streams,
            message_bytes: self.message_bytes,
            open_packets: self.open_packets,
            keys: self.keys,
            plugins: self.plugins,
            plugin_bytes: self.plugin_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_domain::decode;

    #[test]
    fn settings_come_back_as_they_were_kept() {
        let id = TenantId::new("acme").unwrap();
        let config = TenantConfig::new(id.clone())
            .grants("ledger".parse().into_iter().collect())
            .policy(Policy { currency: "JPY".into(), currency_digits: 0, ..Policy::default() })
            .limits(Limits { requests_per_second: NonZeroU32::new(5), cpu_ms: 7, ..Limits::default() });
        let settings = [("theme".to_owned(), "spring".to_owned())].into_iter().collect();
        let config = TenantConfig { settings: Arc::new(settings), ..config };
        let kept = serde_json::to_string(&Settings::from(&config)).unwrap();
        let read: Settings = decode::json(kept.as_bytes()).unwrap();
        assert_eq!(read.config(id).unwrap(), config);
    }

    #[test]
    fn what_is_not_said_stays_at_its_default() {
        let id = TenantId::new("acme").unwrap();
        let read: Settings = decode::json(br#"{"policy":{"max_shares":7}}"#).unwrap();
        let config = read.config(id.clone()).unwrap();
        let policy = Policy { max_shares: 7, ..Policy::default() };
        assert_eq!(config, TenantConfig::new(id.clone()).policy(policy));
        assert!(decode::json::<Settings>(br#"{"polic":{}}"#).is_err());
        let wrong: Settings = decode::json(br#"{"limits":{"batch":0}}"#).unwrap();
        assert!(wrong.config(id.clone()).is_err());
        for wrong in [r#"{"":"x"}"#, r#"{"a b":"x"}"#] {
            let wrong = format!("{{\"settings\":{wrong}}}");
            assert!(
                decode::json::<Settings>(wrong.as_bytes()).unwrap().config(id.clone()).is_err(),
                "{wrong}"
            );
        }
        assert!(decode::json::<Settings>(br#"{"settings":{"a":1}}"#).is_err());
    }
}
