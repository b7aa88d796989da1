//! A receiver of messages that answers as it is told, and remembers what it got.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that fails says so by a panic")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hongbao_host::server::Received;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// With this status, these header lines and this body.
    Answer(u16, String, String),
    /// With a status, and then bytes without end.
    Endless(u16),
    /// Not at all: the connection stays open.
    Never,
    /// It closes the connection before an answer.
    Close,
    /// It closes the connection in the middle of an answer.
    Cut(u16),
    /// It answers with 200 after this time.
    Late(Duration),
}

impl Reaction {
    pub fn status(status: u16) -> Self {
        Self::Answer(status, String::new(), String::new())
    }
}

/// A message as it came.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub timestamp_s: u64,
    pub signatures: String,
    pub text: String,
    pub body: Value,
    pub reaction: Reaction,
}

impl Message {
    /// The kind of its event.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap()
    }

    /// The id of its event.
    pub fn event(&self) -> &str {
        self.body["data"]["id"].as_str().unwrap()
    }

    pub fn is_signed_by(&self, secret: &str) -> bool {
        let Self { id, timestamp_s, signatures, text, .. } = self;
        let received = Received { id, timestamp_s: *timestamp_s, signatures, body: text.as_bytes() };
        received.verify(secret, *timestamp_s).is_ok()
    }
}

type Decide = Box<dyn FnMut(&Message) -> Reaction + Send>;

struct State {
    decide: Decide,
    got: Vec<Message>,
}

/// See the module.
pub struct Receiver {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// One that takes everything.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { decide: Box::new(|_| Reaction::status(204)), got: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let served = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self { address, state, serving }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// From now on it decides so.
    pub fn react(&self, decide: impl FnMut(&Message) -> Reaction + Send + 'static) {
        self.state.lock().unwrap().decide = Box::new(decide);
    }

    /// From now on it answers every message so.
    pub fn always(&self, reaction: Reaction) {
        self.react(move |_| reaction.clone());
    }

    /// All that it got.
    pub fn got(&self) -> Vec<Message> {
        self.state.lock().unwrap().got.clone()
    }

    /// Messages that it took: those that it answered with 2xx in time.
    pub fn took(&self) -> Vec<Message> {
        let mut got = self.got();
        got.retain(|message| {
            matches!(message.reaction, Reaction::Answer(200..=299, ..) | Reaction::Endless(200..=299))
        });
        got
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let Some((head, text)) = read(&mut stream).await else { return };
    let header = |name: &str| {
        let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    assert_eq!(header("content-type"), "application/json");
    let mut message = Message {
        id: header("webhook-id"),
        timestamp_s: header("webhook-timestamp").parse().unwrap(),
        signatures: header("webhook-signature"),
        body: serde_json::from_str(&text).unwrap(),
        text,
        reaction: Reaction::Never,
    };
    let reaction = {
        let mut state = state.lock().unwrap();
        message.reaction = (state.decide)(&message);
        state.got.push(message.clone());
        message.reaction
    };
    let _ = answer(&mut stream, reaction).await;
}

async fn read(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..count]);
        let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
        let length = head.to_lowercase().lines().find_map(|line| {
            line.strip_prefix("content-length: ").map(|length| length.parse::<usize>().unwrap())
        });
        if bytes.len() >= at + 4 + length.unwrap() {
            return Some((head, String::from_utf8(bytes[at + 4..].to_vec()).unwrap()));
        }
    }
}

async fn answer(stream: &mut TcpStream, reaction: Reaction) -> std::io::Result<()> {
    const FOREVER: Duration = Duration::from_secs(600);
    match reaction {
        Reaction::Answer(status, headers, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(format!("{head}{body}").as_bytes()).await
        }
        Reaction::Endless(status) => {
            let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n\r\n");
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(&[b'x'; 65536]).await?;
            }
        }
        Reaction::Never => {
            tokio::time::sleep(FOREVER).await;
            Ok(())
        }
        Reaction::Close => Ok(()),
        Reaction::Cut(status) => {
            stream
                .write_all(format!("HTTP/1.1 {status} X\r\ncontent-length: 100\r\n\r\nhalf").as_bytes())
                .await
        }
        Reaction::Late(time) => {
            tokio::time::sleep(time).await;
            stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await
        }
    }
}
