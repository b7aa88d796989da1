//! A Redis master with a replica, and three sentinels that watch them.

use std::fs;
use std::path::Path;

use super::{Redis, ServerTls, wait_for};

const SENTINELS: usize = 3;

/// A master, a replica in sync, and three sentinels, of which two must agree that the master is down.
pub struct RedisSentinel {
    /// The first was the master in the beginning.
    nodes: [Redis; 2],
    sentinels: Vec<Redis>,
}

impl RedisSentinel {
    /// What the sentinels call the master.
    pub const NAME: &str = "hongbao";

    /// Waits until the replica is in sync and the sentinels know it and each other.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::of([Redis::start(), Redis::start()], None)
    }

    /// The same, where all speak TLS alone.
    #[must_use]
    #[track_caller]
    pub fn start_with_tls(tls: &ServerTls) -> Self {
        Self::of([Redis::start_with_tls(tls, &[]), Redis::start_with_tls(tls, &[])], Some(tls))
    }

    #[track_caller]
    fn of(nodes: [Redis; 2], tls: Option<&ServerTls>) -> Self {
        let [master, replica] = &nodes;
        replica.replica_of(master);
        let sentinels = (0..SENTINELS).map(|_| sentinel(master.port(), tls)).collect();
        let all = Self { nodes, sentinels };
        for sentinel in &all.sentinels {
            wait_for("sentinels that know each other", || {
                let known = sentinel.cli(&["sentinel", "master", Self::NAME]);
                (field(&known, "num-slaves") == Some("1")
                    && field(&known, "num-other-sentinels") == Some("2"))
                .then_some(())
            });
        }
        all
    }

    /// Both servers, to be restarted, paused and asked. Which is the master may change.
    #[must_use]
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The sentinels themselves.
    #[must_use]
    pub fn sentinels(&self) -> &[Redis] {
        &self.sentinels
    }

    /// The port of each sentinel.
    #[must_use]
    pub fn sentinel_ports(&self) -> Vec<u16> {
        self.sentinels.iter().map(Redis::port).collect()
    }

    /// The server that all sentinels take for the master; none while they do not agree. It may be down.
    #[must_use]
    pub fn master(&self) -> Option<&Redis> {
        let mut named = self.sentinels.iter().map(|sentinel| {
            let address = sentinel.try_cli(&["sentinel", "get-master-addr-by-name", Self::NAME]).ok()?;
            address.lines().nth(1)?.trim().parse::<u16>().ok()
        });
        let first = named.next()??;
        let agreed = named.all(|other| other == Some(first));
        self.nodes.iter().find(|node| agreed && node.port() == first)
    }

    /// Kills the present master by SIGKILL.
    #[track_caller]
    pub fn kill_master(&self) {
        wait_for("sentinels that agree on a master", || self.master()).kill();
    }

    /// Waits until all sentinels name a master that is up and knows that it is one; gives it.
    #[track_caller]
    pub fn wait_for_failover(&self) -> &Redis {
        wait_for("a new master", || {
            let master = self.master()?;
            master.try_cli(&["role"]).is_ok_and(|role| role.starts_with("master")).then_some(master)
        })
    }
}

/// A sentinel writes what it learns into its configuration, so it needs a file.
#[track_caller]
fn sentinel(master: u16, tls: Option<&ServerTls>) -> Redis {
    let name = RedisSentinel::NAME;
    let write = |port: u16, data: &Path| {
        let file = data.join("sentinel.conf");
        let text = format!(
            "sentinel monitor {name} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {name} 500\n\
             sentinel failover-timeout {name} 3000\n"
        );
        let listens = match tls {
            Some(tls) => {
                let options = tls.options(port);
                let pairs = options.chunks(2).map(|pair| pair.join(" ") + "\n");
                pairs.collect::<String>().replace("--", "")
            }
            None => format!("port {port}\n"),
        };
        fs::write(&file, listens + &text).expect("a directory of ours");
        vec![file.display().to_string(), "--sentinel".into()]
    };
    Redis::launch(None, tls, write)
}

/// The line after a name, as `redis-cli` prints a map.
fn field<'a>(printed: &'a str, name: &str) -> Option<&'a str> {
    printed.lines().skip_while(|line| line.trim() != name).nth(1).map(str::trim)
}
