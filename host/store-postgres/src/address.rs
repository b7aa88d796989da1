//! A database that is named in a URL: whose it is, and whether it can be used.

use std::error::Error as _;
use std::pin::pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode, SslNegotiation, TargetSessionAttrs};
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::{Client, Config};

use super::connector::{CONNECT, Connector};
use super::error::{Error, Unfit};
use super::migrate::{self, Schema};
use super::open::OpenError;
use super::parameters;
use super::read;
use super::rights::Rights;
use super::sessions::{ANSWER, LONG};
use super::tls::{Tls, TlsError};
use super::{diagnosis, guards, history, pooler};
use hongbao_store::{History, patience};

/// After so long without a word, a silent connection is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// Touches each table as the ledger does, and changes nothing.
pub(super) const REHEARSAL: &str = "
    SELECT nextval('hongbao.outbox_sequence') WHERE false;
    SELECT FROM hongbao.packets WHERE false FOR UPDATE;
    INSERT INTO hongbao.orders SELECT * FROM hongbao.orders WHERE false;
    INSERT INTO hongbao.packets SELECT * FROM hongbao.packets WHERE false;
    INSERT INTO hongbao.rooms SELECT * FROM hongbao.rooms WHERE false;
    INSERT INTO hongbao.claims SELECT * FROM hongbao.claims WHERE false;
    UPDATE hongbao.outbox SET parked = parked WHERE false;
    DELETE FROM hongbao.outbox WHERE false;
    INSERT INTO hongbao.movements SELECT * FROM hongbao.movements WHERE false;
    INSERT INTO hongbao.withdrawals SELECT * FROM hongbao.withdrawals WHERE false;
    INSERT INTO hongbao.health (filler) SELECT filler FROM hongbao.health WHERE false;
    SELECT FROM hongbao.wallets, hongbao.escrows WHERE false";

/// A database that is named, and not connected to yet.
pub(super) struct Address {
    pub(super) connector: Connector,
    at: String,
}

impl Address {
    /// Reads a URL, or the keywords of libpq.
    pub(super) fn parse(url: &str) -> Result<Self, OpenError> {
        let told = |error: tokio_postgres::Error| {
            OpenError::Url(error.source().map_or_else(|| error.to_string(), ToString::to_string))
        };
        let (rest, ours) = parameters::split(url.trim())?;
        let mut config: Config = rest.parse().map_err(told)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(OpenError::Url("it names no host".into()));
        }
        if config.get_hosts().is_empty() {
            // An address is also the name that a certificate is for.
            for address in config.get_hostaddrs().to_vec() {
                config.host(address.to_string());
            }
        }
        if config.get_connect_timeout().is_none() {
            // Each of several hosts has its part, so that one that is silent leaves time for the next.
            let hosts = u32::try_from(config.get_hosts().len().max(1)).unwrap_or(1);
            config.connect_timeout((CONNECT * 3 / 4 / hosts).max(CONNECT / 8));
        }
        if config.get_application_name().is_none() {
            config.application_name("hongbao");
        }
        // A server that is gone without a word must not be waited for longer than for an answer.
        config.tcp_user_timeout(ANSWER).keepalives_idle(KEEPALIVE);
        // Of several hosts the one that is the primary now; of one, only if it is.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        let at = at(&config);
        let tls = Tls::read(&ours).map_err(|error| by_tls(&at, error))?;
        config.ssl_mode(if is_local(&config) { SslMode::Disable } else { tls.mode });
        encrypts_from_the_first_byte(&mut config)?;
        Ok(Self { connector: Connector::new(config, tls.connect), at })
    }

    /// Connects, and where nobody answers soon, looks who is there.
    async fn connect(&self) -> Result<(Client, JoinHandle<()>), OpenError> {
        let mut connecting = pin!(self.connector.connect());
        let connected = match timeout(diagnosis::SOON, &mut connecting).await {
            Ok(connected) => connected,
            Err(_) if diagnosis::is_redis(self.connector.config()).await => {
                let why = format!("what answers at {} is Redis and no PostgreSQL", self.at);
                return Err(OpenError::Url(why));
            }
            Err(_) => connecting.await,
        };
        connected.map_err(|error| self.failed(error))
    }

    /// Connects once, outside of the pool, and acts. The connection is gone when this returns.
    async fn once<T>(
        &self,
        patience: Duration,
        act: impl AsyncFnOnce(&mut Client) -> Result<T, Error>,
    ) -> Result<T, OpenError> {
        let (mut client, connection) = self.connect().await?;
        let acted = timeout(patience, async {
            pooler::check(&self.connector, &client).await?;
            act(&mut client).await
        });
        let acted = acted.await.unwrap_or_else(|_| Err(Error::TimedOut(patience.as_millis())));
        drop(client);
        // How it ends says nothing that the answer does not.
        let _ = connection.await;
        acted.map_err(|error| self.failed(error))
    }

    /// Checks that the books are there, whole, of our version, and that we may do what `rehearsal`
    /// does, which changes nothing.
    pub(super) async fn check(&self, rehearsal: &str, rights: &Rights) -> Result<(), OpenError> {
        let looked = self.once(ANSWER, async |client| {
            let schema = migrate::schema(client).await?;
            let difference = here_ms().saturating_sub(read::clock(client).await?);
            if schema == Schema::Current {
                // First, since whoever lacks a right may not see whether all is whole.
                rights.held(client).await?;
                guards::intact(client).await?;
                // What a call does, on no rows: a missing permission shows here and not at midnight.
                client.batch_execute(rehearsal).await?;
            }
            Ok((schema, difference))
        });
        let (schema, difference) = looked.await?;
        self.usable(schema)?;
        self.in_time(difference)
    }

    /// Looks which history of the books the database tells.
    pub(super) async fn learn(&self, history: &History) -> Result<(), OpenError> {
        self.once(ANSWER, async |client| history::learn(client, history).await).await
    }

    /// Judges how far this machine's clock is ahead of the server's.
    fn in_time(&self, difference_ms: i64) -> Result<(), OpenError> {
        let direction = if difference_ms > 0 { "ahead of" } else { "behind" };
        match Duration::from_millis(difference_ms.unsigned_abs()) {
            apart if apart <= patience::CLOCKS_APART => Ok(()),
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
            Schema::Damaged => {
                let what = "the schema `hongbao` does not say which version it is of; restore it from a backup, or \
                            drop or rename it where it is not ours";
                Err(OpenError::Damaged { at, what: what.into() })
            }
        }
    }

    fn failed(&self, error: Error) -> OpenError {
        let at = self.at.clone();
        let reason = error.to_string();
        match error {
            Error::Unfit(Unfit::NotPermitted(reason)) => OpenError::NotPermitted { at, reason },
            Error::Unfit(Unfit::Damaged(what)) => OpenError::Damaged { at, what },
            Error::Unfit(Unfit::Encoding(found)) => OpenError::Encoding { at, found },
            Error::Unfit(Unfit::Pooled) => OpenError::Pooler { at },
            error if error.is_another_session() => OpenError::Pooler { at },
            Error::Sql(sql) => refused(at, reason, sql),
            error => OpenError::Unreachable { at, source: error.into() },
        }
    }
}

/// `sslnegotiation=direct` leaves no way to go on without encryption. The driver would say so too, and only
/// when it connects.
fn encrypts_from_the_first_byte(config: &mut Config) -> Result<(), OpenError> {
    match (config.get_ssl_negotiation(), config.get_ssl_mode()) {
        (SslNegotiation::Direct, SslMode::Disable) if is_local(config) => {
            config.ssl_negotiation(SslNegotiation::Postgres);
            Ok(())
        }
        (SslNegotiation::Direct, SslMode::Disable | SslMode::Prefer) => {
            let why = "sslnegotiation=direct goes with sslmode=require, verify-ca or verify-full alone";
            Err(OpenError::Url(why.into()))
        }
        _ => Ok(()),
    }
}

/// Over a socket of the same machine there is no TLS, whatever the URL says of it: as with libpq.
fn is_local(config: &Config) -> bool {
    let is_path = |host: &Host| match host {
        Host::Tcp(_) => false,
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(is_path)
}

fn by_tls(at: &str, error: TlsError) -> OpenError {
    match error.code() {
        "ledger-url" => OpenError::Url(error.to_string()),
        _ => OpenError::Tls { at: at.to_owned(), source: error },
    }
}

/// Words of a pooler about a login that failed, there or at the server.
const LOGINS: [&str; 4] = ["no such database", "no such user", "does not exist", "authentication failed"];

/// What the server, or a pooler in front of it, said to a connection.
fn refused(at: String, reason: String, error: tokio_postgres::Error) -> OpenError {
    if let Some(source) = TlsError::of(&error) {
        return OpenError::Tls { at, source };
    }
    let Some(state) = error.code() else {
        return match () {
            () if reason.contains("does not allow writes") => OpenError::ReadOnly { at },
            // The driver refuses before it asks, where the URL has no password and one is wanted.
            () if reason.contains("password missing") => OpenError::NotAdmitted { at, reason },
            () => OpenError::Unreachable { at, source: Error::from(error).into() },
        };
    };
    let class = state.code().get(..2).unwrap_or_default();
    match state {
        // PgBouncer passes on only those options of a session's start that it knows.
        _ if reason.contains("startup parameter") => {
            OpenError::Url(format!("the pooler at {at} refuses a part of it ({reason}); take that part out"))
        }
        // What PgBouncer says of a login, with a code of its own.
        _ if class == "08" && LOGINS.iter().any(|words| reason.contains(words)) => {
            OpenError::NotAdmitted { at, reason }
        }
        _ if *state == SqlState::INSUFFICIENT_PRIVILEGE => OpenError::NotPermitted { at, reason },
        _ if *state == SqlState::UNDEFINED_DATABASE || class == "28" => OpenError::NotAdmitted { at, reason },
        // What ends a session is about all of it: a database that takes no connections, such as template0.
        _ if *state == SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE && is_fatal(&error) => {
            OpenError::NotAdmitted { at, reason }
        }
        _ if *state == SqlState::READ_ONLY_SQL_TRANSACTION => OpenError::ReadOnly { at },
        _ if matches!(class, "08" | "53" | "57") => {
            OpenError::Unreachable { at, source: Error::from(error).into() }
        }
        _ => OpenError::Other { at, source: Error::from(error).into() },
    }
}

fn is_fatal(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().and_then(DbError::parsed_severity) == Some(Severity::Fatal)
}

/// This machine's clock, in milliseconds since the Unix epoch.
fn here_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

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
        assert_eq!(address.connector.config().get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
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
            ("postgres://localhost/x?sslmode=encrypted", "ledger-url"),
            ("postgres://localhost/x?nonsense=1", "ledger-url"),
            ("postgres://localhost/x?sslnegotiation=direct", "ledger-url"),
            ("postgres://localhost/x?sslnegotiation=direct&sslmode=disable", "ledger-url"),
        ] {
            assert_eq!(Address::parse(url).err().map(|error| error.code()), Some(code), "{url}");
        }
        for url in [
            "postgres://localhost/x?sslnegotiation=direct&sslmode=require",
            "host=/tmp sslnegotiation=direct",
        ] {
            assert!(Address::parse(url).is_ok(), "{url}");
        }
    }
}
