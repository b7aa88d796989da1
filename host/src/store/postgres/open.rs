//! Opening a ledger: whose database it is, and whether it can be used.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

use super::error::Error;
use super::migrate::{self, Schema};
use super::sessions::{ANSWER, LONG};

/// For one host of the URL to take a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// After so long without a word, a silent connection is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// So far clocks may be apart: half of the time that a seat is kept for whoever took it.
const APART: Duration = Duration::from_secs(30);

/// Why a ledger cannot be opened. Whatever was there before stays as it was. `at` names the
/// server and the database, never a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is none.
    #[error(
        "the ledger's URL is not understood: {0}; it looks like postgres://user:password@host:5432/database"
    )]
    Url(String),
    /// The URL wants an encrypted connection.
    #[error("this program connects to PostgreSQL without TLS: leave sslmode away from the ledger's URL")]
    Tls,
    /// Nobody answers.
    #[error("PostgreSQL at {at} does not answer: {source}")]
    Unreachable {
        /// Where.
        at: String,
        /// What happened.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server does not let us in, or there is no such database.
    #[error("PostgreSQL at {at} lets nobody in: {reason}")]
    NotAdmitted {
        /// Where.
        at: String,
        /// In the server's words.
        reason: String,
    },
    /// The user may not do what a ledger does.
    #[error("PostgreSQL at {at} does not permit it: {reason}")]
    NotPermitted {
        /// Where.
        at: String,
        /// In the server's words.
        reason: String,
    },
    /// Only standbys answer.
    #[error("PostgreSQL at {at} is read-only: name the primary, or all servers, in the ledger's URL")]
    ReadOnly {
        /// Where.
        at: String,
    },
    /// The database has no books.
    #[error("there are no books in {at}: `hongbao migrate` makes them")]
    Missing {
        /// Where.
        at: String,
    },
    /// The books are of an older version of this program.
    #[error("the books in {at} are at schema version {found} of {known}: `hongbao migrate` brings them up")]
    Older {
        /// Where.
        at: String,
        /// Their version.
        found: usize,
        /// The version this program needs.
        known: usize,
    },
    /// A newer version of this program has migrated the database.
    #[error("the books in {at} are at schema version {found}, and this program knows only up to {known}")]
    Newer {
        /// Where.
        at: String,
        /// Their version.
        found: usize,
        /// The last version this program knows.
        known: usize,
    },
    /// Tables, constraints or triggers are missing, or a migration was done by hand and in part.
    #[error(
        "the schema `hongbao` in {at} is not whole: tables, constraints or triggers are missing, or are not ours"
    )]
    Damaged {
        /// Where.
        at: String,
    },
    /// The clocks of this machine and of the server differ. Hosts judge leases and expiry by their own
    /// clocks, so one that is wrong ends what others have just begun.
    #[error(
        "this machine's clock is {seconds} s {direction} that of PostgreSQL at {at}: set the wrong one right"
    )]
    Clock {
        /// Where.
        at: String,
        /// By how much.
        seconds: u64,
        /// `ahead of` or `behind`.
        direction: &'static str,
    },
    /// Something else.
    #[error("PostgreSQL at {at} failed: {source}")]
    Other {
        /// Where.
        at: String,
        /// What happened.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl OpenError {
    /// The code in every interface.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Url(_) | Self::Tls => "ledger-url",
            Self::Unreachable { .. } => "ledger-unavailable",
            Self::NotAdmitted { .. } => "ledger-not-admitted",
            Self::NotPermitted { .. } => "ledger-not-permitted",
            Self::ReadOnly { .. } => "ledger-read-only",
            Self::Missing { .. } => "no-ledger",
            Self::Older { .. } => "ledger-older",
            Self::Newer { .. } => "ledger-newer",
            Self::Damaged { .. } => "ledger-damaged",
            Self::Clock { .. } => "clock",
            Self::Other { .. } => "ledger-failed",
        }
    }
}

/// A database that is named, and not connected to yet.
pub(super) struct Address {
    pub(super) config: Config,
    at: String,
}

impl Address {
    /// Reads a URL, or the keywords of libpq.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let told = |error: tokio_postgres::Error| {
            OpenError::Url(error.source().map_or_else(|| error.to_string(), ToString::to_string))
        };
        let mut config: Config = url.parse().map_err(told)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(OpenError::Url("it names no host".into()));
        }
        if matches!(config.get_ssl_mode(), SslMode::Require) {
            return Err(OpenError::Tls);
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_application_name().is_none() {
            config.application_name("hongbao");
        }
        // A server that is gone without a word must not be waited for longer than for an answer.
        config.tcp_user_timeout(ANSWER).keepalives_idle(KEEPALIVE);
        // Of several hosts the one that is the primary now; of one, only if it is.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        let at = at(&config);
        Ok(Self { config, at })
    }

    /// Connects once, outside of the pool, and acts. The connection is gone when this returns.
    async fn once<T>(
        &self,
        patience: Duration,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, OpenError> {
        let (mut client, connection) = self.connect().await?;
        let acted = timeout(patience, act(&mut client)).await;
        drop(client);
        // How it ends says nothing that the answer does not.
        let _ = connection.await;
        let acted = acted.unwrap_or_else(|_| Err(Error::TimedOut(patience.as_millis())));
        acted.map_err(|error| self.failed(error))
    }

    async fn connect(&self) -> Result<(Client, JoinHandle<()>), OpenError> {
        let hosts = self.config.get_hosts().len().max(1) as u32;
        let connected = timeout(CONNECT * hosts + ANSWER, self.config.connect(NoTls)).await;
        let (client, connection) = match connected {
            Ok(connected) => connected.map_err(|error| self.failed(error.into()))?,
            Err(elapsed) => {
                return Err(OpenError::Unreachable { at: self.at.clone(), source: elapsed.into() });
            }
        };
        // Ends with the client, and what it has to complain about the client is told.
        Ok((client, tokio::spawn(async { _ = connection.await })))
    }

    /// Checks that the books are there, whole, of our version, and that we may do what `rehearsal`
    /// does, which changes nothing.
    pub(super) async fn check(&self, rehearsal: &str) -> Result<(), OpenError> {
        let looked = self.once(ANSWER, async |client| {
            let schema = migrate::schema(client).await?;
            let row = client
                .query_one("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint", &[])
                .await?;
            let difference = here_ms().saturating_sub(row.try_get(0)?);
            if schema == Schema::Current {
                // What a call does, on no rows: a missing permission shows here and not at midnight.
                client.batch_execute(rehearsal).await?;
            }
            Ok((schema, difference))
        });
        let (schema, difference) = looked.await?;
        self.usable(schema)?;
        self.in_time(difference)
    }

    /// Judges how far this machine's clock is ahead of the server's.
    fn in_time(&self, difference_ms: i64) -> Result<(), OpenError> {
        let direction = if difference_ms > 0 { "ahead of" } else { "behind" };
        match Duration::from_millis(difference_ms.unsigned_abs()) {
            apart if apart <= APART => Ok(()),
            apart => Err(OpenError::Clock { at: self.at.clone(), seconds: apart.as_secs(), direction }),
        }
    }

    /// Brings the books to our version; gives how they stood before.
    pub(super) async fn migrate(&self) -> Result<Schema, OpenError> {
        let before = self.once(LONG, async |client| migrate::migrate(client).await).await?;
        match before {
            Schema::Newer(_) | Schema::Damaged => self.usable(before).map(|()| before),
            Schema::Missing | Schema::Older(_) | Schema::Current => Ok(before),
        }
    }

    fn usable(&self, schema: Schema) -> Result<(), OpenError> {
        let (at, known) = (self.at.clone(), migrate::known());
        match schema {
            Schema::Current => Ok(()),
            Schema::Missing => Err(OpenError::Missing { at }),
            Schema::Older(found) => Err(OpenError::Older { at, found, known }),
            Schema::Newer(found) => Err(OpenError::Newer { at, found, known }),
            Schema::Damaged => Err(OpenError::Damaged { at }),
        }
    }

    fn failed(&self, error: Error) -> OpenError {
        let at = self.at.clone();
        let Error::Sql(sql) = &error else {
            return OpenError::Unreachable { at, source: error.into() };
        };
        let reason = error.to_string();
        match sql.code() {
            None if reason.contains("does not allow writes") => OpenError::ReadOnly { at },
            // The driver refuses before it asks, where the URL has no password and one is wanted.
            None if reason.contains("password missing") => OpenError::NotAdmitted { at, reason },
            None => OpenError::Unreachable { at, source: error.into() },
            Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => {
                OpenError::NotPermitted { at, reason }
            }
            Some(state) if *state == SqlState::UNDEFINED_DATABASE || state.code().starts_with("28") => {
                OpenError::NotAdmitted { at, reason }
            }
            Some(state) if *state == SqlState::READ_ONLY_SQL_TRANSACTION => OpenError::ReadOnly { at },
            Some(state) if matches!(state.code().get(..2), Some("08" | "53" | "57")) => {
                OpenError::Unreachable { at, source: error.into() }
            }
            Some(_) => OpenError::Other { at, source: error.into() },
        }
    }
}

/// This machine's clock, in milliseconds since the Unix epoch.
fn here_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Touches each table as the ledger does, and changes nothing.
pub(super) const REHEARSAL: &str = "
    SELECT nextval('hongbao.outbox_sequence') WHERE false;
    SELECT FROM hongbao.packets WHERE false FOR UPDATE;
    SELECT FROM hongbao.postings WHERE false;
    INSERT INTO hongbao.orders SELECT * FROM hongbao.orders WHERE false;
    INSERT INTO hongbao.packets SELECT * FROM hongbao.packets WHERE false;
    INSERT INTO hongbao.rooms SELECT * FROM hongbao.rooms WHERE false;
    INSERT INTO hongbao.claims SELECT * FROM hongbao.claims WHERE false;
    UPDATE hongbao.outbox SET parked = parked WHERE false;
    DELETE FROM hongbao.outbox WHERE false;
    INSERT INTO hongbao.movements SELECT * FROM hongbao.movements WHERE false;
    INSERT INTO hongbao.health (filler) SELECT filler FROM hongbao.health WHERE false;
    SELECT FROM hongbao.wallets, hongbao.escrows WHERE false";

fn at(config: &Config) -> String {
    let ports = config.get_ports();
    let port = |index: usize| ports.get(index).or(ports.first()).copied().unwrap_or(5432);
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| match host {
        Host::Tcp(name) => format!("{name}:{}", port(index)),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let hosts: Vec<String> = hosts.collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{}/{database}", hosts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_hosts_and_database_and_no_password() {
        let address =
            Address::parse("postgres://me:secret@one:1,two:2/books?target_session_attrs=any").unwrap();
        assert_eq!(address.at, "one:1,two:2/books");
        assert_eq!(address.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
    }

    #[test]
    fn clocks_that_differ_are_told_with_the_direction() {
        let address = Address::parse("postgres://one/books").unwrap();
        assert!(address.in_time(30_000).is_ok() && address.in_time(-30_000).is_ok());
        let told = |difference| address.in_time(difference).unwrap_err().to_string();
        assert!(told(31_000).contains("31 s ahead of that of PostgreSQL at one:5432"), "{}", told(31_000));
        assert!(told(-7_200_000).contains("7200 s behind"));
    }

    #[test]
    fn what_is_no_url_is_refused_without_connecting() {
        for (url, code) in [
            ("postgres:/", "ledger-url"),
            ("postgres://", "ledger-url"),
            ("redis://localhost", "ledger-url"),
            ("postgres://localhost/x?sslmode=require", "ledger-url"),
            ("postgres://localhost/x?nonsense=1", "ledger-url"),
        ] {
            assert_eq!(Address::parse(url).err().map(|error| error.code()), Some(code), "{url}");
        }
    }
}
