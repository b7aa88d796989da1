//! Connections: how many, how long anybody waits for one or for its answer, and when one is
//! thrown away.

use std::time::Duration;

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Object, Pool, PoolConfig, RecyclingMethod, Runtime, Timeouts,
};
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls};

use super::error::Error;
use crate::store::{StoreError, patience};

/// To wait for a connection that somebody else uses. Past it the database is overloaded.
const WAIT: Duration = Duration::from_secs(1);
/// For a connection that is made, or looked at before it is used again.
const CONNECT: Duration = patience::CONNECTION;
/// For an answer that users wait for, the wait for a connection included. The server gives up a
/// statement earlier (`statement_timeout`).
pub(super) const ANSWER: Duration = patience::ANSWER;
/// For a statement that goes over whole tables.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// Settings of every session. Index lookups only: a plan that was made while a table was small is
/// kept, and must be right when it is large. Compiling plans takes longer than running ours.
const SETTINGS: &str = "-c synchronous_commit=on -c enable_seqscan=off -c plan_cache_mode=force_generic_plan \
                        -c jit=off -c lock_timeout=2000 -c idle_in_transaction_session_timeout=10000 \
                        -c statement_timeout=3500 -c search_path=pg_catalog";

/// The pool, and the rules for using it.
#[derive(Clone)]
pub(super) struct Sessions {
    pool: Pool,
}

impl Sessions {
    /// Connects when somebody first asks for a connection, and `most` times at most.
    pub(super) fn new(mut config: Config, most: usize) -> Result<Self, Error> {
        let options = config.get_options().map(|own| format!("{SETTINGS} {own}"));
        config.options(options.unwrap_or_else(|| SETTINGS.into()));
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let timeouts = Timeouts { wait: Some(WAIT), create: Some(CONNECT), recycle: Some(CONNECT) };
        let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
            .config(PoolConfig { max_size: most, timeouts, ..PoolConfig::default() })
            .runtime(Runtime::Tokio1)
            .build();
        Ok(Self { pool: pool.map_err(|error| StoreError::Corrupt(error.to_string()))? })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_gives_up_before_its_caller() {
        let setting = |name: &str, time: Duration| format!("{name}={} ", time.as_millis());
        assert!(SETTINGS.contains(&setting("statement_timeout", patience::STATEMENT)));
        assert!(SETTINGS.contains(&setting("lock_timeout", patience::LOCK)));
        assert!(WAIT + CONNECT < ANSWER);
    }
}
