//! The service under test: `hongbao serve` in a process of its own, on private servers, with two tenants.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use serde_json::json;
use tempfile::TempDir;

use super::caller::{Caller, get, post, put};
use crate::chaos::books::Books;
use crate::chaos::drill::eventually;
use crate::chaos::load::Load;
use crate::servers::{Postgres, Redis};

/// Connections are few, so that strangers come up against the bound. A compilation is cut short early, so
/// that the neighbour is alone again soon after the last upload.
const CONFIGURATION: &str = "
[serve]
connections = 256
compile_seconds = 2
";
/// What the machine's own Hongbao is told is not for ours.
const FOREIGN: [&str; 6] =
    ["HONGBAO_LEDGER", "HONGBAO_DATA", "HONGBAO_COUNTER", "HONGBAO_TENANT", "HONGBAO_CONFIG", "HONGBAO_LOG"];
/// Requests a second that the tenant who does harm may make.
pub const MALLORY_PER_SECOND: u64 = 10;
/// More connections than a service has that nobody but the neighbour and the runner use.
const FEW_CONNECTIONS: u64 = 60;

/// Callers with the keys of one tenant.
#[derive(Clone)]
pub struct Keys {
    /// For packets, wallets and rooms.
    pub member: Caller,
    /// For fundings.
    pub fund: Caller,
    /// For plugins.
    pub admin: Caller,
}

impl Keys {
    /// The same with connections of their own.
    pub fn apart(&self) -> Self {
        Self { member: self.member.apart(), fund: self.fund.apart(), admin: self.admin.apart() }
    }
}

/// A service and what it stands on. All of it ends when this is dropped, and also when the runner does.
pub struct Service {
    child: Child,
    /// The process ends when this is closed.
    _alive: ChildStdin,
    log: PathBuf,
    /// `127.0.0.1` and a port.
    pub address: String,
    operator: Caller,
    books_url: String,
    _servers: (Redis, Postgres),
    _folder: TempDir,
}

impl Service {
    /// Starts everything; `program` answers to `serve` and `key` as `hongbao` does.
    pub fn start(program: &Path) -> Self {
        let (redis, postgres) = (Redis::start(), Postgres::start());
        let books_url = postgres.fresh_database();
        let folder = TempDir::new().expect("a temporary directory");
        let (config, log) = (folder.path().join("hongbao.toml"), folder.path().join("log"));
        fs::write(&config, CONFIGURATION).expect("a file of ours");
        let operator = operator_key(program, &books_url);
        let mut serve = command(program);
        serve.args(["serve", "--listen", "127.0.0.1:0", "--counter", &redis.url(), "--ledger", &books_url]);
        serve.arg("--config").arg(config).stdin(Stdio::piped()).stdout(Stdio::piped());
        serve.stderr(File::create(&log).expect("a file of ours"));
        let mut child = serve.spawn().expect("a process of ours");
        let alive = child.stdin.take().expect("piped");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let sign = "Hongbao serves on http://";
        let found = lines.find_map(|line| line.split_once(sign).map(|(_, address)| address.to_owned()));
        let address = found.unwrap_or_else(|| panic!("no service: {}", said(&log)));
        // Whatever else it prints must not fill the pipe.
        thread::spawn(move || lines.for_each(drop));
        let operator = Caller::new(&format!("http://{address}"), operator);
        let servers = (redis, postgres);
        Self { child, _alive: alive, log, address, operator, books_url, _servers: servers, _folder: folder }
    }

    /// Makes a tenant, and a key for each of its callers.
    pub async fn tenant(&self, name: &str) -> Keys {
        self.operator.must(post("/v1/tenants", json!({"tenant": name})).once(name)).await;
        let key = async |scope: &str| {
            let body = json!({"label": scope, "scopes": [scope]});
            let path = format!("/v1/tenants/{name}/keys");
            let made = self.operator.must(post(path, body).once(format!("{name}-{scope}"))).await;
            self.operator.with_key(made.text("key"))
        };
        Keys { member: key("member").await, fund: key("fund").await, admin: key("admin").await }
    }

    /// Bounds what a tenant may ask.
    pub async fn limit(&self, name: &str, requests_per_second: u64) {
        let settings = json!({"limits": {"requests_per_second": requests_per_second}});
        self.operator.must(put(format!("/v1/tenants/{name}/settings"), settings)).await;
    }

    /// Whether it is ready to serve.
    pub async fn is_ready(&self) -> bool {
        self.operator.ask(&get("/readyz")).await.is_ok_and(|answer| answer.status == 200)
    }

    /// Waits until nothing is left of whatever went on besides the neighbour's calls; false where that
    /// takes too long.
    pub async fn comes_to_rest(&self) -> bool {
        eventually(async || {
            let Ok(metrics) = self.operator.page("/metrics").await else { return false };
            let count = |name: &str| -> Option<u64> {
                let found = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
                found?.parse().ok()
            };
            let compiling = ["compiled", "waiting"]
                .map(|state| count(&format!("hongbao_compiling{{state=\"{state}\"}}")));
            compiling == [Some(0); 2]
                && count("hongbao_http_connections").is_some_and(|open| open < FEW_CONNECTIONS)
        })
        .await
    }

    /// Waits until every claim is settled and every packet that was to expire has; false where that takes
    /// too long.
    pub async fn settles(&self) -> bool {
        eventually(async || {
            let books = self.books().await;
            let waits =
                |packet: &crate::chaos::Packet| packet.status == "open" && Load::expires_soon(&packet.key);
            books.outbox == 0 && !books.packets.values().any(waits)
        })
        .await
    }

    /// Everything that the ledger holds, of both tenants. Their users have different names.
    pub async fn books(&self) -> Books {
        Books::read(&self.books_url).await.expect("the books")
    }

    /// Whether a thread of it has panicked.
    pub fn has_panicked(&self) -> bool {
        said(&self.log).contains("panicked")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that has ended by itself is gone as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    FOREIGN.iter().for_each(|name| _ = command.env_remove(name));
    command
}

/// Made at the machine, as the first key of a service is.
fn operator_key(program: &Path, ledger: &str) -> String {
    let mut create = command(program);
    create.args(["key", "create", "--operator", "--label", "chaos", "--ledger", ledger]);
    let output = create.output().expect("a process of ours");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn said(log: &Path) -> String {
    fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
