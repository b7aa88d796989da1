//! What a room is told while it happens.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::stage::{Keys, Stage};

/// A stream, read event by event.
pub struct Stream {
    response: Response,
    read: String,
}

#[derive(Debug)]
pub struct Told {
    pub id: Option<String>,
    pub name: String,
    pub data: Value,
}

impl Stream {
    async fn open(stage: &Stage, keys: &Keys, room: &str, after: Option<&str>) -> Self {
        let request = stage.request(Method::GET, &format!("/v1/rooms/{room}/events"), &keys["member"]);
        let request = match after {
            Some(id) => request.header("last-event-id", id),
            None => request,
        };
        Self::of(request).await
    }

    /// The answer to a request, which must be a stream.
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: String::new() }
    }

    /// The next event; None where the stream ended.
    pub async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.read = rest;
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
                };
                if let (Some(name), Some(data)) = (field("event"), field("data")) {
                    return Some(Told { id: field("id"), name, data: serde_json::from_str(&data).unwrap() });
                }
                continue;
            }
            let chunk =
                timeout(Duration::from_secs(20), self.response.chunk()).await.expect("an event in time");
            self.read.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        }
    }

    async fn named(&mut self, name: &str) -> Told {
        loop {
            let told = self.next().await.expect("the stream goes on");
            if told.name == name {
                return told;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_is_told_of_a_packet_from_sending_to_its_end() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let mut stream = Stream::open(&stage, &keys, "family", None).await;
    let packet = stage.packet(&keys, "p", 500, 2).await;
    let sent = stream.next().await.unwrap();
    assert_eq!((sent.name.as_str(), sent.data["packet"].as_str()), ("sent", Some(packet.as_str())));
    assert_eq!((&sent.data["shares"], &sent.data["sender"]), (&json!(2), &json!("alice")));
    let bob = stage.tap(&keys, &packet, "grab-and-open", "bob").await.ok()["amount"].as_u64().unwrap();
    let progress = stream.named("progress").await;
    assert_eq!(progress.data["claimed_shares"], 1);
    let carol = stage.tap(&keys, &packet, "grab-and-open", "carol").await.ok()["amount"].as_u64().unwrap();
    let finished = stream.named("finished").await.data;
    assert_eq!((&finished["claimed_shares"], &finished["total"]), (&json!(2), &json!(500)));
    let best = if bob >= carol { ("bob", bob) } else { ("carol", carol) };
    assert_eq!((finished["best"].as_str(), finished["best_amount"].as_u64()), (Some(best.0), Some(best.1)));

    let late = stage.packet(&keys, "q", 300, 2).await;
    stream.named("sent").await;
    stage.clock.advance(24 * 60 * 60 * 1000);
    let expired = stream.named("expired").await;
    assert_eq!(
        (expired.data["packet"].as_str(), &expired.data["refunded"]),
        (Some(late.as_str()), &json!(300))
    );
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let say = |id: u32| {
        let body = json!({"id": format!("m{id}"), "sender": "alice", "text": format!("line {id}")});
        let (stage, key) = (&stage, &keys["member"]);
        async move { stage.post("/v1/rooms/family/messages", key, body).await.ok() }
    };
    let mut stream = Stream::open(&stage, &keys, "family", None).await;
    for id in 0..3 {
        say(id).await;
    }
    let first = stream.named("message").await;
    assert_eq!(first.data, json!({"id": "m0", "sender": "alice", "text": "line 0"}));
    drop(stream);
    say(3).await;
    let mut stream = Stream::open(&stage, &keys, "family", first.id.as_deref()).await;
    for id in 1..4 {
        assert_eq!(stream.next().await.unwrap().data["text"], format!("line {id}"));
    }
    // What is no longer kept is told of.
    let mut stream = Stream::open(&stage, &keys, "family", Some("1-0")).await;
    assert_eq!(stream.next().await.unwrap().name, "gap");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_and_tenants_hear_nothing_of_each_other() {
    let stage = Stage::start().await;
    let (a, b) = (stage.tenant("a").await, stage.tenant("b").await);
    let mut kitchen = Stream::open(&stage, &a, "kitchen", None).await;
    let mut elsewhere = Stream::open(&stage, &b, "family", None).await;
    let mut family = Stream::open(&stage, &a, "family", None).await;
    let say = |room: &str| {
        (
            format!("/v1/rooms/{room}/messages"),
            json!({"id": "m", "sender": "x", "text": format!("to {room} of a")}),
        )
    };
    let (path, body) = say("family");
    stage.post(&path, &a["member"], body).await.ok();
    assert_eq!(family.next().await.unwrap().data["text"], "to family of a");
    for stream in [&mut kitchen, &mut elsewhere] {
        assert!(timeout(Duration::from_millis(300), stream.next()).await.is_err());
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_key_and_with_the_host() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let mut stream = Stream::open(&stage, &keys, "family", None).await;
    let id = &keys["member"][3..19];
    stage.delete(&format!("/v1/tenants/acme/keys/{id}"), &keys["admin"]).await.ok();
    // It looks every five seconds.
    assert!(timeout(Duration::from_secs(12), stream.next()).await.expect("it ends").is_none());

    let other = stage.tenant("other").await;
    let mut stream = Stream::open(&stage, &other, "family", None).await;
    let stopped = tokio::spawn(stage.stop());
    assert!(timeout(Duration::from_secs(5), stream.next()).await.expect("it ends").is_none());
    timeout(Duration::from_secs(5), stopped).await.expect("nobody holds it up").unwrap();
}
