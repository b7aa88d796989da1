//! Connections of strangers who say nothing, say half of something, or do not listen.

use std::time::{Duration, Instant};

use hongbao_host::http::{ConnectionLimits, ServiceSettings, TlsFiles};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::{Stage, Stores, unhurried, until};
use crate::tls::certificate;

/// So long a connection may be silent here.
const SILENT: Duration = Duration::from_millis(400);
/// Whatever takes longer than this never happens.
const PATIENCE: Duration = Duration::from_secs(10);

fn limits(all: usize, per_address: usize) -> ConnectionLimits {
    ConnectionLimits { all, per_address, first_request: SILENT, unread: SILENT }
}

async fn stage(connections: ConnectionLimits, tls: Option<TlsFiles>) -> Stage {
    Stage::with(Stores::default(), ServiceSettings { connections, ..unhurried() }, tls).await
}

async fn connect(stage: &Stage) -> TcpStream {
    TcpStream::connect(stage.listening.address()).await.unwrap()
}

/// How long it takes until the server closes the connection.
async fn closed(mut stream: TcpStream) -> Duration {
    let begun = Instant::now();
    let mut bytes = Vec::new();
    // A connection that is reset is closed as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it is closed");
    begun.elapsed()
}

async fn metric(stage: &Stage, line: &str) -> String {
    let text = stage.get("/metrics", "").await.text;
    let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or("0").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_request_is_closed_in_time() {
    let stage = stage(limits(100, 100), None).await;
    for beginning in ["", "P", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: x\r\n"] {
        let mut stream = connect(&stage).await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        let took = closed(stream).await;
        assert!(took >= SILENT / 2 && took < SILENT * 10, "{beginning:?} took {took:?}");
    }
    let silent = "hongbao_http_connections_closed_total{reason=\"silent\"}";
    assert_eq!(metric(&stage, silent).await, "5");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_sends_a_byte_now_and_then_is_closed_in_time() {
    let stage = stage(limits(100, 100), None).await;
    let stream = connect(&stage).await;
    let (mut reader, mut writer) = stream.into_split();
    let begun = Instant::now();
    let drip = tokio::spawn(async move {
        while writer.write_all(b"X").await.is_ok() {
            tokio::time::sleep(SILENT / 8).await;
        }
    });
    let _ = timeout(PATIENCE, reader.read_to_end(&mut Vec::new())).await.expect("it is closed");
    assert!(begun.elapsed() < SILENT * 10);
    drip.await.unwrap();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_silent_before_or_after_its_handshake_is_closed_in_time() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::TempDir::new().unwrap();
    let (files, pem) = certificate(&folder);
    let stage = stage(limits(100, 100), Some(files)).await;
    let took = closed(connect(&stage).await).await;
    assert!(took < SILENT * 10, "before the handshake: {took:?}");

    let root = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let answer = client.get(format!("{}/healthz", stage.url)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_keep_nobody_out() {
    let patient = ConnectionLimits { first_request: PATIENCE * 6, ..limits(10, 10) };
    let stage = stage(patient, None).await;
    let mut silent = Vec::new();
    for _ in 0..80 {
        silent.push(connect(&stage).await);
    }
    let begun = Instant::now();
    assert_eq!(stage.get("/healthz", "").await.status, 200);
    assert!(begun.elapsed() < PATIENCE / 2, "nobody waits for the silent ones");
    let made_room = metric(&stage, "hongbao_http_connections_closed_total{reason=\"made-room\"}").await;
    assert!(made_room.parse::<u32>().unwrap() >= 70, "{made_room} were closed");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_speak_are_bounded_for_an_address() {
    let stage = stage(limits(10, 2), None).await;
    let mut speaking = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&stage).await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut head = [0; 15];
        stream.read_exact(&mut head).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200 OK");
        speaking.push(stream);
    }
    assert!(closed(connect(&stage).await).await < SILENT, "there is no room for one more");
    drop(speaking);
    let is_free = || async {
        let answer = stage.client.get(format!("{}/healthz", stage.url)).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    };
    until("room for the next one", is_free).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_is_given_up() {
    let stage = stage(limits(10, 10), None).await;
    let (_reader, mut writer) = connect(&stage).await.into_split();
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n";
    let asked = async { while writer.write_all(&request.repeat(64)).await.is_ok() {} };
    timeout(PATIENCE, asked).await.expect("the server gives it up");
    let only_ours = || async { metric(&stage, "hongbao_http_connections").await == "1" };
    until("the connection is gone", only_ours).await;
    stage.stop().await;
}
