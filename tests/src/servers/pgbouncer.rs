//! A PgBouncer in front of a PostgreSQL server.

use std::fs;
use std::net::SocketAddr;

use super::account::Account;
use super::keeper::{Keeper, directory};
use super::postgres::Postgres;
use super::{ports, program};

/// A PgBouncer with Debian's settings, which lets everybody through to every database of one server.
pub struct PgBouncer {
    keeper: Keeper,
    port: u16,
}

impl PgBouncer {
    /// Starts one in a mode such as `session`, with more lines of its configuration.
    #[must_use]
    #[track_caller]
    pub fn start(server: &Postgres, mode: &str, more: &str) -> Self {
        ports::on_a_free_port(|port| {
            let directory = directory();
            let account = Account::unprivileged(directory.path());
            let data = directory.path().join("data");
            let file = data.join("pgbouncer.ini");
            let configuration = format!(
                "[databases]\n* = host=127.0.0.1 port={} user=postgres\n\
                 [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
                 auth_type = any\npool_mode = {mode}\n{more}\n",
                server.port()
            );
            fs::write(&file, configuration).expect("a file of ours");
            account.own(&file);
            let program = program("pgbouncer").display().to_string();
            let keeper = Keeper::new(directory, account, &[program, file.display().to_string()]);
            let bouncer = Self { keeper, port };
            bouncer
                .keeper
                .start(|_| std::net::TcpStream::connect(bouncer.address()).is_ok())
                .map(|()| bouncer)
        })
    }

    /// Such as `postgres://postgres@127.0.0.1:12345/database`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Address and port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        ports::local(self.port)
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&self) {
        self.keeper.end();
    }
}
