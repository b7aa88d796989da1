//! Connections, by the three ways of running Redis.

use std::time::Duration;

use futures::future::{join_all, select_ok};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _,
    RedisError, RedisResult, Value,
};
use tokio::time::timeout;

use super::error::Failure;
use super::url::{Place, Sentinels, tcp};

/// How long an attempt to connect may take.
pub(super) const CONNECT: Duration = Duration::from_secs(1);
/// How long an answer may take.
pub(super) const RESPONSE: Duration = Duration::from_secs(1);
/// How long sentinels may take to name the master. Those that are away must not use up the time
/// of those that answer.
const SENTINEL: Duration = Duration::from_millis(500);
/// So much is written at once; more waits until the server takes it.
const WRITE_BYTES: usize = 64 * 1024;
/// Commands that wait for the write before theirs.
const WAITING: usize = 1024;

/// A connection that any number of calls share.
#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    /// Whichever node a key belongs to.
    Cluster(ClusterConnection),
    /// One node of a cluster.
    Node(ClusterConnection, SingleNodeRoutingInfo),
}

impl Connection {
    /// Sends a command about a key, and gives the answer if it is no error.
    pub(super) async fn send(&mut self, command: &Cmd, key: &str) -> RedisResult<Value> {
        let answer = match self {
            Self::Single(connection) => connection.send_packed_command(command).await?,
            Self::Cluster(connection) => {
                let node = SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master));
                connection.route_command(command.clone(), RoutingInfo::SingleNode(node)).await?
            }
            Self::Node(connection, node) => {
                connection.route_command(command.clone(), RoutingInfo::SingleNode(node.clone())).await?
            }
        };
        // An answer of a script has no errors inside, so one look is enough.
        if let Value::ServerError(error) = answer { Err(error.into()) } else { Ok(answer) }
    }

    /// A connection to each master, for what is about all keys.
    pub(super) async fn masters(&mut self) -> RedisResult<Vec<Self>> {
        let Self::Cluster(connection) = self else { return Ok(vec![self.clone()]) };
        let everywhere = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
        // A question that a user who scans may ask; of interest is who answers.
        let question = redis::cmd("SCAN").arg(0).arg("COUNT").arg(1).take();
        let Value::Map(answers) = connection.route_command(question, everywhere).await? else {
            return Err((ErrorKind::UnexpectedReturnType, "a cluster that does not name its nodes").into());
        };
        let mut masters = Vec::with_capacity(answers.len());
        for (address, answer) in answers {
            answer.extract_error()?;
            let address: String = redis::from_redis_value(address)?;
            let (host, port) = address.rsplit_once(':').unwrap_or_default();
            let port = port.parse().map_err(|_| RedisError::from((ErrorKind::Parse, "a node's port")))?;
            let node = SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port };
            masters.push(Self::Node(connection.clone(), node));
        }
        Ok(masters)
    }

    /// A cluster's connection is many: it looks for nodes and slots anew by itself, unless it
    /// knows no node at all any more.
    pub(super) fn heals_by_itself(&self, error: &RedisError) -> bool {
        match self {
            Self::Single(_) => false,
            Self::Cluster(_) | Self::Node(..) => error.kind() != ErrorKind::ClusterConnectionNotFound,
        }
    }
}

impl Place {
    /// A connection to a server that takes writes, such as to the key `probe`.
    pub(super) async fn connect(&self, probe: &str) -> Result<Connection, Failure> {
        match self {
            Self::Single(node) => single(node, probe).await.map(Connection::Single),
            Self::Sentinel(sentinels) => {
                single(&sentinels.master().await?, probe).await.map(Connection::Single)
            }
            Self::Cluster(nodes) => cluster(nodes).await.map(Connection::Cluster),
        }
    }
}

impl Place {
    /// A connection for messages alone: to the server that takes writes, or to any node of a cluster,
    /// since there a message reaches all of them.
    pub(super) async fn subscription(&self) -> Result<PubSub, Failure> {
        match self {
            Self::Single(node) => pubsub(node).await,
            Self::Sentinel(sentinels) => pubsub(&sentinels.master().await?).await,
            Self::Cluster(nodes) => {
                // All at once, since one that is away must not use up the time of the others.
                let asked = nodes.iter().map(|node| Box::pin(pubsub(node)));
                Ok(select_ok(asked).await?.0)
            }
        }
    }
}

async fn pubsub(node: &ConnectionInfo) -> Result<PubSub, Failure> {
    let client = Client::open(node.clone())?;
    let connected = timeout(CONNECT, client.get_async_pubsub()).await;
    Ok(connected.map_err(|_| Failure::Late)??)
}

async fn single(node: &ConnectionInfo, probe: &str) -> Result<MultiplexedConnection, Failure> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(RESPONSE))
        .set_pipeline_buffer_size(WAITING)
        .set_write_backpressure_boundary(WRITE_BYTES);
    let client = Client::open(node.clone())?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    // A replica refuses this, although there is nothing to unlink: a connection to one is of no use.
    redis::cmd("UNLINK").arg(probe).exec_async(&mut connection).await?;
    Ok(connection)
}

async fn cluster(nodes: &[ConnectionInfo]) -> Result<ClusterConnection, Failure> {
    let client = ClusterClient::builder(nodes.iter().cloned())
        .connection_timeout(CONNECT)
        .response_timeout(RESPONSE)
        .retries(4)
        .min_retry_wait(10)
        .max_retry_wait(200)
        .tcp_settings(tcp())
        .write_backpressure_boundary(WRITE_BYTES)
        .build()?;
    let connected = timeout(CONNECT + RESPONSE, client.get_async_connection()).await;
    Ok(connected.map_err(|_| Failure::Late)??)
}

impl Sentinels {
    /// The server that most of the sentinels call the master. A sentinel that was cut off for a
    /// while may still name the one before.
    async fn master(&self) -> Result<ConnectionInfo, Failure> {
        let asked = self.nodes.iter().map(|node| async {
            timeout(SENTINEL, self.ask(node)).await.map_err(|_| Failure::Late).and_then(|answer| answer)
        });
        let (mut named, mut failed) = (Vec::new(), None);
        for answer in join_all(asked).await {
            match answer {
                Ok(address) => named.push(address),
                // One that answers says more than one that does not.
                Err(failure) if matches!(failed, Some(Failure::UnknownMaster)) => drop(failure),
                Err(failure) => failed = Some(failure),
            }
        }
        let votes = |address: &ConnectionAddr| named.iter().filter(|other| *other == address).count();
        match named.iter().max_by_key(|address| votes(address)) {
            Some(address) => {
                let info = address.clone().into_connection_info()?;
                Ok(info.set_redis_settings(self.master.clone()).set_tcp_settings(tcp()))
            }
            None => Err(failed.unwrap_or(Failure::UnknownMaster)),
        }
    }

    async fn ask(&self, sentinel: &ConnectionInfo) -> Result<ConnectionAddr, Failure> {
        let client = Client::open(sentinel.clone())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.name);
        let address: Option<(String, u16)> = question.query_async(&mut connection).await?;
        let (host, port) = address.ok_or(Failure::UnknownMaster)?;
        Ok(ConnectionAddr::Tcp(host, port))
    }
}
