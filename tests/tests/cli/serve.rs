//! `hongbao serve` as a process: how it begins, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{hongbao, run};

/// A service, ended with the test.
pub struct Service {
    child: Child,
    lines: Receiver<String>,
    log: Arc<Mutex<String>>,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    pub fn start(args: &[&str]) -> Self {
        Self::of(hongbao(&[&["serve", "--listen", "127.0.0.1:0"], args].concat()))
    }

    fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        // The log must not fill its pipe.
        let (log, kept) = (Arc::new(Mutex::new(String::new())), BufReader::new(child.stderr.take().unwrap()));
        let lines_of = Arc::clone(&log);
        thread::spawn(move || {
            kept.lines().map_while(Result::ok).for_each(|line| {
                let mut log = lines_of.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            });
        });
        Self { child, lines, log }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        thread::sleep(Duration::from_millis(200));
        self.log.lock().unwrap().clone()
    }

    fn line(&self, beginning: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_secs(60)).expect("it begins to serve");
            if let Some((_, rest)) = line.split_once(beginning) {
                return rest.trim().to_owned();
            }
        }
    }

    pub fn address(&self) -> String {
        self.line("serves on http://")
    }

    /// That of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// The exit code, within some seconds.
    pub fn ended(&mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end");
    }
}

/// The head and the body of an answer.
pub fn get(address: &str, path: &str, key: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_demo_serves_its_page_under_a_strict_policy_and_ends_when_told() {
    let mut service = Service::start(&["--demo"]);
    let address = service.address();
    let operator = service.line("operator");
    assert!(operator.starts_with("hb_"), "{operator}");
    let page = get(&address, "/", "");
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("<!doctype html>"), "{page}");
    let head = page.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(head.contains("content-security-policy: default-src 'none'; script-src 'self';"), "{head}");
    assert!(!head.contains("unsafe"), "{head}");
    for name in page.split("/assets/").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(get(&address, &format!("/assets/{name}"), "").starts_with("HTTP/1.1 200"), "{name}");
    }
    assert!(get(&address, "/v1/tenants", &operator).contains("\"tenant\":\"demo\""));
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
}

#[test]
fn told_to_end_at_its_first_word_it_ends_in_order() {
    for name in ["TERM", "INT", "TERM", "INT"] {
        let mut service = Service::start(&["--demo"]);
        service.address();
        service.signal(name);
        assert_eq!(service.ended(), Some(0), "{name}");
    }
}

#[test]
fn without_a_demo_there_is_no_page_and_nobody_joins() {
    let folder = TempDir::new().unwrap();
    let service = Service::start(&["--data", folder.path().to_str().unwrap()]);
    let address = service.address();
    assert!(service.line("tenants").starts_with("none yet: POST /v1/tenants"));
    assert!(get(&address, "/", "").contains("location: /docs"));
    assert!(get(&address, "/demo/session", "").starts_with("HTTP/1.1 404"));
    assert!(get(&address, "/assets/main.js", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn what_was_served_is_there_after_a_restart_and_a_second_host_serves_it_too() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let made = run(&["key", "create", "--label", "ops", "--operator", "--data", data]);
    let operator = made.out.trim();
    let config = folder.path().join("hongbao.toml");
    let grants = "grants = ['counter', 'ledger', 'entropy', 'clock', 'log', 'policy']";
    std::fs::write(&config, format!("data = '{data}'\n[tenants.acme]\n{grants}\npolicy = {{ currency = 'JPY', currency_digits = 0 }}\n")).unwrap();
    let mut first = Service::start(&["--config", config.to_str().unwrap()]);
    let address = first.address();
    assert!(get(&address, "/v1/tenants/acme", operator).contains("\"currency\":\"JPY\""));
    first.signal("INT");
    assert_eq!(first.ended(), Some(0));
    // Without the file: the registry remembers the tenant.
    let service = Service::start(&["--data", data]);
    let address = service.address();
    assert_eq!(service.line("tenants"), "1: acme");
    assert!(get(&address, "/v1/tenants/acme", operator).contains("\"currency\":\"JPY\""));
}

#[test]
fn a_data_directory_is_one_service_s_alone_until_that_ends_however_it_ends() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let mut first = Service::start(&["--data", data]);
    let address = first.address();
    let cases: [(&[&str], i32); 9] = [
        (&["serve", "--listen", "127.0.0.1:0"], 73),
        (&["play", "-"], 73),
        (&["demo", "--users", "10"], 73),
        (&["migrate"], 73),
        // As the tour of a service does.
        (&["key", "create", "--operator", "--label", "me"], 0),
        (&["key", "list", "--operator"], 0),
        (&["audit"], 0),
        (&["reconcile"], 0),
        (&["settle"], 0),
    ];
    for (args, exit) in cases {
        let ended = run(&[args, &["--data", data]].concat());
        assert_eq!(ended.code, Some(exit), "{args:?}: {ended:?}");
        if exit == 73 {
            let whose = format!("hongbao: data-in-use: {data} is in use by process {}: ", first.child.id());
            assert!(ended.err.starts_with(&whose) && ended.err.lines().count() == 1, "{ended:?}");
        }
    }
    assert!(get(&address, "/readyz", "").contains("\"ready\":true"), "the first goes on");
    first.signal("KILL");
    assert_eq!(first.ended(), None);
    let second = Service::start(&["--data", data]);
    second.address();
}

#[test]
fn a_hang_up_without_tls_says_that_there_is_nothing_to_read() {
    let mut service = Service::start(&["--demo"]);
    service.address();
    service.signal("HUP");
    // Of two signals that wait, either may be heard first.
    thread::sleep(Duration::from_millis(500));
    service.signal("TERM");
    assert_eq!(service.ended(), Some(0));
    let log = service.log();
    assert!(log.contains("no certificate was read") && !log.contains("was read again"), "{log}");
}

/// A file that may not grow is what a full disk is: no root is needed for it.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_takes_no_more_is_not_ready_with_the_reason_and_heals() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let operator = run(&["key", "create", "--label", "ops", "--operator", "--data", data]).out;
    let service = Service::start(&["--data", data]);
    let (address, operator) = (service.address(), operator.trim());
    assert!(get(&address, "/readyz", "").starts_with("HTTP/1.1 200"));
    let limit = |bytes: &str| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &service.child.id().to_string(), &format!("--fsize={bytes}:")]);
        assert!(command.status().unwrap().success());
    };
    limit("65536");
    let waiting = Instant::now();
    let refusing = loop {
        let answer = get(&address, "/readyz", "");
        if answer.starts_with("HTTP/1.1 503") {
            break answer;
        }
        assert!(waiting.elapsed() < Duration::from_secs(30), "it goes on as if it could write: {answer}");
        thread::sleep(Duration::from_millis(100));
    };
    assert!(refusing.contains("\"refuses-writes\"") && refusing.contains("the disk"), "{refusing}");
    assert!(get(&address, "/healthz", "").starts_with("HTTP/1.1 200"), "it lives");
    let metrics = get(&address, "/metrics", "");
    assert!(metrics.contains("state=\"refuses-writes\"} 1"), "{metrics}");
    limit("unlimited");
    let waiting = Instant::now();
    while !get(&address, "/readyz", "").starts_with("HTTP/1.1 200") {
        assert!(waiting.elapsed() < Duration::from_secs(30), "it heals by itself");
        thread::sleep(Duration::from_millis(100));
    }
    assert!(get(&address, "/v1/tenants", operator).starts_with("HTTP/1.1 200"));
    let log = service.log();
    assert!(log.matches("has failed a check").count() <= 2, "once for each store: {log}");
    assert!(log.contains("works again"), "{log}");
}

/// Starts a service that may have so many descriptors open.
fn with_descriptors(descriptors: u32, args: &[&str]) -> Service {
    let whole = hongbao(&[&["serve", "--listen", "127.0.0.1:0"], args].concat());
    let mut command = Command::new("prlimit");
    command
        .arg(format!("--nofile={descriptors}:{descriptors}"))
        .arg(whole.get_program())
        .args(whole.get_args());
    command.env("NO_COLOR", "1").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Service::of(command)
}

/// Processor time that it has used, in hundredths of a second.
fn used(service: &Service) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", service.child.id())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn connections_leave_descriptors_to_the_books() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_str().unwrap();
    let operator = run(&["key", "create", "--label", "ops", "--operator", "--data", data]).out;
    let service = with_descriptors(100, &["--data", data]);
    let (address, operator) = (service.address(), operator.trim());
    let silent: Vec<_> = (0..300).filter_map(|_| TcpStream::connect(&address).ok()).collect();
    assert!(silent.len() >= 200, "the system takes them");
    for _ in 0..20 {
        let begun = Instant::now();
        assert!(get(&address, "/healthz", "").starts_with("HTTP/1.1 200"));
        assert!(get(&address, "/readyz", "").contains("\"ready\":true"));
        assert!(get(&address, "/v1/tenants", operator).starts_with("HTTP/1.1 200"));
        assert!(begun.elapsed() < Duration::from_secs(5), "it takes {:?}", begun.elapsed());
        thread::sleep(Duration::from_millis(100));
    }
    drop(silent);
    let log = service.log();
    assert!(!log.contains("cannot be accepted") && !log.contains("has failed a check"), "{log}");
}

/// Something else has taken the descriptors.
#[cfg(target_os = "linux")]
#[test]
fn without_a_descriptor_it_waits_and_says_so_and_serves_again() {
    let service = Service::start(&["--demo"]);
    let address = service.address();
    let held: Vec<_> = (0..40).map(|_| TcpStream::connect(&address).unwrap()).collect();
    thread::sleep(Duration::from_millis(300));
    let limit = |descriptors: &str| {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &service.child.id().to_string(), &format!("--nofile={descriptors}:")]);
        assert!(command.status().unwrap().success());
    };
    limit("30");
    // Each connection that is refused one makes room by closing a silent one.
    let waiting: Vec<_> = (0..10).map(|_| TcpStream::connect(&address).unwrap()).collect();
    let before = used(&service);
    thread::sleep(Duration::from_secs(2));
    let spent = used(&service) - before;
    assert!(spent < 100, "{spent} hundredths of a second of two seconds");
    limit("1024");
    assert!(get(&address, "/healthz", "").starts_with("HTTP/1.1 200"));
    let log = service.log();
    let said = log.matches("connections cannot be accepted").count();
    assert!((1..=2).contains(&said), "{said}: {log}");
    drop((held, waiting));
}

#[test]
fn a_demo_for_others_is_one_by_its_own_word() {
    let said = run(&["serve", "--demo", "--listen", "0.0.0.0:0"]);
    assert_eq!(said.code, Some(64), "{said:?}");
    assert!(said.err.contains("--demo-public") && said.err.lines().count() == 1, "{said:?}");
    assert_eq!(run(&["serve", "--demo-public", "--listen", "127.0.0.1:0"]).code, Some(64), "without a demo");
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("hongbao.toml");
    std::fs::write(&config, "[serve]\nlisten = '[::]:0'\n").unwrap();
    let said = run(&["serve", "--demo", "--config", config.to_str().unwrap()]);
    assert_eq!(said.code, Some(64), "{said:?}");
    let mut command = hongbao(&["serve", "--demo", "--demo-public", "--listen", "0.0.0.0:0"]);
    command.stdin(Stdio::null());
    let service = Service::of(command);
    let port = service.address().rsplit_once(':').unwrap().1.to_owned();
    assert!(get(&format!("127.0.0.1:{port}"), "/healthz", "").starts_with("HTTP/1.1 200"));
    assert!(service.log().contains("gives a key to everybody"), "{}", service.log());
}

#[test]
fn why_it_cannot_begin_is_said_with_a_code() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let said = run(&["serve", "--demo", "--listen", &address]);
    assert_eq!(said.code, Some(73), "{said:?}");
    assert!(said.err.contains("cannot-listen") && said.err.contains(&address), "{said:?}");
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("none.pem");
    let missing = missing.to_str().unwrap();
    let said = run(&[
        "serve",
        "--demo",
        "--listen",
        "127.0.0.1:0",
        "--tls-certificate",
        missing,
        "--tls-key",
        missing,
    ]);
    assert_eq!(said.code, Some(66), "{said:?}");
    assert!(said.err.contains("cannot-use-certificate"), "{said:?}");
    assert_eq!(run(&["serve", "--demo", "--plugin", missing]).code, Some(64));
    assert_eq!(run(&["serve", "--listen", "somewhere"]).code, Some(64));
}

/// How often a line is in a log.
fn times(service: &Service, words: &str) -> usize {
    service.log().matches(words).count()
}

#[test]
fn records_that_are_damaged_are_told_once_and_so_is_that_they_are_mended() {
    let home = TempDir::new().unwrap();
    let service = Service::start(&["--data", home.path().to_str().unwrap()]);
    service.address();
    let records = rusqlite::Connection::open(home.path().join("registry.db")).unwrap();
    records.execute_batch("ALTER TABLE revision RENAME TO elsewhere").unwrap();
    thread::sleep(Duration::from_secs(4));
    assert_eq!(times(&service, "changes of tenants wait"), 1, "{}", service.log());
    records.execute_batch("ALTER TABLE elsewhere RENAME TO revision").unwrap();
    thread::sleep(Duration::from_secs(3));
    assert_eq!(times(&service, "changes of tenants wait"), 1, "{}", service.log());
    assert_eq!(times(&service, "changes of tenants are followed again"), 1, "{}", service.log());
}
