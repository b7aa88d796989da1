//! Hongbao's events of a room, as a sign that cards have to be drawn again.
//!
//! What an event says is not used: the packet is asked for. So one that is lost or comes twice costs nothing.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::bridge::Bridge;
use crate::json::at;

/// Hongbao says something at least every 15 s.
const SILENCE: Duration = Duration::from_secs(40);
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How often it is asked whether anybody still wants to know.
const LOOK_EVERY: Duration = Duration::from_secs(5);
const LONGEST_LINE: usize = 1 << 20;

/// Listens to a room as long as a card goes on there.
pub(crate) async fn listen(bridge: Arc<Bridge>, room: String) {
    while bridge.live.is_listened(&room) {
        let ended = read(&bridge, &room).await;
        if let Err(why) = ended {
            tracing::debug!(?room, "events are listened to again later: {why}");
        }
        bridge.live.wake_room(&room);
        sleep(AGAIN_AFTER).await;
    }
}

async fn read(bridge: &Bridge, room: &str) -> Result<(), String> {
    let response = bridge.hongbao.events(room).await.map_err(|fault| fault.to_string())?;
    // Something may have happened before this stream began.
    bridge.live.wake_room(room);
    let mut chunks = response.bytes_stream();
    let (mut lines, mut silence) = (Lines::default(), Duration::ZERO);
    while bridge.live.is_listened(room) {
        match timeout(LOOK_EVERY, chunks.next()).await {
            Err(_) if silence >= SILENCE => return Err("nothing is said any more".into()),
            Err(_) => silence += LOOK_EVERY,
            Ok(None) => return Ok(()),
            Ok(Some(chunk)) => {
                silence = Duration::ZERO;
                let chunk = chunk.map_err(|error| error.without_url().to_string())?;
                for sign in lines.signs(&chunk)? {
                    match sign {
                        Sign::Packet(packet) => bridge.live.wake(&packet),
                        Sign::Gap => bridge.live.wake_room(room),
                    }
                }
            }
        }
    }
    Ok(())
}

/// What an event is a sign of.
#[derive(Debug, PartialEq, Eq)]
enum Sign {
    Packet(String),
    /// Some are missing.
    Gap,
}

/// Bytes of a stream that are not a whole line yet.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn signs(&mut self, chunk: &[u8]) -> Result<Vec<Sign>, String> {
        self.0.extend_from_slice(chunk);
        let end = self.0.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.0.drain(..end).collect();
        if self.0.len() > LONGEST_LINE {
            return Err("a line never ends".into());
        }
        Ok(whole.split(|byte| *byte == b'\n').filter_map(sign).collect())
    }
}

fn sign(line: &[u8]) -> Option<Sign> {
    let data: Value = serde_json::from_slice(line.strip_prefix(b"data:")?).ok()?;
    if let Some(packet) = at(&data, &["packet"]).as_str() {
        return Some(Sign::Packet(packet.to_owned()));
    }
    data.get("after").map(|_| Sign::Gap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_read_however_the_stream_is_cut() {
        let text = "event: sent\nid: 1-1\ndata: {\"packet\":\"a\",\"version\":1}\n\n: keep\nevent: message\n\
                    data: {\"text\":\"hi\"}\n\nevent: gap\ndata: {\"after\":\"1-1\"}\n\ndata: {\"packet\":\"b\"}";
        let wanted = [Sign::Packet("a".into()), Sign::Gap];
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let found: Vec<_> =
                text.as_bytes().chunks(size).flat_map(|chunk| lines.signs(chunk).unwrap()).collect();
            assert_eq!(found, wanted, "{size}");
        }
    }

    #[test]
    fn a_line_that_never_ends_is_an_error() {
        let mut lines = Lines::default();
        assert!((0..3).any(|_| lines.signs(&vec![b'a'; LONGEST_LINE]).is_err()));
    }
}
