//! A Redis cluster.

use super::{Redis, ServerTls, wait_for};

/// The number of hash slots, by the Redis cluster specification.
const SLOTS: usize = 16_384;

const MASTERS: usize = 3;

const OPTIONS: [&str; 4] = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];

/// A Redis cluster: three masters without replicas, which share all slots among them.
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Waits until every node says that the cluster is whole.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        Self::of(|| Redis::start_with(&OPTIONS))
    }

    /// The same, whose nodes speak TLS alone, also with each other.
    #[must_use]
    #[track_caller]
    pub fn start_with_tls(tls: &ServerTls) -> Self {
        let options = [OPTIONS.as_slice(), &["--tls-cluster", "yes"]].concat();
        Self::of(|| Redis::start_with_tls(tls, &options))
    }

    #[track_caller]
    fn of(node: impl Fn() -> Redis) -> Self {
        // A node is not ready to be written to in its first two seconds: they pass for all at once.
        let nodes: Vec<_> = (0..MASTERS).map(|_| node()).collect();
        for (number, node) in nodes.iter().enumerate() {
            let slots = number * SLOTS / MASTERS..(number + 1) * SLOTS / MASTERS;
            let slots: Vec<_> = slots.map(|slot| slot.to_string()).collect();
            let slots = slots.iter().map(String::as_str);
            node.cli(&["cluster", "addslots"].into_iter().chain(slots).collect::<Vec<_>>());
            // Of equal epochs one would have to be changed first.
            node.cli(&["cluster", "set-config-epoch", &(number + 1).to_string()]);
        }
        for node in &nodes {
            for other in &nodes {
                node.cli(&["cluster", "meet", "127.0.0.1", &other.port().to_string()]);
            }
        }
        let cluster = Self { nodes };
        cluster.wait_until_whole();
        cluster
    }

    /// Waits until every node sees every other and serves: after a node was restarted, say.
    #[track_caller]
    pub fn wait_until_whole(&self) {
        for node in &self.nodes {
            wait_for("a cluster that is whole", || {
                let info = node.try_cli(&["cluster", "info"]).ok()?;
                let has = |fact: &str| info.lines().any(|line| line.trim_end() == fact);
                (has("cluster_state:ok") && has("cluster_size:3") && has("cluster_known_nodes:3"))
                    .then_some(())
            });
        }
    }

    /// Its nodes, to be killed, paused and asked. A node that was restarted has the same slots.
    #[must_use]
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// The port of each node.
    #[must_use]
    pub fn ports(&self) -> Vec<u16> {
        self.nodes.iter().map(Redis::port).collect()
    }

    /// Such as `redis://127.0.0.1:12345,127.0.0.1:12346,127.0.0.1:12347`.
    #[must_use]
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("redis://{}", addresses.join(","))
    }
}
