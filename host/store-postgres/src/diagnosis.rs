//! What it is that answers, where it is no PostgreSQL. Redis takes the beginning of a session for a command of
//! which the rest is still to come, and waits.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// A PostgreSQL that is there has answered by then, or is busy.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// What looking at one host may take.
const LOOK: Duration = Duration::from_millis(500);

/// Whether Redis answers at one of the hosts. Nothing secret is sent.
pub(super) async fn is_redis(config: &Config) -> bool {
    let ports = config.get_ports();
    for (index, host) in config.get_hosts().iter().enumerate() {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        let Host::Tcp(name) = host else { continue };
        if timeout(LOOK, answers(name, port)).await.ok().flatten().unwrap_or(false) {
            return true;
        }
    }
    false
}

/// Answers begin with a sign there: `+PONG`, `-NOAUTH …`, `-DENIED …`.
async fn answers(host: &str, port: u16) -> Option<bool> {
    let mut stream = TcpStream::connect((host, port)).await.ok()?;
    stream.write_all(b"PING\r\n").await.ok()?;
    let mut first = [0; 5];
    stream.read_exact(&mut first).await.ok()?;
    Some(matches!(&first, b"+PONG" | b"-NOAU" | b"-DENI" | b"-ERR " | b"-LOAD"))
}
