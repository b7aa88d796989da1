//! Connections: how many, how long anybody waits for one or for its answer, and when one is
//! thrown away.

use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolConfig, Timeouts};
use tokio::time::timeout;

use super::connector::{CONNECT, Connector};
use super::error::Error;
use super::watch::Watch;
use crate::store::StoreError;

/// A connection of the pool, with the statements that it has prepared.
pub(super) type Client = Object<Connector>;

/// To wait for a connection that others use.
const WAIT: Duration = CONNECT;
/// For the answer of a statement that users wait for. The server gives up at the same time, so
/// that no lock outlives its caller.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// For a statement that goes over whole tables.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// The pool, and the rules for using it.
#[derive(Clone)]
pub(super) struct Sessions {
    pool: Pool<Connector>,
    watch: Watch,
}

impl Sessions {
    /// Connects when somebody first asks for a connection, and `most` times at most.
    pub(super) fn new(connector: Connector, most: usize) -> Result<Self, Error> {
        let timeouts = Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: Some(WAIT) };
        let pool = Pool::builder(connector)
            .config(PoolConfig { max_size: most, timeouts, ..PoolConfig::default() })
            .runtime(Runtime::Tokio1)
            .build();
        let pool = pool.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(Self { pool, watch: Watch::default() })
    }

    /// Uses a connection for as long as `patience` at most. One that may be of no use any more is
    /// thrown away, and with it all that wait idle: they led to the same server.
    pub(super) async fn with<T>(
        &self,
        patience: Duration,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut client = self.pool.get().await?;
        let answer = match timeout(patience, act(&mut client)).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::TimedOut(patience.as_millis())),
        };
        if answer.as_ref().is_err_and(Error::spoils_connection) {
            drop(Object::take(client));
            self.pool.retain(|_, _| false);
        }
        answer
    }

    /// As [`with`](Self::with), for what moves money: not while guards of the books are off.
    pub(super) async fn write<T>(
        &self,
        patience: Duration,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.watch.look_now_and_then(self);
        self.watch.verdict()?;
        self.with(patience, act).await
    }

    /// Looks at the guards now.
    pub(super) async fn check(&self) -> Result<(), Error> {
        self.watch.look(self).await
    }
}
