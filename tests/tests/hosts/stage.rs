//! Servers, hosts on them, a tenant that all hosts serve, and HAProxy in front.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use hongbao_tests::servers::{Postgres, Redis};
use reqwest::Client;
use serde_json::json;
use tempfile::TempDir;

use crate::balancer::Balancer;
use crate::caller::{Caller, Keys, get, post};
use crate::process::{Process, free_port};

const BINARY: &str = env!("CARGO_BIN_EXE_hongbao-under-test");

/// A host has this long to tell balancers that it is stopping, who look ten times a second.
const CONFIGURATION: &str = "
[serve]
user_requests_per_second = 0
notice_seconds = 1
webhooks.allow_private_addresses = true
webhooks.allow_http = true
code_cache = 'code'
";

pub const TENANT: &str = "acme";

/// Far more than anything takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Servers for all tests of this process.
fn servers() -> &'static (Redis, Postgres) {
    static SERVERS: OnceLock<(Redis, Postgres)> = OnceLock::new();
    SERVERS.get_or_init(|| (Redis::start(), Postgres::start_with(&["-c", "fsync=off"])))
}

/// Does something to the databases as a whole.
pub fn psql(sql: &str) {
    servers().1.psql("postgres", sql);
}

/// A host, which keeps its port from one process to the next.
pub struct Host {
    pub url: String,
    port: u16,
    args: Vec<String>,
    folder: PathBuf,
    process: Option<Process>,
}

impl Host {
    fn new(folder: &Path, counter: &str, ledger: &str) -> Self {
        let port = free_port();
        let address = format!("127.0.0.1:{port}");
        let config = folder.join("hongbao.toml");
        let args = ["serve", "--listen", &address, "--counter", counter, "--ledger", ledger, "--config"];
        let mut args: Vec<_> = args.map(str::to_owned).into();
        args.push(config.to_str().unwrap().to_owned());
        Self { url: format!("http://{address}"), port, args, folder: folder.to_owned(), process: None }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts its process; waits until that listens.
    pub async fn start(&mut self) {
        let log = self.folder.join(format!("host-{}.log", self.port));
        let process = Process::start(BINARY, &self.args, log);
        let sign = format!("Hongbao serves on {}\n", self.url);
        until("a host that serves", || async { process.said().contains(&sign) }).await;
        self.process = Some(process);
    }

    /// The lines of its log that have this in them.
    pub fn log(&self, part: &str) -> Vec<String> {
        let said = self.process.as_ref().map(Process::said).unwrap_or_default();
        said.lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    /// Sends its process a signal; gives how that ended, and after how long.
    pub async fn end(&mut self, signal: &str) -> (i32, Duration) {
        let (mut process, signal) = (self.process.take().unwrap(), signal.to_owned());
        let began = Instant::now();
        let ended = tokio::task::spawn_blocking(move || {
            process.signal(&signal);
            (process.wait(), process.said())
        });
        let (code, said) = tokio::time::timeout(PATIENCE, ended).await.expect("an end").unwrap();
        assert!(!said.contains("panicked"), "{said}");
        (code, began.elapsed())
    }
}

pub struct Stage {
    pub hosts: Vec<Host>,
    pub balancer: Balancer,
    /// At the balancer.
    pub caller: Caller,
    /// The URL of the database, which is this stage's alone.
    pub ledger: String,
    _folder: TempDir,
}

impl Stage {
    /// Two hosts that serve a tenant.
    pub async fn start() -> Self {
        Self::on(servers().0.url()).await
    }

    /// Two hosts that serve a tenant, with their counters in this Redis.
    pub async fn on(redis: String) -> Self {
        // Somebody else in this process may have chosen one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("hongbao.toml"), CONFIGURATION).unwrap();
        let ledger = servers().1.fresh_database();
        let counter = format!("{redis}?namespace={}", ledger.rsplit('/').next().unwrap());
        let operator = operator_key(&ledger);
        let mut hosts = Vec::from([(); 2].map(|()| Host::new(folder.path(), &counter, &ledger)));
        for host in &mut hosts {
            host.start().await;
        }
        let ports: Vec<_> = hosts.iter().map(Host::port).collect();
        let balancer = Balancer::start(folder.path(), &ports);
        let client = Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let keys = Keys::from([("operator", operator)]);
        let mut caller = Caller { url: hosts[0].url.clone(), keys, client };
        make_tenant(&mut caller).await;
        for url in hosts.iter().map(|host| &host.url).chain([&balancer.url]) {
            until("all serve the tenant", || serves(caller.at(url))).await;
        }
        let caller = caller.at(&balancer.url);
        Self { hosts, balancer, caller, ledger, _folder: folder }
    }

    /// Somebody who calls a host directly.
    pub fn directly(&self, host: usize) -> Caller {
        self.caller.at(&self.hosts[host].url)
    }
}

/// Made at the machine, as the first key of a service is.
fn operator_key(ledger: &str) -> String {
    let mut command = Command::new(BINARY);
    command.args(["key", "create", "--operator", "--label", "test", "--ledger", ledger]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

async fn make_tenant(caller: &mut Caller) {
    let tenant = post("operator", "/v1/tenants", json!({"tenant": TENANT}));
    caller.ok(tenant.once("tenant")).await;
    for scope in ["member", "fund", "admin"] {
        let body = json!({"label": scope, "scopes": [scope]});
        let path = format!("/v1/tenants/{TENANT}/keys");
        let made = caller.ok(post("operator", path, body).once(scope)).await;
        caller.keys.insert(scope, made["key"].as_str().unwrap().to_owned());
    }
}

async fn serves(caller: Caller) -> bool {
    let tenant = caller.ask(&get("member", format!("/v1/tenants/{TENANT}"))).await;
    tenant.is_ok_and(|answer| answer.status.is_success())
}

/// Waits until something is so.
pub async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < PATIENCE, "never came: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
