//! A Redis server that keeps nothing.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::keeper::{Keeper, directory};
use super::{ports, printed, program, wait_for};

/// A first replica would otherwise wait five seconds for others to copy at the same time.
const OPTIONS: &[&str] = &["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"];

/// A Redis server. It has no persistence at all: what was in it is gone when it is killed.
pub struct Redis {
    keeper: Keeper,
    port: u16,
    password: Option<String>,
    tls: Option<ServerTls>,
}

/// What a server needs to speak TLS: files in PEM form, which the test has made.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// The server's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who issues certificates of clients, of replicas and of other nodes.
    pub authority: PathBuf,
    /// Whether a client has to have a certificate.
    pub wants_clients: bool,
}

impl ServerTls {
    /// The server's options for it, at this port and at no other.
    pub(super) fn options(&self, port: u16) -> Vec<String> {
        let file = |path: &Path| path.display().to_string();
        [
            ("port", "0".to_owned()),
            ("tls-port", port.to_string()),
            ("tls-cert-file", file(&self.certificate)),
            ("tls-key-file", file(&self.key)),
            ("tls-ca-cert-file", file(&self.authority)),
            ("tls-auth-clients", if self.wants_clients { "yes" } else { "no" }.to_owned()),
            ("tls-replication", "yes".to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [format!("--{name}"), value])
        .collect()
    }
}

impl Redis {
    /// An empty server.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// An empty server with more options, such as `["--requirepass", "secret"]`.
    #[must_use]
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Self {
        let password = options.iter().zip(options.iter().skip(1)).find(|(name, _)| **name == "--requirepass");
        Self::launch(password.map(|(_, password)| (*password).to_owned()), None, |port, _| {
            [OPTIONS, &["--port", &port.to_string()], options]
                .concat()
                .into_iter()
                .map(str::to_owned)
                .collect()
        })
    }

    /// An empty server that speaks TLS alone, with more options.
    #[must_use]
    #[track_caller]
    pub fn start_with_tls(tls: &ServerTls, options: &[&str]) -> Self {
        Self::launch(None, Some(tls), |port, _| {
            let plain = [OPTIONS, options].concat().into_iter().map(str::to_owned);
            plain.chain(tls.options(port)).collect()
        })
    }

    /// A server with these options on a free port. They are given the port and the directory where
    /// the server works.
    #[track_caller]
    pub(super) fn launch(
        password: Option<String>,
        tls: Option<&ServerTls>,
        options: impl Fn(u16, &Path) -> Vec<String>,
    ) -> Self {
        ports::on_a_free_port(|port| {
            let directory = directory();
            let data = directory.path().join("data");
            let mut server = vec![program("redis-server").display().to_string()];
            server.extend(options(port, &data));
            server.extend(["--bind", "127.0.0.1", "--dir"].map(str::to_owned));
            server.push(data.display().to_string());
            let keeper = Keeper::new(directory, Account::OWN, &server);
            let redis = Self { keeper, port, password: password.clone(), tls: tls.cloned() };
            redis.keeper.start(|pid| redis.is_ready(pid)).map(|()| redis)
        })
    }

    /// Whether this very process answers, and not another on its port.
    fn is_ready(&self, pid: u32) -> bool {
        let own = format!("process_id:{pid}");
        self.try_cli(&["info", "server"]).is_ok_and(|info| info.lines().any(|line| line.trim_end() == own))
    }

    /// Such as `redis://127.0.0.1:12345`, with the password if there is one.
    #[must_use]
    pub fn url(&self) -> String {
        let password = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://{password}127.0.0.1:{}", self.port)
    }

    /// The port, which stays the same over a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address and port, as a [`Proxy`](super::Proxy) wants them.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::local(self.port)
    }

    /// Kills the server by SIGKILL and waits until it is gone.
    pub fn kill(&self) {
        self.keeper.end();
    }

    /// Starts the server again, on the same port and empty; kills it first if it runs. It is nobody's
    /// replica then.
    #[track_caller]
    pub fn restart(&self) {
        self.keeper.restart(|pid| self.is_ready(pid));
    }

    /// Stops the server where it is, by SIGSTOP: its connections stay open, nothing is answered.
    pub fn pause(&self) {
        self.keeper.signal("STOP");
    }

    /// Lets a paused server go on.
    pub fn resume(&self) {
        self.keeper.signal("CONT");
    }

    /// Makes this server a replica; waits until it has all that the master has.
    #[track_caller]
    pub fn replica_of(&self, master: &Self) {
        if let Some(password) = &master.password {
            self.cli(&["config", "set", "masterauth", password]);
        }
        self.cli(&["replicaof", "127.0.0.1", &master.port.to_string()]);
        wait_for("a replica in sync", || {
            self.cli(&["info", "replication"]).contains("master_link_status:up").then_some(())
        });
    }

    /// What `redis-cli` prints for a command; a server's error is printed like an answer.
    ///
    /// # Panics
    ///
    /// When the server cannot be reached.
    #[track_caller]
    pub fn cli(&self, command: &[&str]) -> String {
        self.try_cli(command).unwrap_or_else(|error| panic!("redis-cli {command:?}: {error}"))
    }

    /// The same where the server may be away.
    ///
    /// # Errors
    ///
    /// What `redis-cli` complains about when it cannot reach the server.
    pub fn try_cli(&self, command: &[&str]) -> Result<String, String> {
        let mut cli = Command::new(program("redis-cli"));
        cli.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(tls) = &self.tls {
            // Whatever is wrong with the certificate is there on purpose.
            cli.args(["--tls", "--insecure", "--cert"]).arg(&tls.certificate).arg("--key").arg(&tls.key);
        }
        if let Some(password) = &self.password {
            cli.env("REDISCLI_AUTH", password);
        }
        printed(cli.args(command))
    }
}
