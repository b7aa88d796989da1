//! Strangers who open connections and say nothing, or half of something.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::mischief::Counts;

/// More than the service has room for.
const CONNECTIONS: usize = 400;
/// Until a connection that was closed is opened again.
const PAUSE: Duration = Duration::from_millis(500);
/// Nothing; the first letters of HTTP/2; half a head; the first bytes of TLS.
const BEGINNINGS: [&[u8]; 4] = [b"", b"PRI", b"GET /readyz HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01"];

/// Opens all connections, again and again as they are closed, for ever.
pub async fn connect(address: &str, counts: &Counts) {
    let beginnings = BEGINNINGS.into_iter().cycle().take(CONNECTIONS);
    join_all(beginnings.map(|beginning| stranger(address, beginning, counts))).await;
}

async fn stranger(address: &str, beginning: &[u8], counts: &Counts) {
    loop {
        counts.made();
        if let Ok(mut stream) = TcpStream::connect(address).await {
            // One that is closed at once is found out by reading.
            let _ = stream.write_all(beginning).await;
            while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
        }
        counts.refused();
        sleep(PAUSE).await;
    }
}
