//! Connections: how many, how long anybody waits for one or for its answer, and when one is
//! thrown away.

use std::time::Duration;

use deadpool_postgres::{
    Client, Manager, ManagerConfig, Object, Pool, PoolConfig, RecyclingMethod, Runtime, Timeouts,
};
use tokio::time::timeout;
use tokio_postgres::{Config, NoTls};

use super::error::Error;
use crate::store::StoreError;

/// To wait for a connection, new or returned.
const WAIT: Duration = Duration::from_secs(2);
/// For the answer of a statement that users wait for. The server gives up at the same time, so
/// that no lock outlives its caller.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// For a statement that goes over whole tables.
pub(super) const LONG: Duration = Duration::from_secs(600);

/// Settings of every session. Index lookups only: a plan that was made while a table was small is
/// kept, and must be right when it is large. Compiling plans takes longer than running ours.
const SETTINGS: &str = "-c synchronous_commit=on -c enable_seqscan=off -c plan_cache_mode=force_generic_plan \
                        -c jit=off -c lock_timeout=4000 -c idle_in_transaction_session_timeout=10000 \
                        -c statement_timeout=5000 -c search_path=pg_catalog";

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
        let timeouts = Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: Some(WAIT) };
        let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
            .config(PoolConfig { max_size: most, timeouts, ..PoolConfig::default() })
            .runtime(Runtime::Tokio1)
            .build();
        Ok(Self { pool: pool.map_err(|error| StoreError::Corrupt(error.to_string()))? })
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
}
