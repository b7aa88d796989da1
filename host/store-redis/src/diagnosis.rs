//! Detection of servers that are not Redis.
//!
//! The client reports another protocol as a connection that broke, and every refusal while logging in as
//! a wrong password. So after such an error one more connection is made, by hand, and its first bytes are
//! looked at. Nothing secret is sent.

use std::sync::Arc;
use std::time::Duration;

use redis::ConnectionAddr;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::fault::Fault;
use super::tls::{Certificates, PING};
use super::tls_fault::TlsFault;

/// What looking may take.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// As much as is needed to tell a protocol.
const FIRST_BYTES: usize = 256;

/// How PostgreSQL is asked for TLS; it answers with one letter.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];

/// None where it is a Redis server with nothing special to say, or where nothing can be found out.
/// `certificates` are there where it should speak TLS.
pub(super) async fn look(address: &ConnectionAddr, certificates: Option<&Certificates>) -> Option<Fault> {
    let (host, port) = match address {
        ConnectionAddr::Tcp(host, port) => (host, port),
        ConnectionAddr::TcpTls { host, port, .. } => {
            if let Some(fault) = certificates?.look(host, *port, LOOK).await {
                return Some(Fault::Tls(fault));
            }
            // Without TLS, Redis goes on waiting for the end of what it takes for a command.
            let is_plain = matches!(*answer(host, *port, PING).await?, [b'+' | b'-', ..]);
            return is_plain.then_some(Fault::Tls(TlsFault::Unknown));
        }
        _ => return None,
    };
    match answer(host, *port, PING).await? {
        // Some close a connection without a word on which no TLS begins.
        first if first.is_empty() => {
            if is_tls(&answer(host, *port, &client_hello()?).await?) {
                return Some(Fault::Tls(TlsFault::Wanted));
            }
            let first = answer(host, *port, &SSL_REQUEST).await?;
            matches!(*first, [b'S' | b'N']).then(|| Fault::NotRedis("it speaks PostgreSQL's protocol".into()))
        }
        first => recognise(&first),
    }
}

/// Whether a Redis server without TLS answers who has not logged in.
pub(super) async fn takes_anybody(address: &ConnectionAddr) -> bool {
    let ConnectionAddr::Tcp(host, port) = address else { return false };
    answer(host, *port, PING).await.is_some_and(|first| first.starts_with(b"+PONG"))
}

/// The first bytes that come back; none of them where the connection is closed.
async fn answer(host: &str, port: u16, question: &[u8]) -> Option<Vec<u8>> {
    let ask = async {
        let stream = TcpStream::connect((host, port)).await.ok()?;
        stream.writable().await.ok()?;
        stream.try_write(question).ok()?;
        let mut first = vec![0; FIRST_BYTES];
        loop {
            stream.readable().await.ok()?;
            match stream.try_read(&mut first) {
                Ok(length) => {
                    first.truncate(length);
                    return Some(first);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                // Closed with what we wrote still unread.
                Err(_) => return Some(Vec::new()),
            }
        }
    };
    timeout(LOOK, ask).await.ok().flatten()
}

/// The beginning of TLS, of which only that it is answered is of interest.
fn client_hello() -> Option<Vec<u8>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let config = config.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    let name = ServerName::try_from("localhost").ok()?;
    let mut hello = Vec::new();
    ClientConnection::new(Arc::new(config), name).ok()?.write_tls(&mut hello).ok()?;
    Some(hello)
}

/// A record of TLS: a handshake or an alert.
fn is_tls(first: &[u8]) -> bool {
    matches!(first, [0x15 | 0x16, 3, ..])
}

fn recognise(first: &[u8]) -> Option<Fault> {
    if is_tls(first) {
        return Some(Fault::Tls(TlsFault::Wanted));
    }
    let text = String::from_utf8_lossy(first);
    let found = match &*text {
        text if text.starts_with("-DENIED") => return Some(Fault::Protected),
        text if text.starts_with("-ERR max number of clients") => return Some(Fault::TooManyClients),
        text if text.starts_with("-LOADING") => return Some(Fault::Loading),
        text if text.starts_with(['+', '-']) => return None,
        text if text.starts_with("HTTP/") => "it speaks HTTP",
        text if text.starts_with("SSH-") => "it speaks SSH",
        _ => "it speaks another protocol",
    };
    Some(Fault::NotRedis(found.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_told_by_its_first_bytes() {
        let found = |first: &[u8]| recognise(first).map(|fault| fault.to_string()).unwrap_or_default();
        assert_eq!(found(b"+PONG\r\n"), "");
        assert_eq!(found(b"-NOAUTH Authentication required.\r\n"), "");
        assert!(found(b"-DENIED Redis is running in protected mode because").contains("protected mode"));
        assert!(found(b"-ERR max number of clients reached\r\n").contains("maxclients"));
        assert!(found(b"HTTP/1.1 400 Bad Request\r\n").contains("HTTP"));
        assert!(found(b"SSH-2.0-OpenSSH_9.2\r\n").contains("SSH"));
        assert!(found(&[0x15, 3, 3, 0, 2, 2, 70]).contains("rediss"));
        assert!(found(b"ERROR\r\n").contains("another protocol"));
        assert!(found(&[0x4a, 0, 0, 0, 10]).contains("another protocol"));
    }

    #[test]
    fn a_client_hello_is_tls() {
        assert!(is_tls(&client_hello().unwrap()));
    }
}
