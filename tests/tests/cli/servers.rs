//! The same commands on Redis and PostgreSQL.

use std::sync::OnceLock;

use hongbao_host::store::RETRY_MS;
use hongbao_tests::servers::{PgBouncer, Postgres, Redis};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::events::{advance, balance, details, equal, fund, grab, lucky, op, open, play_with, with};
use crate::process::{Play, hongbao, json as document, run};

/// Servers for all tests of this file. Books need not survive a power failure here.
struct Servers {
    redis: Redis,
    postgres: Postgres,
}

fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(|| Servers {
        redis: Redis::start(),
        postgres: Postgres::start_with(&["-c", "fsync=off"]),
    })
}

/// A database and a namespace of its own.
struct Stores {
    counter: String,
    ledger: String,
}

impl Stores {
    fn new() -> Self {
        let ledger = servers().postgres.fresh_database();
        let name = ledger.rsplit('/').next().unwrap();
        Self { counter: format!("{}?namespace={name}", servers().redis.url()), ledger }
    }

    fn args(&self) -> [&str; 4] {
        ["--counter", &self.counter, "--ledger", &self.ledger]
    }

    /// A command on these stores, looked at from the sandbox.
    fn look(&self, command: &[&str]) -> crate::process::Ended {
        run(&[command, &self.args(), &["--tenant", "sandbox"]].concat())
    }
}

#[test]
fn the_demo_runs_on_servers_and_leaves_books_that_agree() {
    let stores = Stores::new();
    for _ in 0..2 {
        let ended = run(&[&["demo", "--users", "60", "--seed", "8", "--json"], &stores.args()[..]].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let report = document(&ended);
        assert_eq!(report["audit"]["conserved"], true);
        assert_eq!(report["reconciliation"]["clean"], true);
    }
    let audit = document(&stores.look(&["audit", "--json"]));
    assert_eq!((&audit["conserved"], &audit["packets"]), (&json!(true), &json!(12)));
    let reconciliation = stores.look(&["reconcile", "--json"]);
    assert_eq!((reconciliation.code, &document(&reconciliation)["clean"]), (Some(0), &json!(true)));
    let elsewhere = document(&run(&[&["audit", "--json"], &stores.args()[..]].concat()));
    assert_eq!(elsewhere["packets"], 0, "a demo keeps to the sandbox: {elsewhere}");
}

/// A day in a chat, whose answers do not depend on who is faster.
fn day() -> Vec<Value> {
    let mut log = vec![
        fund("alice", 100_000),
        with(lucky("p", 10_000, 5), json!({ "key": "k1" })),
        with(equal("q", 30_000, 3), json!({ "key": "k2", "to": ["bob", "carol", "dave"] })),
        with(lucky("p2", 10_000, 5), json!({ "key": "k1", "ref": "p" })),
        grab("p", "bob"),
        open("p", "bob"),
        open("p", "bob"),
        open("p", "carol"),
        grab("p", "carol"),
        advance(59_000),
        open("p", "carol"),
        grab("p", "dave"),
        advance(61_000),
        open("p", "dave"),
        op("lose-cache"),
        open("p", "dave"),
        grab("p", "bob"),
        grab("q", "eve"),
    ];
    for user in ["bob", "carol", "dave"] {
        log.extend([grab("q", user), open("q", user)]);
    }
    log.extend([op("settle"), balance("bob"), op("reconcile"), advance(86_400_000), op("settle")]);
    log.extend([
        grab("p", "erin"),
        details("p"),
        details("q"),
        balance("alice"),
        op("audit"),
        op("reconcile"),
    ]);
    log
}

/// The answers without what is chance: ids, and the time of day.
fn told(args: &[&str]) -> Vec<String> {
    let mut play = Play::start(&[args, &["--seed", "8"]].concat());
    let answers = day().into_iter().map(|event| {
        let mut answer = play.tell(&event).to_string();
        while let Some(at) = answer.find("\"01") {
            answer.replace_range(at..at + 38, "id");
        }
        let parts = answer.split("_ms\":").enumerate().map(|(index, part)| match index {
            0 => part.to_owned(),
            _ => part.trim_start_matches(|digit: char| digit.is_ascii_digit()).to_owned(),
        });
        parts.collect::<Vec<_>>().join("_ms:")
    });
    answers.collect()
}

#[test]
fn a_play_is_answered_alike_on_every_store() {
    let stores = Stores::new();
    let expected = told(&[]);
    for (number, (found, expected)) in told(&stores.args()).iter().zip(&expected).enumerate() {
        assert_eq!(found, expected, "event {number}: {}", day()[number]);
    }
}

#[test]
fn what_is_parked_is_listed_and_can_be_put_back() {
    const MAX: u64 = i64::MAX as u64;
    let stores = Stores::new();
    let mut play = play_with(&stores.args());
    play.tell(&fund("rich", MAX));
    let packet = play.send(equal("p", 200, 2));
    play.take("p", "rich");
    play.take("p", "bob");
    play.tell(&op("settle"));
    let empty = stores.look(&["settle", "--parked", "--json"]);
    assert_eq!(document(&empty), json!([]), "it is tried again first");
    for after in RETRY_MS {
        play.tell(&advance(after));
        play.tell(&op("settle"));
    }
    let parked = document(&stores.look(&["settle", "--parked", "--json"]));
    let [claim] = parked.as_array().unwrap().as_slice() else { panic!("{parked}") };
    assert_eq!((&claim["packet"], &claim["user"]), (&json!(packet), &json!("rich")));
    assert_eq!((&claim["amount"], &claim["attempts"]), (&json!(100), &json!(5)));
    let listed = stores.look(&["settle", "--parked"]).out;
    assert!(listed.contains("rich") && listed.contains("¥1.00"), "{listed}");
    let settled = stores.look(&["settle"]).out;
    assert!(settled.contains("1 claim is parked"), "{settled}");

    play.send(with(equal("q", 500, 1), json!({ "sender": "rich" })));
    play.end_well();
    let report = document(&stores.look(&["settle", "--retry", "--json"]));
    assert_eq!((&report["unparked"], &report["parked"]), (&json!(1), &json!(0)), "{report}");
    assert_eq!(report["settled"][1]["claims"], 1, "{report}");
    assert_eq!(stores.look(&["reconcile"]).code, Some(0));
}

#[test]
fn stores_are_named_in_the_environment_or_in_a_file() {
    let stores = Stores::new();
    assert_eq!(run(&["migrate", "--ledger", &stores.ledger]).out, "The books are made.\n");
    let audit = |configure: &dyn Fn(&mut std::process::Command)| {
        let mut command = hongbao(&["audit", "--json"]);
        configure(&mut command);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = audit(&|_| ());
    assert!(code == Some(64) && said.contains("--ledger"), "{said}");
    assert_eq!(audit(&|command| _ = command.env("HONGBAO_LEDGER", &stores.ledger)).0, Some(0));

    let directory = tempdir().unwrap();
    let file = directory.path().join("hongbao.toml");
    let write = |text: &str| std::fs::write(&file, text).unwrap();
    let (counter, ledger) = (&stores.counter, &stores.ledger);
    write(&format!("counter = '{counter}'\nledger = '{ledger}'\ntenant = 'acme'\n[tenants.acme]"));
    assert_eq!(audit(&|command| _ = command.arg("--config").arg(&file)).0, Some(0));
    assert_eq!(audit(&|command| _ = command.env("HONGBAO_CONFIG", &file)).0, Some(0));
    write("ledgre = 'postgres://localhost'");
    let (code, said) = audit(&|command| _ = command.arg("--config").arg(&file));
    assert!(code == Some(65) && said.contains("ledgre"), "{said}");
    let (code, said) = audit(&|command| _ = command.args(["--config", "nowhere.toml"]));
    assert!(code == Some(66) && said.contains("nowhere.toml"), "{said}");
}

#[test]
fn a_service_does_not_start_with_what_can_only_be_a_mistake() {
    let secured = Redis::start_with(&["--requirepass", "secret"]);
    let open = Redis::start();
    let web = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let web_address = web.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for mut stream in web.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        }
    });
    let folder = tempdir().unwrap();
    let data = folder.path().join("books").display().to_string();
    let address = secured.address();
    let cases = [
        (format!("redis://:wrong-secret@{address}"), 78, "counter-password"),
        (format!("redis://{address}"), 78, "counter-password"),
        (format!("redis://{web_address}"), 78, "counter-not-redis"),
        (format!("redis+cluster://:secret@{address}"), 78, "counter-topology"),
        (format!("redis+sentinel://:secret@{address}/main?sentinel_password=secret"), 78, "counter-topology"),
        (format!("rediss://:secret@{address}"), 78, "counter-tls"),
        (format!("rediss://:secret@{address}?cacert=/nowhere/roots.pem"), 66, "counter-certificate"),
        (format!("rediss://:secret@{address}?cert=only.pem"), 64, "counter-url"),
        (format!("redis://:secret@{address}?timeout=1"), 64, "counter-url"),
        (format!("redis://:secret@{address}/99"), 64, "counter-url"),
        (format!("redis://:secret@{}", open.address()), 78, "counter-password"),
    ];
    for (url, exit, code) in cases {
        let ended = run(&["serve", "--listen", "127.0.0.1:0", "--data", &data, "--counter", &url]);
        assert_eq!((ended.code, ended.out.as_str()), (Some(exit), ""), "{url}: {ended:?}");
        let last = ended.err.lines().last().unwrap();
        let is_told = last.starts_with(&format!("hongbao: {code}: ")) && !ended.err.contains("secret");
        assert!(is_told, "{url}: {}", ended.err);
    }
}

#[test]
fn servers_that_cannot_be_used_are_one_sentence_and_leave_nothing_behind() {
    let stores = Stores::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere =
        (format!("redis://:secret@127.0.0.1:{free}"), format!("postgres://me:secret@127.0.0.1:{free}/x"));
    let redis = Redis::start();
    let no_postgres = format!("postgres://me:secret@{}/x", redis.address());
    let cases: [(&[&str], i32, &str); 9] = [
        (&["audit", "--ledger", &no_postgres], 64, "ledger-url"),
        (&["audit", "--ledger", &servers().postgres.url("template0")], 78, "ledger-not-admitted"),
        (&["demo", "--counter", &nowhere.0, "--ledger", &stores.ledger], 69, "counter-unreachable"),
        (&["demo", "--ledger", &nowhere.1], 69, "ledger-unavailable"),
        (&["audit", "--ledger", &stores.ledger], 66, "no-ledger"),
        (&["audit", "--ledger", "mysql://localhost"], 64, "ledger-url"),
        (&["demo", "--counter", "http://localhost"], 64, "counter-url"),
        (&["demo", "--tenant", ""], 64, "usage"),
        (&["reconcile", "--ledger", &servers().postgres.url("nowhere")], 78, "ledger-not-admitted"),
    ];
    for (args, exit, code) in cases {
        let ended = run(args);
        assert_eq!((ended.code, ended.out.as_str()), (Some(exit), ""), "{args:?}: {ended:?}");
        let begins = ended.err.starts_with(&format!("hongbao: {code}: "));
        assert!(begins && ended.err.lines().count() == 1 && !ended.err.contains("secret"), "{}", ended.err);
    }
    assert_eq!(run(&["audit", "--ledger", &stores.ledger]).code, Some(66), "no books were made");
}

#[test]
fn what_somebody_must_mend_first_ends_with_78_and_a_sentence_that_says_how() {
    let postgres = &servers().postgres;
    postgres.psql("postgres", "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0");
    let damaged = postgres.fresh_database();
    assert_eq!(run(&["migrate", "--ledger", &damaged]).code, Some(0));
    let name = damaged.rsplit('/').next().unwrap();
    postgres.psql(name, "ALTER TABLE hongbao.claims DISABLE TRIGGER claims_are_kept");
    let bouncer = PgBouncer::start(postgres, "transaction", "");
    for (ledger, code, remedy) in [
        (postgres.url("latin"), "ledger-encoding", "ENCODING 'UTF8' TEMPLATE template0"),
        (damaged.clone(), "ledger-damaged", "ALTER TABLE hongbao.claims ENABLE TRIGGER claims_are_kept"),
        (bouncer.url(name), "ledger-pooler", "pool_mode = session"),
    ] {
        for command in ["serve", "demo", "audit", "migrate"] {
            let ended = run(&[command, "--ledger", &ledger]);
            assert_eq!((ended.code, ended.out.as_str()), (Some(78), ""), "{command} {ledger}: {ended:?}");
            let last = ended.err.lines().last().unwrap_or_default();
            assert!(
                last.starts_with(&format!("hongbao: {code}: ")) && last.contains(remedy),
                "{}",
                ended.err
            );
        }
    }
}
