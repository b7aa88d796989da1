//! Connections, by the three ways of running Redis.

use std::time::Duration;

use futures::future::{join_all, select_ok};
use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisResult,
    TlsMode, Value,
};
use tokio::time::timeout;

use super::diagnosis;
use super::error::Failure;
use super::fault::Fault;
use super::server::Info;
use super::tls::Certificates;
use super::url::{Place, Sentinels, Servers, node_at, tcp};

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

    /// Sends commands to the one server that there is, in one write; gives the answer to each.
    pub(super) async fn send_all(&mut self, commands: &Pipeline) -> RedisResult<Vec<RedisResult<Value>>> {
        let answers = match self {
            Self::Single(connection) => connection.send_packed_commands(commands, 0, commands.len()).await?,
            Self::Cluster(_) | Self::Node(..) => {
                return Err((ErrorKind::Client, "the nodes of a cluster are sent their own commands").into());
            }
        };
        Ok(answers.into_iter().map(Value::extract_error).collect())
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

    /// The masters of a cluster and their slots, from any node that answers.
    pub(super) async fn slots(&mut self) -> RedisResult<Value> {
        let question = redis::cmd("CLUSTER").arg("SLOTS").take();
        match self {
            Self::Single(connection) => connection.send_packed_command(&question).await?,
            Self::Cluster(connection) | Self::Node(connection, _) => {
                let anywhere = RoutingInfo::SingleNode(SingleNodeRoutingInfo::Random);
                connection.route_command(question, anywhere).await?
            }
        }
        .extract_error()
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
    /// Reads the certificates where TLS is wanted.
    fn certificates(&self) -> Result<Option<Certificates>, Failure> {
        self.tls.as_ref().map(|files| files.load().map_err(Failure::Known)).transpose()
    }

    /// A connection to a server that takes writes, such as to the key `probe`.
    pub(super) async fn connect(&self, probe: &str) -> Result<Connection, Failure> {
        let certificates = self.certificates()?;
        let way = Way { certificates: certificates.as_ref() };
        match &self.servers {
            Servers::Single(node) => way.single(node, probe).await.map(Connection::Single),
            Servers::Sentinel(sentinels) => {
                way.single(&way.master(sentinels).await?, probe).await.map(Connection::Single)
            }
            Servers::Cluster(nodes) => way.cluster(nodes).await.map(Connection::Cluster),
        }
    }

    /// A connection for messages alone: to the server that takes writes, or to any node of a cluster,
    /// since there a message reaches all of them.
    pub(super) async fn subscription(&self) -> Result<PubSub, Failure> {
        let certificates = self.certificates()?;
        let way = Way { certificates: certificates.as_ref() };
        match &self.servers {
            Servers::Single(node) => way.pubsub(node).await,
            Servers::Sentinel(sentinels) => way.pubsub(&way.master(sentinels).await?).await,
            Servers::Cluster(nodes) => {
                // All at once, since one that is away must not use up the time of the others.
                let asked = nodes.iter().map(|node| Box::pin(way.pubsub(node)));
                Ok(select_ok(asked).await?.0)
            }
        }
    }
}

/// How a server is connected to: by TLS, with these certificates, or without.
#[derive(Clone, Copy)]
struct Way<'a> {
    certificates: Option<&'a Certificates>,
}

impl Way<'_> {
    fn client(self, node: &ConnectionInfo) -> Result<Client, Failure> {
        Ok(match self.certificates {
            Some(certificates) => Client::build_with_tls(node.clone(), certificates.client.clone())?,
            None => Client::open(node.clone())?,
        })
    }

    async fn pubsub(self, node: &ConnectionInfo) -> Result<PubSub, Failure> {
        let connected = timeout(CONNECT, self.client(node)?.get_async_pubsub()).await;
        Ok(connected.map_err(|_| Failure::Late)??)
    }

    async fn single(self, node: &ConnectionInfo, probe: &str) -> Result<MultiplexedConnection, Failure> {
        let config = config().set_pipeline_buffer_size(WAITING).set_write_backpressure_boundary(WRITE_BYTES);
        let mut connection = self.multiplexed(node, &config).await?;
        recognise(&mut connection, false).await?;
        // A replica refuses this, although there is nothing to unlink: a connection to one is of no use.
        redis::cmd("UNLINK").arg(probe).exec_async(&mut connection).await?;
        Ok(connection)
    }

    /// Connects and logs in; where the client cannot say what is wrong, somebody looks.
    async fn multiplexed(
        self,
        node: &ConnectionInfo,
        config: &AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, Failure> {
        let client = self.client(node)?;
        match client.get_multiplexed_async_connection_with_config(config).await {
            Ok(connection) => Ok(connection),
            Err(error) if Fault::is_vague(&error, self.certificates.is_some()) => {
                let seen = diagnosis::look(node.addr(), self.certificates).await;
                // Of a user in the URL it says nothing that others need no login.
                let is_refused = error.kind() == ErrorKind::AuthenticationFailed;
                if seen.is_none() && is_refused && node.redis_settings().username().is_none() {
                    let takes_all = diagnosis::takes_anybody(node.addr()).await;
                    return Err(if takes_all {
                        Failure::Known(Fault::PasswordUnwanted)
                    } else {
                        error.into()
                    });
                }
                Err(seen.map_or(Failure::Redis(error), Failure::Known))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn cluster(self, nodes: &[ConnectionInfo]) -> Result<ClusterConnection, Failure> {
        match self.whole_cluster(nodes).await {
            // Of its nodes the client says only that none could be used.
            Err(Failure::Redis(error)) if error.kind() == ErrorKind::Io => {
                let config = config();
                let asked = join_all(nodes.iter().map(|node| self.multiplexed(node, &config))).await;
                let mut said = asked.into_iter().filter_map(Result::err);
                // One that answers says more than one that does not.
                let telling = |failure: &Failure| {
                    failure.fault().is_some_and(|fault| fault.is_mistake() || matches!(fault, Fault::Tls(_)))
                };
                Err(said.find(telling).unwrap_or(Failure::Redis(error)))
            }
            connected => connected,
        }
    }

    async fn whole_cluster(self, nodes: &[ConnectionInfo]) -> Result<ClusterConnection, Failure> {
        let builder = ClusterClient::builder(nodes.iter().cloned())
            .connection_timeout(CONNECT)
            .response_timeout(RESPONSE)
            .retries(4)
            .min_retry_wait(10)
            .max_retry_wait(200)
            .tcp_settings(tcp())
            .write_backpressure_boundary(WRITE_BYTES);
        let builder = match self.certificates {
            // Its other nodes are connected to by TLS as well.
            Some(certificates) => builder.tls(TlsMode::Secure).certs(certificates.client.clone()),
            None => builder,
        };
        let client = builder.build()?;
        let connected = timeout(CONNECT + RESPONSE, client.get_async_connection()).await;
        let mut connection = connected.map_err(|_| Failure::Late)??;
        recognise(&mut connection, true).await?;
        Ok(connection)
    }

    /// The server that most of the sentinels call the master. A sentinel that was cut off for a
    /// while may still name the one before.
    async fn master(self, sentinels: &Sentinels) -> Result<ConnectionInfo, Failure> {
        let asked = sentinels.nodes.iter().map(|node| async {
            let asked = timeout(SENTINEL + diagnosis::LOOK, self.ask(sentinels, node)).await;
            asked.map_err(|_| Failure::Late).and_then(|answer| answer)
        });
        let (mut named, mut failed) = (Vec::new(), None::<Failure>);
        for answer in join_all(asked).await {
            match answer {
                Ok(address) => named.push(address),
                // One that answers says more than one that does not.
                Err(failure) if failed.as_ref().is_some_and(is_telling) => drop(failure),
                Err(failure) => failed = Some(failure),
            }
        }
        let votes = |address: &(String, u16)| named.iter().filter(|other| *other == address).count();
        match named.iter().max_by_key(|address| votes(address)) {
            Some((host, port)) => {
                let info = node_at(host, *port, self.certificates.is_some())?;
                Ok(info.set_redis_settings(sentinels.master.clone()).set_tcp_settings(tcp()))
            }
            None => Err(failed.unwrap_or(Failure::Known(Fault::UnknownMaster))),
        }
    }

    async fn ask(self, sentinels: &Sentinels, sentinel: &ConnectionInfo) -> Result<(String, u16), Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(SENTINEL))
            .set_response_timeout(Some(SENTINEL));
        let mut connection = self.multiplexed(sentinel, &config).await?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&sentinels.name);
        let address: Option<(String, u16)> = question.query_async(&mut connection).await?;
        address.ok_or(Failure::Known(Fault::UnknownMaster))
    }
}

/// Whether it says something that only a person can put right.
fn is_telling(failure: &Failure) -> bool {
    failure.fault().is_some_and(|fault| fault.is_mistake())
}

fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(RESPONSE))
}

/// Looks whether it is a server that will do, if it tells.
async fn recognise(connection: &mut impl ConnectionLike, is_cluster: bool) -> Result<(), Failure> {
    match connection.req_packed_command(&redis::cmd("INFO")).await.and_then(Value::extract_error) {
        Ok(told) => Info::of(told).recognise(is_cluster).map_err(Failure::Known),
        // Whether this user may ask is of no interest.
        Err(error) if error.code() == Some("NOPERM") => Ok(()),
        Err(error) => Err(error.into()),
    }
}
