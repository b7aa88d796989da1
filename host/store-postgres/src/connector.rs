//! One way to PostgreSQL for everybody: whoever opens, migrates or keeps a pool connects here.

use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use deadpool_postgres::ClientWrapper;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::Error;
use super::sessions::ANSWER;
use super::{history, settings};
use hongbao_store::{History, patience};

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
    pub(super) async fn connect(&self) -> Result<(Client, JoinHandle<()>), Error> {
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
