//! `hongbao serve` as a process beside plugins that take long to compile.
#![cfg(target_os = "linux")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use hongbao_tests::compilers::{compilers, resident};
use hongbao_tests::heavy::heavy;
use tempfile::TempDir;

use crate::process::run;
use crate::serve::{Service, get};

/// A service with two tenants, whose operator has this key.
fn serving(folder: &TempDir, settings: &str) -> (Service, String, String) {
    let data = folder.path().to_str().unwrap();
    let config = folder.path().join("hongbao.toml");
    let tables = "[tenants.acme]\n[tenants.beta]\n";
    let text = format!("data = '{data}'\n[serve]\nuser_requests_per_second = 0\n{settings}\n{tables}");
    std::fs::write(&config, text).unwrap();
    let operator = run(&["key", "create", "--label", "ops", "--operator", "--data", data]).out;
    let service = Service::start(&["--config", config.to_str().unwrap()]);
    let address = service.address();
    (service, address, operator.trim().to_owned())
}

/// A request that is answered whenever it is; whoever reads it waits.
fn post(address: &str, path: &str, key: &str, salt: &str, kind: &str, body: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\nidempotency-key: {salt}\r\n\
         content-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(body).unwrap();
    stream
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    // A service that ends may cut it short.
    let _ = stream.read_to_string(&mut answer);
    answer
}

fn json(address: &str, path: &str, key: &str, salt: &str, body: &str) -> String {
    answer(post(address, path, key, salt, "application/json", body.as_bytes()))
}

fn upload(address: &str, tenant: &str, key: &str, seed: u32) -> TcpStream {
    let path = format!("/v1/tenants/{tenant}/plugins");
    post(address, &path, key, &format!("k{seed}"), "application/wasm", &heavy(seed, 8, 30_000))
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "never came: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn three_uploads_at_once_keep_the_process_small_and_a_stop_ends_them() {
    let folder = TempDir::new().unwrap();
    let (mut service, address, operator) = serving(&folder, "compile_seconds = 14");
    let before = resident(service.id()).unwrap();
    let uploads = [1, 2, 3].map(|seed| upload(&address, "acme", &operator, seed));
    until("a compiler", || !compilers(service.id()).is_empty());
    let begun = Instant::now();
    let mut most = 0;
    while begun.elapsed() < Duration::from_millis(1500) {
        let children = compilers(service.id());
        assert!(children.len() <= 1, "{children:?}");
        assert!(children.iter().all(|child| child.resident < 700 << 20), "{children:?}");
        most = most.max(resident(service.id()).unwrap());
        assert!(get(&address, "/readyz", "").starts_with("HTTP/1.1 200"));
        thread::sleep(Duration::from_millis(20));
    }
    // Three bodies of three MiB, twice.
    assert!(most.saturating_sub(before) < 100 << 20, "{before} {most}");
    let children = compilers(service.id());
    let begun = Instant::now();
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    for upload in uploads {
        let answer = answer(upload);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503"), "{answer}");
    }
    until("the end of its compiler", || children.iter().all(|child| resident(child.id).is_none()));
}

#[test]
fn a_compiler_ends_with_a_host_that_is_killed() {
    let folder = TempDir::new().unwrap();
    let (mut service, address, operator) = serving(&folder, "");
    let _upload = upload(&address, "acme", &operator, 4);
    until("a compiler", || !compilers(service.id()).is_empty());
    let children = compilers(service.id());
    service.signal("KILL");
    assert_eq!(service.ended(), None);
    until("the end of its compiler", || children.iter().all(|child| resident(child.id).is_none()));
}

#[test]
fn refunds_that_cannot_be_posted_are_told_of_seldom() {
    const MOST: u64 = i64::MAX as u64;
    let folder = TempDir::new().unwrap();
    let (service, address, operator) = serving(&folder, "");
    let keys = r#"{"label":"all","scopes":["member","fund"]}"#;
    let made = json(&address, "/v1/tenants/acme/keys", &operator, "keys", keys);
    let key = made.split("\"key\":\"").nth(1).unwrap_or_else(|| panic!("{made}"));
    let key = key.split('"').next().unwrap();
    let fund = |salt: &str, amount: u64| {
        let body = format!("{{\"amount\":{amount}}}");
        let funded = json(&address, "/v1/users/alice/wallet/funds", key, salt, &body);
        assert!(funded.starts_with("HTTP/1.1 20"), "{funded}");
    };
    fund("first", MOST);
    for number in 0..40 {
        let body = r#"{"room":"r","sender":"alice","total":1,"shares":1,"expires_in_ms":5000}"#;
        let sent = json(&address, "/v1/packets", key, &format!("p{number}"), body);
        assert!(sent.starts_with("HTTP/1.1 201"), "{sent}");
    }
    // Nothing that comes back has room.
    fund("second", 40);
    until("refunds that fail", || get(&address, "/metrics", "").contains("hongbao_failing_refunds 40\n"));
    thread::sleep(Duration::from_secs(4));
    let log = service.log();
    let told = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR")).count();
    assert!(log.contains("a refund waits") && told <= 5, "{told} lines: {log}");
}
