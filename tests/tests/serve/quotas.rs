//! A request is a request, and nobody has more than their part of what all share.

use std::time::Duration;

use hongbao_host::runtime::Plugin;
use hongbao_host::server::{RateSettings, ServiceSettings};
use hongbao_host::store::{Events, Ledger};
use hongbao_testkit::{Fault, Faulty};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::stage::{Answer, Keys, Stage, Stores, unhurried, until};

async fn limited(limits: Value) -> (Stage, Keys, Keys) {
    let stage = Stage::start().await;
    let (keys, others) = (stage.tenant("acme").await, stage.tenant("other").await);
    configure(&stage, limits).await;
    (stage, keys, others)
}

async fn limited_on(stores: Stores, limits: Value) -> (Stage, Keys) {
    let stage = Stage::with(stores, unhurried(), None).await;
    let keys = stage.tenant("acme").await;
    configure(&stage, limits).await;
    (stage, keys)
}

async fn configure(stage: &Stage, limits: Value) {
    let grants = ["counter", "ledger", "entropy", "clock", "log", "policy"];
    let settings = json!({"limits": limits, "grants": grants});
    stage.put("/v1/tenants/acme/settings", &stage.operator, settings).await.ok();
}

#[track_caller]
fn is_full(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (429, "quota-reached"), "{answer:?}");
}

async fn reached(stage: &Stage, limit: &str) -> u64 {
    let metrics = stage.get("/metrics", "").await.text;
    let name = format!("hongbao_limits_total{{tenant=\"acme\",limit=\"{limit}\"}} ");
    let found = metrics.lines().find_map(|line| line.strip_prefix(&name));
    found.map_or(0, |count| count.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_counts_whatever_it_is_about() {
    let (stage, keys, others) = limited(json!({"requests_per_second": 1})).await;
    let member = &keys["member"];
    let mut refused = Vec::new();
    for round in 0..4 {
        let said = json!({"id": format!("m{round}"), "sender": "bob", "text": "hello"});
        let funds = json!({"amount": 5});
        let fund = stage.once("/v1/users/bob/wallet/funds", &keys["fund"], &format!("f{round}"), funds).await;
        let mut answers = vec![fund, stage.post("/v1/rooms/r/messages", member, said).await];
        for path in ["wallet", "wallet/statement", "sent", "received"] {
            answers.push(stage.get(&format!("/v1/users/bob/{path}"), member).await);
        }
        for path in ["/v1/rooms/r/packets", "/v1/tenants/acme"] {
            answers.push(stage.get(path, member).await);
        }
        refused.push(answers.into_iter().filter(|answer| answer.status.as_u16() == 429).collect::<Vec<_>>());
    }
    let count: usize = refused.iter().map(Vec::len).sum();
    assert!(count >= 26, "of 32 in some moments nearly all are too many: {count}");
    for answer in refused.iter().flatten() {
        assert_eq!((answer.problem().as_str(), answer.header("retry-after")), ("rate-limited", Some("1")));
    }
    assert!(reached(&stage, "rate").await >= count as u64);
    // Neither its administrators nor a neighbour are held up.
    stage.get("/v1/tenants/acme/keys", &keys["admin"]).await.ok();
    for user in ["bob", "carol", "dave"] {
        stage.get(&format!("/v1/users/{user}/wallet"), &others["member"]).await.ok();
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_two_calls_is_one_and_a_change_of_settings_begins_no_new_second() {
    let (stage, keys, _) = limited(json!({})).await;
    stage.fund(&keys, "alice", 1_000).await;
    let packet = stage.packet(&keys, "p", 100, 2).await;
    configure(&stage, json!({"requests_per_second": 1})).await;
    let tapped = stage.tap(&keys, &packet, "grab-and-open", "bob").await.ok();
    assert_eq!(tapped["outcome"], "opened");
    configure(&stage, json!({"requests_per_second": 1, "batch": 7})).await;
    assert_eq!(stage.tap(&keys, &packet, "grab", "carol").await.problem(), "rate-limited");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_have_a_rate_of_their_own_and_the_operator_has_none() {
    let some = std::num::NonZeroU32::new(6);
    let rate = RateSettings { admin_per_second: some, ..RateSettings::default() };
    let settings = ServiceSettings { rate, ..ServiceSettings::default() };
    let stage = Stage::with(Stores::default(), settings, None).await;
    let (keys, others) = (stage.tenant("acme").await, stage.tenant("other").await);
    let mut refused = 0;
    for _ in 0..20 {
        let answer = stage.get("/v1/tenants/acme/keys", &keys["admin"]).await;
        refused += u32::from(answer.status.as_u16() == 429);
        stage.get("/v1/tenants/acme/keys", &stage.operator).await.ok();
    }
    assert!(refused >= 8, "{refused}");
    stage.get("/v1/tenants/other/keys", &others["admin"]).await.ok();
    stage.get("/v1/users/bob/wallet", &keys["member"]).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_a_tenant_leave_room_for_those_of_others() {
    let (stage, keys, others) = limited(json!({"streams": 1})).await;
    let open = |keys: &Keys| stage.request(Method::GET, "/v1/rooms/r/events", &keys["member"]).send();
    let first = open(&keys).await.unwrap();
    assert!(first.status().is_success());
    is_full(&stage.get("/v1/rooms/other/events", &keys["member"]).await);
    assert_eq!(reached(&stage, "streams").await, 1);
    let (one, two) = (open(&others).await.unwrap(), open(&others).await.unwrap());
    assert!(one.status().is_success() && two.status().is_success());
    drop(first);
    until("the place is free", async || open(&keys).await.unwrap().status().is_success()).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_tenant_leave_room_for_what_others_keep() {
    let (stage, keys, others) = limited(json!({"message_bytes": 2_000})).await;
    let say = async |keys: &Keys, room: usize, id: usize| {
        let said = json!({"id": format!("m{id}"), "sender": "bob", "text": "x".repeat(700)});
        stage.post(&format!("/v1/rooms/r{room}/messages"), &keys["member"], said).await
    };
    say(&keys, 1, 1).await.ok();
    for _ in 0..5 {
        say(&keys, 1, 1).await.ok();
    }
    say(&keys, 2, 1).await.ok();
    is_full(&say(&keys, 3, 1).await);
    is_full(&say(&keys, 1, 2).await);
    assert_eq!(reached(&stage, "messages").await, 2);
    // Commands are kept nowhere.
    let command = json!({"id": "c", "sender": "bob", "text": "/hongbao best"});
    stage.post("/v1/rooms/r1/messages", &keys["member"], command).await.ok();
    for id in 0..9 {
        say(&others, 1, id).await.ok();
    }
    stage.clock.advance(24 * 60 * 60 * 1000);
    say(&keys, 3, 1).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_come_at_once_are_no_more_than_fit_and_what_fails_takes_nothing() {
    let mut stores = Stores::default();
    let events = Faulty::<dyn Events>::new(stores.events);
    stores.events = events.clone();
    let (stage, keys) = limited_on(stores, json!({"message_bytes": 4_000})).await;
    let say = async |id: usize| {
        let said = json!({"id": format!("m{id}"), "sender": "bob", "text": "x".repeat(700)});
        stage.post(&format!("/v1/rooms/r{id}/messages"), &keys["member"], said).await
    };
    events.set(Fault::Down);
    for answer in futures::future::join_all((0..3).map(&say)).await {
        assert_eq!(answer.problem(), "unavailable");
    }
    events.set(Fault::Slow);
    let answers = futures::future::join_all((0..20).map(&say)).await;
    let (told, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status.is_success());
    assert_eq!(told.len(), 4, "as many as fit");
    refused.iter().for_each(is_full);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_counted_while_they_are_valid() {
    let (stage, keys, others) = limited(json!({"keys": 5})).await;
    let path = "/v1/tenants/acme/keys";
    let body = json!({"label": "x", "scopes": ["member"]});
    let made = stage.once(path, &keys["admin"], "k1", body.clone()).await.ok();
    is_full(&stage.once(path, &keys["admin"], "k2", body.clone()).await);
    is_full(&stage.once(path, &stage.operator, "k2", body.clone()).await);
    assert_eq!(reached(&stage, "keys").await, 2);
    stage.once("/v1/tenants/other/keys", &others["admin"], "k2", body.clone()).await.ok();
    stage.delete(&format!("{path}/{}", made["id"].as_str().unwrap()), &keys["admin"]).await.ok();
    stage.once(path, &keys["admin"], "k2", body).await.ok();
    stage.stop().await;
}

/// The embedded plugin with other bytes: a custom section that says nothing.
async fn install(stage: &Stage, keys: &Keys, version: u8) -> Answer {
    let mut code = Plugin::EMBEDDED.to_vec();
    code.extend([0, 3, 1, b'v', version]);
    let request = stage.request(Method::POST, "/v1/tenants/acme/plugins", &keys["admin"]);
    let request = request.header("idempotency-key", format!("install {version}"));
    stage.send(request.header("content-type", "application/wasm").body(code)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_bounded_and_those_that_serve_nobody_are_removed() {
    let (stage, keys, _) = limited(json!({"plugins": 2})).await;
    let admin = &keys["admin"];
    let digest =
        async |version| install(&stage, &keys, version).await.ok()["digest"].as_str().unwrap().to_owned();
    let plugin = |digest: &str| format!("/v1/tenants/acme/plugins/{digest}");
    let (one, two) = (digest(1).await, digest(2).await);
    is_full(&install(&stage, &keys, 3).await);
    assert_eq!(reached(&stage, "plugins").await, 1);
    assert_eq!(digest(1).await, one, "what is there is there");
    stage.post("/v1/tenants/acme/upgrade", admin, json!({"digest": one})).await.ok();
    let refused = stage.delete(&plugin(&one), admin).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (409, "plugin-in-use"));
    for nobodys in [&"0".repeat(64), "x", "%00"] {
        assert_eq!(stage.delete(&plugin(nobodys), admin).await.problem(), "not-found", "{nobodys}");
    }
    let removed = stage.delete(&plugin(&two), admin).await.ok();
    assert_eq!((&removed["digest"], &removed["serves"]), (&json!(two), &json!(false)));
    assert_eq!(stage.delete(&plugin(&two), admin).await.problem(), "not-found");
    let upgrade = stage.post("/v1/tenants/acme/upgrade", admin, json!({"digest": two})).await;
    assert_eq!(upgrade.problem(), "not-found");
    digest(3).await;
    // One that served before goes as well, and with it the way back.
    stage.post("/v1/tenants/acme/upgrade", admin, json!({})).await.ok();
    stage.delete(&plugin(&one), admin).await.ok();
    assert_eq!(stage.post("/v1/tenants/acme/rollback", admin, json!({})).await.problem(), "no-former-plugin");
    let log = stage.get("/v1/tenants/acme/log", admin).await.ok();
    let removals = log["items"].as_array().unwrap().iter().filter(|one| one["action"] == "plugin.remove");
    let outcomes: Vec<_> = removals.map(|one| one["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["ok", "not-found", "ok", "not-found", "not-found", "not-found", "plugin-in-use"]);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_are_bounded_in_bytes_before_anything_is_compiled() {
    let most = Plugin::EMBEDDED.len() + 10;
    let (stage, keys, _) = limited(json!({"plugin_bytes": most})).await;
    install(&stage, &keys, 1).await.ok();
    let before = stage.get("/metrics", "").await.text;
    is_full(&install(&stage, &keys, 2).await);
    let compiled =
        |text: &str| text.lines().find(|line| line.starts_with("hongbao_compile_seconds")).map(str::to_owned);
    assert_eq!(compiled(&stage.get("/metrics", "").await.text), compiled(&before));
    stage.stop().await;
}

/// Begins to send a plugin of which nothing comes; the answer, where there is one before that.
async fn begin(stage: &Stage, tenant: &str, key: &str, bytes: u64) -> Result<TcpStream, String> {
    let mut stream = TcpStream::connect(stage.listening.address()).await.unwrap();
    let head = format!(
        "POST /v1/tenants/{tenant}/plugins HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: k\r\n\
         Content-Type: application/wasm\r\nContent-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 4096];
    match timeout(Duration::from_millis(400), stream.read(&mut answer)).await {
        Err(_) => Ok(stream),
        Ok(read) => Err(String::from_utf8_lossy(&answer[..read.unwrap()]).into_owned()),
    }
}

#[track_caller]
fn is_refused(begun: &Result<TcpStream, String>, status: &str, code: &str) {
    let answer = begun.as_ref().expect_err("it is answered before its body comes");
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_cannot_be_installed_is_refused_before_it_is_read() {
    let (stage, keys, _) = limited(json!({"plugin_bytes": 1_000_000})).await;
    let admin = &keys["admin"];
    is_refused(&begin(&stage, "acme", admin, 1_000_001).await, "429", "quota-reached");
    is_refused(&begin(&stage, "acme", &stage.operator, 1_000_001).await, "429", "quota-reached");
    is_refused(&begin(&stage, "acme", admin, (16 << 20) + 1).await, "413", "too-large");
    begin(&stage, "acme", admin, 1_000_000).await.expect("it fits");
    configure(&stage, json!({"plugins": 0})).await;
    is_refused(&begin(&stage, "acme", admin, 1).await, "429", "quota-reached");
    configure(&stage, json!({})).await;
    stage.post("/v1/tenants/acme/suspend", &stage.operator, json!({})).await.ok();
    is_refused(&begin(&stage, "acme", admin, 1).await, "503", "suspended");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_that_are_being_sent_are_bounded_for_a_tenant_and_in_all() {
    const BODY: u64 = 15 << 20;
    let (stage, keys, _) = limited(json!({})).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(begin(&stage, "acme", &keys["admin"], BODY).await.expect("there is room"));
    }
    is_refused(&begin(&stage, "acme", &keys["admin"], BODY).await, "429", "quota-reached");
    for tenant in ["b", "c", "d", "e"] {
        let keys = stage.tenant(tenant).await;
        for _ in 0..4 {
            held.extend(begin(&stage, tenant, &keys["admin"], BODY).await.ok());
        }
    }
    assert_eq!(held.len(), 17, "256 MiB of them");
    is_refused(&begin(&stage, "other", &stage.operator, BODY).await, "503", "busy");
    drop(held);
    sleep(Duration::from_millis(200)).await;
    begin(&stage, "other", &stage.operator, BODY).await.expect("there is room again");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_packets_are_bounded_and_one_that_ends_makes_room() {
    let (stage, keys, others) = limited(json!({"open_packets": 2})).await;
    for keys in [&keys, &others] {
        stage.fund(keys, "alice", 1_000).await;
    }
    let order = json!({"room": "family", "sender": "alice", "total": 100, "shares": 1});
    let first = stage.packet(&keys, "p1", 100, 1).await;
    stage.packet(&keys, "p2", 100, 1).await;
    is_full(&stage.once("/v1/packets", &keys["member"], "p3", order.clone()).await);
    assert_eq!(reached(&stage, "open-packets").await, 1);
    assert_eq!(stage.packet(&keys, "p1", 100, 1).await, first, "what was sent is told again");
    let typed = json!({"id": "m", "sender": "alice", "text": "/hongbao 1 1"});
    let told = stage.post("/v1/rooms/family/messages", &keys["member"], typed).await;
    assert_eq!(told.ok()["replies"][0]["code"], "busy", "it was not sent: {told:?}");
    assert_eq!(reached(&stage, "open-packets").await, 2);
    for number in 0..4 {
        stage.packet(&others, &format!("p{number}"), 100, 1).await;
    }
    stage.tap(&keys, &first, "grab-and-open", "bob").await.ok();
    stage.clock.advance(5_000);
    stage.once("/v1/packets", &keys["member"], "p3", order).await.ok();
    let audit = stage.get("/v1/tenants/acme/audit", &keys["admin"]).await.ok();
    assert_eq!(
        (&audit["packets"], &audit["sent"], &audit["is_conserved"]),
        (&json!(3), &json!(300), &json!(true))
    );
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_that_are_sent_at_once_are_no_more_than_may_be_open() {
    let mut stores = Stores::default();
    let ledger = Faulty::<dyn Ledger>::new(stores.ledger);
    stores.ledger = ledger.clone();
    let (stage, keys) = limited_on(stores, json!({"open_packets": 2})).await;
    stage.fund(&keys, "alice", 1_000).await;
    ledger.set(Fault::Slow);
    let order = json!({"room": "family", "sender": "alice", "total": 10, "shares": 1});
    let send = async |number: usize| {
        stage.once("/v1/packets", &keys["member"], &format!("p{number}"), order.clone()).await
    };
    let answers = futures::future::join_all((0..6).map(&send)).await;
    ledger.set(Fault::None);
    let sent = answers.iter().filter(|answer| answer.status.is_success()).count();
    assert!((1..=2).contains(&sent), "{answers:?}");
    for refused in answers.iter().filter(|answer| !answer.status.is_success()) {
        assert!(["quota-reached", "busy"].contains(&refused.problem().as_str()), "{refused:?}");
    }
    let audit = stage.get("/v1/tenants/acme/audit", &keys["admin"]).await.ok();
    assert_eq!(audit["packets"], sent, "what was refused was not sent");
    stage.stop().await;
}
