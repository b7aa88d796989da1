//! One way to PostgreSQL for everybody: whoever opens, migrates or keeps a pool connects here.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, Object, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::Error;
use super::{history, settings};
use hongbao_store::{History, patience};

/// A connection of the pool, with the statements that it has prepared.
pub(super) type Client = Object<Connector>;

/// For an answer that users wait for, the wait for a connection included. The server gives up a
/// statement earlier (`statement_timeout`).
pub(super) const ANSWER: Duration = patience::ANSWER;
/// For all hosts of the URL together to take a connection.
pub(super) const CONNECT: Duration = patience::CONNECTION;

/// Makes connections whose sessions are set up.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    /// What each connection of the pool looks at first.
    history: Option<History>,
}

impl Connector {
    pub(super) fn new(config: Config, tls: MakeRustlsConnect) -> Self {
        Self { config, tls, history: None }
    }

    /// Whose connections find out which history of the books they lead to.
    pub(super) fn learning(self, history: History) -> Self {
        Self { history: Some(history), ..self }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Connects and sets the session up. The task ends with the client, and what it has to complain about the
    /// client is told.
    pub(super) async fn connect(&self) -> Result<(tokio_postgres::Client, JoinHandle<()>), Error> {
        let patience = CONNECT + ANSWER;
        let connecting = async {
            let (client, connection) = self.config.connect(self.tls.clone()).await?;
            let task = tokio::spawn(async { _ = connection.await });
            settings::apply(&client).await?;
            Ok((client, task))
        };
        timeout(patience, connecting).await.unwrap_or_else(|_| Err(Error::TimedOut(patience.as_millis())))
    }
}

impl Manager for Connector {
    type Type = ClientWrapper;
    type Error = Error;

    async fn create(&self) -> Result<ClientWrapper, Error> {
        let (client, task) = self.connect().await?;
        if let Some(history) = &self.history {
            let learnt = timeout(ANSWER, history::learn(&client, history)).await;
            learnt.unwrap_or_else(|_| Err(Error::TimedOut(ANSWER.as_millis())))?;
        }
        Ok(ClientWrapper::new(client, task))
    }

    async fn recycle(&self, client: &mut ClientWrapper, _: &Metrics) -> RecycleResult<Error> {
        if client.is_closed() { Err(RecycleError::message("the connection is closed")) } else { Ok(()) }
    }
}
