//! Connections: how many, how long anybody waits for one or for its answer, and when one is
//! thrown away.

use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolConfig, Timeouts};
use tokio::time::timeout;

pub(super) use super::connector::{ANSWER, Client};
use super::connector::{CONNECT, Connector};
use super::error::Error;
use super::rights::Rights;
use super::watch::Watch;
use hongbao_store::StoreError;

/// To wait for a connection that others use. Past it the database is overloaded.
const WAIT: Duration = Duration::from_secs(1);
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
    pub(super) fn new(connector: Connector, most: usize, rights: &'static Rights) -> Result<Self, Error> {
        let timeouts = Timeouts { wait: Some(WAIT), create: Some(CONNECT), recycle: Some(CONNECT) };
        let pool = Pool::builder(connector)
            .config(PoolConfig { max_size: most, timeouts, ..PoolConfig::default() })
            .runtime(Runtime::Tokio1)
            .build();
        let pool = pool.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(Self { pool, watch: Watch::new(rights) })
    }

    /// Takes a connection and uses it, within `patience` at most. One that may be of no use any more is
    /// thrown away, and with it all that wait idle: they led to the same server. A caller that goes away
    /// half way throws away the one that it used, since a statement may be in flight on it.
    pub(super) async fn with<T>(
        &self,
        patience: Duration,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let used = async {
            let mut client = InUse(Some(self.pool.get().await?));
            // Always there, until this function gives it back.
            let Some(lent) = client.0.as_mut() else { return Err(Error::TimedOut(0)) };
            let answer = act(lent).await;
            if !answer.as_ref().is_err_and(Error::spoils_connection) {
                drop(client.0.take());
            }
            answer
        };
        let answer = timeout(patience, used).await;
        let answer = answer.unwrap_or_else(|_| Err(Error::TimedOut(patience.as_millis())));
        if answer.as_ref().is_err_and(Error::spoils_connection) {
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
        if self.watch.is_due() {
            // In a task of its own: nobody waits for it.
            let sessions = self.clone();
            tokio::spawn(async move { _ = sessions.check().await });
        }
        self.watch.verdict()?;
        self.with(patience, act).await
    }

    /// Looks at the guards now.
    pub(super) async fn check(&self) -> Result<(), Error> {
        let before = self.watch.begin();
        let seen = self.with(ANSWER, async |client| self.watch.look(client, before).await).await;
        self.watch.learn(seen)
    }
}

/// A connection that somebody uses. Dropped before it was given back, it leaves the pool.
struct InUse(Option<Client>);

impl Drop for InUse {
    fn drop(&mut self) {
        if let Some(client) = self.0.take() {
            drop(Object::take(client));
        }
    }
}
