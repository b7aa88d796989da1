//! The table `[serve]` of the configuration file. `docs/configuration.md` says what each key is for.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::args::{ServeArgs, address};
use crate::exit::InputError;
use crate::setting::Setting;
use hongbao_domain::Limits;
use hongbao_domain::decode::Misfit;
use hongbao_runtime::{CompileLimits, TenantsFile};
use hongbao_server::{
    ConnectionLimits, DemoSettings, RateSettings, ServiceSettings, TlsFiles, WebhookSettings,
};

const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// What a compiler takes for the smallest plugin, and some room.
const LEAST_COMPILE_MEMORY: u64 = 64 << 20;

/// What a file says of `hongbao serve`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServeTable {
    #[serde(deserialize_with = "listen")]
    listen: Option<SocketAddr>,
    tls_certificate: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    code_cache: Option<PathBuf>,
    notice_seconds: Option<u16>,
    request_seconds: Option<u16>,
    body_bytes: Option<u32>,
    connections: Option<u32>,
    connections_per_address: Option<u32>,
    connections_per_tenant: Option<u32>,
    streams: Option<u32>,
    compile_at_once: Option<u16>,
    compile_seconds: Option<u16>,
    compile_memory_bytes: Option<u64>,
    compile_code_bytes: Option<u32>,
    user_requests_per_second: Option<u32>,
    key_requests_per_second: Option<u32>,
    admin_requests_per_second: Option<u32>,
    metrics: Option<bool>,
    demo_names: Vec<String>,
    demo_sessions: Option<u32>,
    demo_sessions_per_address: Option<u32>,
    webhooks: WebhooksTable,
}

/// What a file says of webhooks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WebhooksTable {
    allow_private_addresses: Option<bool>,
    allow_http: Option<bool>,
}

impl ServeTable {
    /// Paths begin where the file is.
    pub(crate) fn paths_from(&mut self, folder: &Path) {
        let paths = [&mut self.tls_certificate, &mut self.tls_key, &mut self.code_cache];
        paths.into_iter().flatten().for_each(|path| *path = folder.join(&*path));
    }

    /// Whether it can be kept; otherwise what is wrong with it.
    pub(crate) fn validate(&self, tenants: &TenantsFile) -> Result<(), Misfit> {
        let rules = [
            (
                self.tls_certificate.is_some() == self.tls_key.is_some(),
                "tls_certificate and tls_key stand together",
            ),
            (self.request_seconds != Some(0), "request_seconds must be at least 1"),
            (self.body_bytes.is_none_or(|bytes| bytes >= 1024), "body_bytes must be at least 1024"),
            (self.compile_at_once != Some(0), "compile_at_once must be at least 1"),
            (self.compile_seconds != Some(0), "compile_seconds must be at least 1"),
            (
                self.compile_limits().time < self.settings().request_time,
                "compile_seconds must be shorter than request_seconds",
            ),
            (
                self.compile_memory_bytes.is_none_or(|bytes| bytes >= LEAST_COMPILE_MEMORY),
                "compile_memory_bytes must be at least 67108864",
            ),
            (
                self.compile_code_bytes.is_none_or(|bytes| bytes >= 1024),
                "compile_code_bytes must be at least 1024",
            ),
            (
                self.demo_names.iter().all(|name| is_host_name(name)),
                "demo_names are names of hosts, without a port",
            ),
            (self.connections != Some(0), "connections must be at least 1"),
            (self.connections_per_address != Some(0), "connections_per_address must be at least 1"),
            (self.connections_per_tenant != Some(0), "connections_per_tenant must be at least 1"),
        ];
        let broken = rules.into_iter().find(|(holds, _)| !holds);
        broken.map_or(Ok(()), |(_, rule)| Err(Misfit::new(&["serve"], rule)))?;
        self.outlasts_calls(tenants)
    }

    /// A request must outlast the calls of a plugin that it waits for, which are two where somebody grabs
    /// and opens at once: else it ends while the call goes on, and nobody hears what came of it.
    fn outlasts_calls(&self, tenants: &TenantsFile) -> Result<(), Misfit> {
        let tenants = tenants.tenants.iter().map(|entry| &entry.config);
        let calls = tenants.map(|config| (config.settings.limits.call_ms, Some(config.id.as_str())));
        let (call_ms, whose) = calls.max().unwrap_or((Limits::default().call_ms, None));
        let request_time = self.settings().request_time;
        if request_time.as_millis() > 2 * u128::from(call_ms) {
            return Ok(());
        }
        let seconds = request_time.as_secs();
        // In the line of what was said, which may be either.
        match whose {
            Some(whose) if self.request_seconds.is_none() => {
                let why = format!(
                    "call_ms = {call_ms} must be less than half of request_seconds, which is {seconds} by default"
                );
                Err(Misfit::new(&["tenants", whose, "limits"], why))
            }
            _ => {
                let whose = whose.unwrap_or("a tenant by default");
                let why = format!(
                    "request_seconds = {seconds} must be longer than two calls of a plugin: {whose} has call_ms = {call_ms}"
                );
                Err(Misfit::new(&["serve"], why))
            }
        }
    }

    pub(super) fn address(&self, args: &ServeArgs) -> SocketAddr {
        args.listen.or(self.listen).unwrap_or(LISTEN)
    }

    pub(super) fn tls(&self, args: &ServeArgs) -> Option<TlsFiles> {
        let certificate = args.tls_certificate.as_ref().or(self.tls_certificate.as_ref())?.clone();
        let key = args.tls_key.as_ref().or(self.tls_key.as_ref())?.clone();
        Some(TlsFiles { certificate, key })
    }

    /// What compiling a plugin may take. A request that waits for it must outlast it, and others may be
    /// before it.
    pub(crate) fn compile_limits(&self) -> CompileLimits {
        let by_default = CompileLimits::default();
        let seconds = |seconds: u16| Duration::from_secs(seconds.into());
        let within = by_default.time.min(self.settings().request_time / 2);
        CompileLimits {
            at_once: self.compile_at_once.map_or(by_default.at_once, usize::from),
            time: self.compile_seconds.map_or(within, seconds),
            memory_bytes: self.compile_memory_bytes.unwrap_or(by_default.memory_bytes),
            code_bytes: self.compile_code_bytes.map_or(by_default.code_bytes, u64::from),
        }
    }

    pub(super) fn code_cache(&self) -> Option<&Path> {
        self.code_cache.as_deref()
    }

    /// How long balancers have to notice that this host is stopping.
    pub(super) fn notice(&self) -> Duration {
        Duration::from_secs(self.notice_seconds.unwrap_or(0).into())
    }

    /// Half of all connections for one address, and a quarter for one tenant, unless somebody says otherwise.
    fn connections(&self, by_default: ConnectionLimits) -> ConnectionLimits {
        let all = self.connections.map_or(by_default.all, |all| all as usize);
        let per_address = self.connections_per_address.map_or_else(|| all.div_ceil(2), |most| most as usize);
        let per_tenant = self.connections_per_tenant.map_or_else(|| all.div_ceil(4), |most| most as usize);
        ConnectionLimits { all, per_address, per_tenant, ..by_default }
    }

    /// Where messages to webhooks may go, by the command line, the environment and the file.
    pub(super) fn webhooks(&self, args: &ServeArgs) -> Result<WebhookSettings, InputError> {
        let is_allowed = |given: bool, name: &str, said: Option<bool>| -> Result<bool, InputError> {
            let environment = Setting::in_the_environment(name)?;
            let environment = environment.map(|setting| match setting.value.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(setting.unusable("usage", "it must be true or false")),
            });
            Ok(given || environment.transpose()?.or(said).unwrap_or(false))
        };
        let WebhooksTable { allow_private_addresses, allow_http } = self.webhooks;
        Ok(WebhookSettings {
            allow_private_addresses: is_allowed(
                args.webhooks_allow_private_addresses,
                "HONGBAO_WEBHOOKS_ALLOW_PRIVATE_ADDRESSES",
                allow_private_addresses,
            )?,
            allow_http: is_allowed(args.webhooks_allow_http, "HONGBAO_WEBHOOKS_ALLOW_HTTP", allow_http)?,
            ..WebhookSettings::default()
        })
    }

    /// How a demo is served where one is asked for.
    pub(super) fn demo(&self) -> DemoSettings {
        let by_default = DemoSettings::default();
        let number = |said: Option<u32>, or| said.map_or(or, |number| number as usize);
        DemoSettings {
            names: self.demo_names.clone(),
            sessions: number(self.demo_sessions, by_default.sessions),
            sessions_per_address: number(self.demo_sessions_per_address, by_default.sessions_per_address),
        }
    }

    pub(super) fn settings(&self) -> ServiceSettings {
        let by_default = ServiceSettings::default();
        // 0 is no limit.
        let rate = |said: Option<u32>, or| said.map_or(or, NonZeroU32::new);
        ServiceSettings {
            rate: RateSettings {
                key_per_second: rate(self.key_requests_per_second, by_default.rate.key_per_second),
                user_per_second: rate(self.user_requests_per_second, by_default.rate.user_per_second),
                admin_per_second: rate(self.admin_requests_per_second, by_default.rate.admin_per_second),
            },
            body_bytes: self.body_bytes.map_or(by_default.body_bytes, |bytes| bytes as usize),
            request_time: self
                .request_seconds
                .map_or(by_default.request_time, |seconds| Duration::from_secs(seconds.into())),
            connections: self.connections(by_default.connections),
            streams: self.streams.map_or(by_default.streams, |streams| streams as usize),
            metrics: self.metrics.unwrap_or(by_default.metrics),
        }
    }
}

fn listen<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<SocketAddr>, D::Error> {
    address(&String::deserialize(reader)?).map(Some).map_err(D::Error::custom)
}

/// As a browser sends it: in ASCII, also where a name is shown in other letters.
fn is_host_name(name: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    name.len() <= 253 && name.split('.').all(is_part)
}
