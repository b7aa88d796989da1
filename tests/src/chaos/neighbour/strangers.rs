//! Strangers who open connections and say nothing, or half of something.

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::mischief::Counts;
use crate::chaos::dice::Dice;

/// More than the service has room for.
const CONNECTIONS: u64 = 400;
/// Longest time until a connection that was closed is opened again: some 700 a second are.
const PAUSE_MS: u64 = 1_000;
/// Nothing; the first letters of HTTP/2; half a head; the first bytes of TLS.
const BEGINNINGS: [&[u8]; 4] = [b"", b"PRI", b"GET /readyz HTTP/1.1\r\nHost: x\r\n", b"\x16\x03\x01"];

/// Opens all connections, again and again as they are closed, for ever.
pub async fn connect(address: &str, counts: &Counts) {
    let beginnings = (0..CONNECTIONS).zip(BEGINNINGS.into_iter().cycle());
    let strangers = beginnings.map(|(number, beginning)| {
        let dice = Dice::of(1, &[number]);
        stranger(address, beginning, dice, counts)
    });
    join_all(strangers).await;
}

async fn stranger(address: &str, beginning: &[u8], mut dice: Dice, counts: &Counts) {
    loop {
        // Never all at once: that would measure how long one burst takes.
        sleep(dice.between_ms(0, PAUSE_MS)).await;
        counts.made();
        if let Ok(mut stream) = TcpStream::connect(address).await {
            // One that is closed at once is found out by reading.
            let _ = stream.write_all(beginning).await;
            while stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {}
        }
        counts.refused();
    }
}
