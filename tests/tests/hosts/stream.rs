//! A room's stream of events, read as it comes.

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::time::timeout;

use crate::caller::Caller;

pub struct Stream {
    response: Response,
    read: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct Told {
    pub id: Option<String>,
    pub name: String,
    pub data: Value,
}

impl Stream {
    /// From now on, or from what came after the event `after`.
    pub async fn open(caller: &Caller, room: &str, after: Option<&str>) -> Self {
        let request = caller.client.get(format!("{}/v1/rooms/{room}/events", caller.url));
        // Longer than a test takes: the client's own limit is for answers that end.
        let mut request = request.timeout(Duration::from_secs(600)).bearer_auth(&caller.keys["member"]);
        if let Some(id) = after {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.unwrap();
        assert!(response.status().is_success(), "{response:?}");
        Self { response, read: Vec::new() }
    }

    /// The next event; None where the stream has ended, or was cut off.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.read.drain(..end + 2).collect();
                match told(std::str::from_utf8(&event).unwrap()) {
                    Some(told) => return Some(told),
                    None => continue,
                }
            }
            let chunk =
                timeout(Duration::from_secs(30), self.response.chunk()).await.expect("an event in time");
            self.read.extend(chunk.ok()??);
        }
    }

    /// The next event of this name.
    pub async fn named(&mut self, name: &str) -> Told {
        loop {
            let told = self.next().await.expect("the stream goes on");
            if told.name == name {
                return told;
            }
        }
    }
}

/// None for a comment.
fn told(event: &str) -> Option<Told> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let (name, data) = (field("event")?.to_owned(), field("data")?);
    Some(Told { id: field("id").map(str::to_owned), name, data: serde_json::from_str(data).unwrap() })
}
