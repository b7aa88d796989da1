//! What a tenant and its plugin may take of what all tenants share.

use std::num::NonZeroU32;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// What the tenant and its plugin may take of what all tenants share. Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Limits {
    /// Most computing in one call; waiting for a store is no computing.
    pub cpu_ms: u64,
    /// Longest call, waiting included.
    pub call_ms: u64,
    /// Most linear memory of one instance, at most 16 MiB.
    pub memory_bytes: usize,
    /// Most elements of one table, at most 10,000.
    pub table_elements: usize,
    /// Most host calls in one call. An honest one makes some dozens.
    pub host_calls: u32,
    /// Most bytes that the plugin hands over at once: as arguments of a host call, or as an answer.
    pub host_bytes: usize,
    /// Most bytes written into the log in one call. Lines past it are left out and counted.
    pub log_bytes: usize,
    /// Calls under way at one time; further ones wait.
    pub calls_in_flight: u32,
    /// Callers waiting; past them the answer is `busy`.
    pub waiting: usize,
    /// Callers waiting for one packet; past them the answer is `busy`.
    pub waiting_per_packet: usize,
    /// Most users in one call.
    pub batch: usize,
    /// Requests a second, and as many at once after a pause; past them the answer is
    /// `rate-limited`. None for no limit.
    #[serde(deserialize_with = "rate")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<u32>, minimum = 1))]
    pub requests_per_second: Option<NonZeroU32>,
    /// Calls after which an instance is replaced by a fresh one.
    pub calls_per_instance: u32,
    /// How long an instance that has nothing to do is kept.
    pub idle_ms: u64,
    /// Streams of events that are open at once, on each host.
    pub streams: u32,
    /// Bytes of messages that its rooms keep, as each host counts them.
    pub message_bytes: u64,
    /// Packets that are open: each has a counter in the cache.
    pub open_packets: u32,
    /// How long a withdrawal may be held before it is reported as hanging. Nothing ends it but the platform.
    pub withdrawal_ms: u64,
    /// API keys that are valid.
    pub keys: u32,
    /// Plugins that are installed.
    pub plugins: u32,
    /// Bytes of all plugins that are installed.
    pub plugin_bytes: u64,
}

fn rate<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<NonZeroU32>, D::Error> {
    let rate = Option::<u32>::deserialize(reader)?.map(NonZeroU32::try_from).transpose();
    rate.map_err(|_| D::Error::custom("it must be at least 1; left out it is no limit"))
}

impl Limits {
    /// What the pool of instances is laid out for.
    pub const MAX_MEMORY_BYTES: usize = 16 << 20;
    /// What the pool of instances is laid out for.
    pub const MAX_TABLE_ELEMENTS: usize = 10_000;

    /// Whether anything can run within these; otherwise what is wrong with them, in a sentence.
    pub(super) fn validate(&self) -> Result<(), String> {
        let rules = [
            (self.cpu_ms >= 1, "cpu_ms must be at least 1"),
            (self.call_ms >= 1, "call_ms must be at least 1"),
            ((1..=Self::MAX_MEMORY_BYTES).contains(&self.memory_bytes), "memory_bytes must be 1 to 16777216"),
            (self.table_elements <= Self::MAX_TABLE_ELEMENTS, "table_elements must be at most 10000"),
            (self.host_calls >= 1, "host_calls must be at least 1"),
            (self.host_bytes >= 1, "host_bytes must be at least 1"),
            (self.calls_in_flight >= 1, "calls_in_flight must be at least 1"),
            (self.waiting >= 1, "waiting must be at least 1"),
            (self.waiting_per_packet >= 1, "waiting_per_packet must be at least 1"),
            ((1..=4096).contains(&self.batch), "batch must be 1 to 4096"),
            (self.calls_per_instance >= 1, "calls_per_instance must be at least 1"),
            (self.withdrawal_ms >= 1, "withdrawal_ms must be at least 1"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, rule)| Err(rule.into()))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu_ms: 100,
            call_ms: 5_000,
            memory_bytes: Self::MAX_MEMORY_BYTES,
            table_elements: Self::MAX_TABLE_ELEMENTS,
            host_calls: 10_000,
            host_bytes: 4 << 20,
            log_bytes: 64 << 10,
            calls_in_flight: 512,
            waiting: 16_384,
            waiting_per_packet: 8_192,
            batch: 256,
            requests_per_second: None,
            calls_per_instance: 10_000,
            idle_ms: 60_000,
            streams: 2_000,
            message_bytes: 16 << 20,
            open_packets: 100_000,
            withdrawal_ms: 86_400_000,
            keys: 100,
            plugins: 10,
            plugin_bytes: 64 << 20,
        }
    }
}

/// Which of the [`Limits`] was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// `cpu_ms`.
    Cpu,
    /// `call_ms`.
    Time,
    /// `memory_bytes`.
    Memory,
    /// `table_elements`.
    Tables,
    /// `host_calls`.
    HostCalls,
    /// `host_bytes`.
    HostBytes,
    /// `log_bytes`.
    LogBytes,
    /// `waiting` or `waiting_per_packet`.
    Queue,
    /// `requests_per_second`.
    Rate,
    /// `streams`.
    Streams,
    /// `message_bytes`.
    Messages,
    /// `open_packets`.
    OpenPackets,
    /// `keys`.
    Keys,
    /// `plugins` or `plugin_bytes`.
    Plugins,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Cpu,
        Self::Time,
        Self::Memory,
        Self::Tables,
        Self::HostCalls,
        Self::HostBytes,
        Self::LogBytes,
        Self::Queue,
        Self::Rate,
        Self::Streams,
        Self::Messages,
        Self::OpenPackets,
        Self::Keys,
        Self::Plugins,
    ];

    /// The name in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Time => "time",
            Self::Memory => "memory",
            Self::Tables => "tables",
            Self::HostCalls => "host-calls",
            Self::HostBytes => "host-bytes",
            Self::LogBytes => "log-bytes",
            Self::Queue => "queue",
            Self::Rate => "rate",
            Self::Streams => "streams",
            Self::Messages => "messages",
            Self::OpenPackets => "open-packets",
            Self::Keys => "keys",
            Self::Plugins => "plugins",
        }
    }
}
