//! Connections of people without a key: they say nothing, or half of something, or do not listen. None of it keeps
//! anybody out.

use std::io::Read as _;
use std::time::{Duration, Instant};

use hongbao_host::server::{ConnectionLimits, DemoSettings, ServiceSettings, TlsFiles};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::http2;
use crate::stage::{Keys, Stage, Stores, unhurried, until};
use crate::tls::certificate;

/// So long a connection may do nothing here.
const SHORT: Duration = Duration::from_millis(400);
/// Whatever takes longer than this never happens.
const PATIENCE: Duration = Duration::from_secs(15);

/// Everything has to be quick.
fn limits(all: usize, per_address: usize) -> ConnectionLimits {
    ConnectionLimits { all, per_address, per_tenant: all, head: SHORT, idle: SHORT, unread: SHORT }
}

/// Nothing has to be quick.
fn patient(all: usize, per_address: usize) -> ConnectionLimits {
    let long = PATIENCE * 6;
    ConnectionLimits { all, per_address, per_tenant: all, head: long, idle: long, unread: long }
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
    // A connection that is reset is closed as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut Vec::new())).await.expect("it is closed");
    begun.elapsed()
}

/// Whether the server has left the connection open for now.
async fn is_open(stream: &mut TcpStream) -> bool {
    let read = timeout(Duration::from_millis(50), stream.read(&mut [0; 1024])).await;
    read.is_err() || matches!(read, Ok(Ok(count)) if count > 0)
}

/// The head of the answer; none where the server closes the connection.
async fn asked(stream: &mut TcpStream, path: &str, key: &str) -> Option<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = timeout(PATIENCE, stream.read_u8()).await.expect("an answer in time");
        head.push(byte.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

async fn ask(stream: &mut TcpStream, path: &str, key: &str) -> String {
    asked(stream, path, key).await.expect("it is answered")
}

async fn metric(stage: &Stage, line: &str) -> u64 {
    let text = stage.get("/metrics", "").await.text;
    let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
    found.map_or(0, |number| number.parse().unwrap())
}

async fn count(stage: &Stage, reason: &str) -> u64 {
    metric(stage, &format!("hongbao_http_connections_closed_total{{reason=\"{reason}\"}}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_a_request_is_closed_in_time() {
    let stage = stage(limits(100, 100), None).await;
    let settings = [http2::PREFACE, &http2::frame(4, 0, 0, b"")].concat();
    let beginnings: [&[u8]; 6] =
        [b"", b"P", b"PRI", http2::PREFACE, &settings, b"GET /healthz HTTP/1.1\r\nHost: x\r\n"];
    for beginning in beginnings {
        let mut stream = connect(&stage).await;
        stream.write_all(beginning).await.unwrap();
        let took = closed(stream).await;
        assert!(took >= SHORT / 2 && took < SHORT * 10, "{beginning:?} took {took:?}");
    }
    assert_eq!(count(&stage, "silent").await, beginnings.len() as u64);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_comes_byte_by_byte_is_closed_in_time_also_after_a_request() {
    let stage = stage(ConnectionLimits { idle: PATIENCE * 6, ..limits(100, 100) }, None).await;
    for has_asked in [false, true] {
        let mut stream = connect(&stage).await;
        if has_asked {
            assert!(ask(&mut stream, "/healthz", "").await.starts_with("HTTP/1.1 200"));
            sleep(SHORT * 2).await;
        }
        let (mut reader, mut writer) = stream.into_split();
        let begun = Instant::now();
        let drip = tokio::spawn(async move {
            while writer.write_all(b"X").await.is_ok() {
                sleep(SHORT / 8).await;
            }
        });
        let _ = timeout(PATIENCE, reader.read_to_end(&mut Vec::new())).await.expect("it is closed");
        assert!(begun.elapsed() < SHORT * 10, "{has_asked}: {:?}", begun.elapsed());
        drip.await.unwrap();
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_while_it_is_used_and_closed_when_it_is_not() {
    let stage = stage(limits(100, 100), None).await;
    let mut stream = connect(&stage).await;
    for _ in 0..8 {
        assert!(ask(&mut stream, "/healthz", "").await.starts_with("HTTP/1.1 200"));
        assert_eq!(timeout(PATIENCE, stream.read(&mut [0; 16])).await.unwrap().unwrap(), "ok\n".len());
        sleep(SHORT / 2).await;
    }
    let took = closed(stream).await;
    assert!(took < SHORT * 10, "{took:?}");
    assert_eq!((count(&stage, "idle").await, count(&stage, "silent").await), (1, 0));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_silence_is_closed_in_time_before_in_and_after_the_handshake() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::TempDir::new().unwrap();
    let (files, pem) = certificate(&folder);
    let stage = stage(limits(100, 100), Some(files)).await;
    // Half a ClientHello: a record of 512 bytes, of which some come.
    for beginning in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut stream = connect(&stage).await;
        stream.write_all(beginning).await.unwrap();
        let took = closed(stream).await;
        assert!(took < SHORT * 10, "{beginning:?} took {took:?}");
    }
    let address = stage.listening.address();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let pem = pem.clone();
        let after = tokio::task::spawn_blocking(move || {
            let mut stream = tls(address, &pem, version);
            let begun = Instant::now();
            let _ = stream.read(&mut [0; 16]);
            begun.elapsed()
        });
        let took = timeout(PATIENCE, after).await.expect("it is closed").unwrap();
        assert!(took < SHORT * 10, "after the handshake: {took:?}");
    }
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let answer = client.get(format!("{}/healthz", stage.url)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    stage.stop().await;
}

/// A connection whose handshake is done.
fn tls(
    address: std::net::SocketAddr,
    pem: &str,
    version: &'static rustls::SupportedProtocolVersion,
) -> rustls::StreamOwned<rustls::ClientConnection, std::net::TcpStream> {
    use rustls::pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_protocol_versions(&[version]);
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = rustls::pki_types::ServerName::from(address.ip());
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut stream).unwrap();
    }
    rustls::StreamOwned::new(client, stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_keep_nobody_out() {
    let stage = stage(patient(10, 10), None).await;
    let mut silent = Vec::new();
    for _ in 0..80 {
        silent.push(connect(&stage).await);
    }
    let begun = Instant::now();
    assert_eq!(stage.get("/healthz", "").await.status, 200);
    assert!(begun.elapsed() < PATIENCE / 2, "nobody waits for the silent ones");
    let made_room = count(&stage, "made-room").await + count(&stage, "full").await;
    assert!(made_room >= 70, "{made_room} were closed");
    assert!(metric(&stage, "hongbao_http_connections").await <= 14);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_of_strangers_keep_nobody_out() {
    let stage = stage(patient(10, 10), None).await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        let mut stream = connect(&stage).await;
        assert!(ask(&mut stream, "/healthz", "hb_none").await.starts_with("HTTP/1.1 200"));
        idle.push(stream);
    }
    assert_eq!(stage.get("/healthz", "").await.status, 200);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_and_a_connection_with_a_key_outlast_a_flood() {
    let stage =
        stage(ConnectionLimits { head: PATIENCE * 6, idle: PATIENCE * 6, ..limits(8, 8) }, None).await;
    let keys = stage.tenant("acme").await;
    let (mut events, mut caller) = (connect(&stage).await, connect(&stage).await);
    let head = ask(&mut events, "/v1/rooms/family/events", &keys["member"]).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    assert!(ask(&mut caller, "/v1/users/bob/wallet", &keys["member"]).await.starts_with("HTTP/1.1 200"));
    let mut flood = Vec::new();
    for _ in 0..60 {
        flood.push(connect(&stage).await);
    }
    stage.fund(&keys, "alice", 1_000).await;
    stage.packet(&keys, "one", 100, 2).await;
    let mut told = String::new();
    while !told.contains("event: sent") {
        let mut bytes = [0; 1024];
        let read = timeout(PATIENCE, events.read(&mut bytes)).await.expect("an event in time").unwrap();
        assert!(read > 0, "the stream has ended: {told}");
        told.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    assert!(is_open(&mut caller).await);
    drop(flood);
    stage.stop().await;
}

/// Whether everybody but the tenant is served, each over a connection of their own.
async fn serves_others(stage: &Stage, others: &Keys) {
    for (path, key) in [
        ("/healthz", "hb_none"),
        ("/v1/users/bob/wallet", &*others["member"]),
        ("/v1/tenants", &*stage.operator),
    ] {
        let head = asked(&mut connect(stage).await, path, key).await;
        assert!(head.as_ref().is_some_and(|head| head.starts_with("HTTP/1.1 200")), "{path}: {head:?}");
    }
}

/// Holds as many connections as it gets, with a request over each.
async fn hold(stage: &Stage, key: &str, statuses: &[&str]) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(stage).await;
        if let Some(head) = asked(&mut stream, "/v1/users/bob/wallet", key).await {
            assert!(statuses.iter().any(|status| head[9..].starts_with(status)), "{head}");
            held.push(stream);
        }
    }
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_holds_no_connection_that_others_need() {
    let stage = stage(patient(12, 12), None).await;
    let (slow, gone, stopped) =
        (stage.tenant("slow").await, stage.tenant("gone").await, stage.tenant("stopped").await);
    let others = stage.tenant("other").await;
    let limits = json!({"limits": {"requests_per_second": 1}});
    stage.put("/v1/tenants/slow/settings", &stage.operator, limits).await.ok();
    stage.post("/v1/tenants/stopped/suspend", &stage.operator, json!({})).await.ok();
    for (keys, statuses) in [(&slow, &["200", "429"][..]), (&stopped, &["503"])] {
        let held = hold(&stage, &keys["member"], statuses).await;
        serves_others(&stage, &others).await;
        drop(held);
    }
    // One whose key was taken from it, after it was admitted.
    let mut held = hold(&stage, &gone["member"], &["200"]).await;
    let key = format!("/v1/tenants/gone/keys/{}", &gone["member"][3..19]);
    stage.delete(&key, &stage.operator).await.ok();
    for stream in &mut held {
        let head = asked(stream, "/v1/users/bob/wallet", &gone["member"]).await;
        // The body of the answer before stands in front of it.
        assert!(head.is_none_or(|head| head.contains("HTTP/1.1 401")));
    }
    serves_others(&stage, &others).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_asks_without_end_holds_no_more_than_its_part_of_the_connections() {
    let stage = stage(ConnectionLimits { per_tenant: 3, ..patient(12, 12) }, None).await;
    let (keys, others) = (stage.tenant("acme").await, stage.tenant("other").await);
    let member = &keys["member"];
    let idle = hold(&stage, member, &["200"]).await;
    serves_others(&stage, &others).await;
    drop(idle);
    let mut slow = Vec::new();
    for number in 0..20 {
        let mut stream = connect(&stage).await;
        let head = format!(
            "POST /v1/packets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {member}\r\nIdempotency-Key: {number}\r\n\
             Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    sleep(SHORT).await;
    serves_others(&stage, &others).await;
    drop(slow);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_with_a_session_of_the_demo_locks_nobody_out() {
    let connections = ConnectionLimits { per_tenant: 3, ..patient(12, 12) };
    let settings = ServiceSettings { connections, ..unhurried() };
    let stage = Stage::with_demo_within(Stores::default(), DemoSettings::default(), settings).await;
    let join = stage.client.post(format!("{}/demo/session", stage.url)).json(&json!({"name": "bob"}));
    let session = stage.send(join).await.ok();
    let address = stage.listening.address();
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut stream = connect(&stage).await;
        let request = format!(
            "GET /v1/users/bob/wallet HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
            session["key"].as_str().unwrap()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let _ = timeout(PATIENCE, stream.read(&mut [0; 1024])).await.expect("an answer, or an end");
        held.push(stream);
    }
    let mut stream = connect(&stage).await;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).await.expect("it is answered");
    assert_eq!(&head, b"HTTP/1.1 200");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_delays_no_stop() {
    let stage = stage(patient(12, 12), None).await;
    let (mut first, mut later) = (connect(&stage).await, connect(&stage).await);
    first.write_all(b"GET /healthz HTTP/1.1\r\nHo").await.unwrap();
    assert!(ask(&mut later, "/healthz", "").await.starts_with("HTTP/1.1 200"));
    later.write_all(b"GET /healthz HTTP/1.1\r\nHo").await.unwrap();
    let silent = connect(&stage).await;
    sleep(SHORT).await;
    let begun = Instant::now();
    stage.stop().await;
    assert!(begun.elapsed() < PATIENCE / 3, "{:?}", begun.elapsed());
    drop((first, later, silent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_events_outlasts_every_limit_of_time() {
    let stage = stage(limits(8, 8), None).await;
    let keys = stage.tenant("acme").await;
    let mut events = connect(&stage).await;
    ask(&mut events, "/v1/rooms/family/events", &keys["member"]).await;
    sleep(SHORT * 5).await;
    assert!(is_open(&mut events).await);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_at_work_are_bounded_for_an_address() {
    let stage = stage(patient(10, 3), None).await;
    // The stage's own client has one or two.
    let keys = stage.tenant("acme").await;
    let mut streams = Vec::new();
    loop {
        let mut stream = connect(&stage).await;
        if asked(&mut stream, "/v1/rooms/family/events", &keys["member"]).await.is_none() {
            break;
        }
        streams.push(stream);
        assert!(streams.len() <= 3, "there is room without end");
    }
    assert!(!streams.is_empty());
    assert_eq!(count(&stage, "full-for-address").await, 1);
    drop(streams);
    let is_free = || async {
        let mut stream = connect(&stage).await;
        is_open(&mut stream).await
    };
    until("room for the next one", is_free).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_is_given_up() {
    let stage = stage(ConnectionLimits { idle: PATIENCE * 6, ..limits(10, 10) }, None).await;
    let (_reader, mut writer) = connect(&stage).await.into_split();
    let request = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(64);
    let asked = async { while writer.write_all(&request).await.is_ok() {} };
    timeout(PATIENCE, asked).await.expect("the server gives it up");
    until("it is counted", || async { count(&stage, "unread").await == 1 }).await;
    assert!(metric(&stage, "hongbao_http_connections").await <= 2, "the stage's own client has the others");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_http2_an_answer_that_is_not_taken_is_given_up_whatever_else_is_sent() {
    let stage = stage(limits(10, 10), None).await;
    let mut stream = connect(&stage).await;
    // No room for the body of any answer.
    let window = [0, 4, 0, 0, 0, 0];
    let begin = [http2::PREFACE, &http2::frame(4, 0, 0, &window), &http2::get(1, "/openapi.json")].concat();
    stream.write_all(&begin).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let pings = tokio::spawn(async move {
        while writer.write_all(&http2::frame(6, 0, 0, &[7; 8])).await.is_ok() {
            sleep(SHORT / 8).await;
        }
    });
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, reader.read_to_end(&mut bytes)).await.expect("it is closed");
    assert!(bytes.len() < 16 << 10, "no body came: {}", bytes.len());
    pings.await.unwrap();
    assert_eq!(count(&stage, "idle").await, 1);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_pings_ends_in_time_and_holds_nobody_up() {
    let stage = stage(ConnectionLimits { head: SHORT * 4, ..limits(10, 10) }, None).await;
    let mut stream = connect(&stage).await;
    stream.write_all(&[http2::PREFACE, &http2::frame(4, 0, 0, b"")].concat()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let flood = tokio::spawn(async move {
        let pings = http2::frame(6, 0, 0, &[7; 8]).repeat(256);
        while writer.write_all(&pings).await.is_ok() {}
    });
    let reading =
        tokio::spawn(async move { while reader.read(&mut [0; 65536]).await.is_ok_and(|read| read > 0) {} });
    let begun = Instant::now();
    assert_eq!(stage.get("/healthz", "").await.status, 200);
    assert!(begun.elapsed() < PATIENCE / 2);
    timeout(PATIENCE, async { (flood.await.unwrap(), reading.await.unwrap()) }).await.expect("it is closed");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_ends_with_its_request() {
    let settings = ServiceSettings { request_time: Duration::from_secs(3), ..unhurried() };
    let stage = Stage::with(Stores::default(), settings, None).await;
    let keys = stage.tenant("acme").await;
    for (key, status) in [("none", "401"), (&*keys["member"], "504")] {
        let mut stream = connect(&stage).await;
        let head = format!(
            "POST /v1/packets HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: a\r\n\
             Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("it is answered and closed");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    }
    stage.fund(&keys, "alice", 10).await;
    stage
        .once(
            "/v1/packets",
            &keys["member"],
            "a",
            json!({"room": "r", "sender": "alice", "total": 10, "shares": 1}),
        )
        .await
        .ok();
    stage.stop().await;
}
