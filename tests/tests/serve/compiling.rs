//! Plugins that take long to compile: who uploads one is told in time, and nobody else waits for it.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use hongbao_host::domain::{Suspension, TenantId, UserId};
use hongbao_host::imports::ManualClock;
use hongbao_host::runtime::{CompileLimits, Compiler, Digest};
use hongbao_host::store::{PluginQuota, PluginRecord, TenantRecord};
use hongbao_tests::heavy::heavy;
use reqwest::Method;
use serde_json::json;

use crate::stage::{Answer, NOW_MS, Stage, Stores, unhurried, until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hongbao-under-test");

/// Compiling has so long, each in a process of its own.
fn within(time: Duration) -> Compiler {
    Compiler::in_processes(PROGRAM.into(), CompileLimits { time, ..CompileLimits::default() })
}

async fn stage(stores: Stores, compiler: Compiler) -> Stage {
    let clock = Arc::new(ManualClock::new(NOW_MS));
    Stage::compiling(compiler, clock, stores, unhurried(), None).await
}

async fn upload(stage: &Stage, tenant: &str, salt: &str, code: Vec<u8>) -> Answer {
    let request = stage.request(Method::POST, &format!("/v1/tenants/{tenant}/plugins"), &stage.operator);
    stage.send(request.header("idempotency-key", salt).body(code)).await
}

/// As [`upload`], by somebody who asks again while the machine is busy with something else.
async fn upload_until_decided(stage: &Stage, tenant: &str, salt: &str, code: &[u8]) -> Answer {
    for number in 0..10 {
        let begun = Instant::now();
        let answer = upload(stage, tenant, &format!("{salt}-{number}"), code.to_vec()).await;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        if answer.problem() != "busy" {
            return answer;
        }
    }
    panic!("busy ten times")
}

/// Some seconds of compiling.
fn long(seed: u32) -> Vec<u8> {
    heavy(seed, 8, 30_000)
}

async fn record(stores: &Stores, name: &str) -> TenantRecord {
    let id = TenantId::new(name).unwrap();
    stores.registry.tenants().await.unwrap().into_iter().find(|record| record.id == id).unwrap()
}

/// Writes into the records that a tenant is served by this, as a host with a faster machine may do.
async fn let_serve(stores: &Stores, name: &str, code: Vec<u8>) {
    let mut record = record(stores, name).await;
    let digest = Digest::of(&code).to_string();
    let plugin = PluginRecord {
        digest: digest.clone(),
        name: "long".into(),
        version: "1.0.0".into(),
        bytes: code.len() as u64,
        installed_at_ms: NOW_MS,
    };
    stores.registry.put_plugin(&record.id, plugin, code, PluginQuota::NONE).await.unwrap();
    record.serve_by(Some(digest));
    assert!(stores.registry.put_tenant(record).await.unwrap().is_some());
}

async fn set_suspended(stores: &Stores, name: &str, is_suspended: bool) {
    let suspension = Suspension { by_operator: is_suspended, by_tenant: false };
    let record = TenantRecord { suspension, ..record(stores, name).await };
    assert!(stores.registry.put_tenant(record).await.unwrap().is_some());
}

async fn is_suspended(stage: &Stage, name: &str) -> bool {
    let tenant = stage.get(&format!("/v1/tenants/{name}"), &stage.operator).await.ok();
    tenant["is_suspended"] == true
}

async fn has_metric(stage: &Stage, line: &str) -> bool {
    stage.get("/metrics", "").await.text.lines().any(|found| found == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_takes_too_much_is_refused_with_a_code_and_the_next_one_is_not() {
    let stage = stage(Stores::default(), within(Duration::from_secs(1))).await;
    stage.tenant("acme").await;
    let refused = upload_until_decided(&stage, "acme", "long", &long(1)).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (422, "plugin-too-costly"));
    assert!(refused.text.contains("took longer than 1 s") && refused.text.contains("(compile-time)"));
    let refused = upload(&stage, "acme", "large", heavy(2, 20, 30_000)).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (422, "plugin-too-costly"));
    assert!(refused.text.contains("more than 4194304 bytes of code"), "{refused:?}");
    assert!(has_metric(&stage, "hongbao_refused_plugins{code=\"compile-time\"} 1").await);
    let mut another = hongbao_host::runtime::Plugin::EMBEDDED.to_vec();
    another.extend([0, 3, 1, b'v', 1]);
    let grants = json!({"grants": ["counter", "ledger", "entropy", "clock", "log", "policy"]});
    stage.put("/v1/tenants/acme/settings", &stage.operator, grants).await.ok();
    upload(&stage, "acme", "short", another).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_that_find_the_compiler_taken_have_an_answer_in_time() {
    let stage = Arc::new(stage(Stores::default(), within(Duration::from_secs(2))).await);
    stage.tenant("acme").await;
    stage.tenant("beta").await;
    let begun = Instant::now();
    let uploads = (0..5).map(|number| {
        let stage = Arc::clone(&stage);
        tokio::spawn(async move { upload(&stage, "acme", &format!("k{number}"), long(10 + number)).await })
    });
    let uploads: Vec<_> = uploads.collect();
    until("a queue", || has_metric(&stage, "hongbao_compiling{state=\"waiting\"} 2")).await;
    // Another tenant is before those of the first that wait.
    let other = upload(&stage, "beta", "k", long(20)).await;
    assert_eq!(other.problem(), "plugin-too-costly");
    assert!(begun.elapsed() < Duration::from_millis(6500), "{:?}", begun.elapsed());
    let mut codes = Vec::new();
    for answer in uploads {
        let answer = answer.await.unwrap();
        assert!([422, 503].contains(&answer.status.as_u16()), "{answer:?}");
        codes.push(answer.problem());
    }
    codes.sort_unstable();
    assert_eq!(codes, ["busy", "busy", "plugin-too-costly", "plugin-too-costly", "plugin-too-costly"]);
    Arc::into_inner(stage).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenant_is_followed_while_a_plugin_compiles() {
    let stores = Stores::default();
    let stage = stage(stores.clone(), within(Duration::from_secs(8))).await;
    let acme = stage.tenant("acme").await;
    stage.tenant("beta").await;
    let_serve(&stores, "acme", long(30)).await;
    until("a compiler", || has_metric(&stage, "hongbao_compiling{state=\"compiled\"} 1")).await;
    let begun = Instant::now();
    set_suspended(&stores, "beta", true).await;
    until("a suspension", || is_suspended(&stage, "beta")).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(has_metric(&stage, "hongbao_compiling{state=\"compiled\"} 1").await, "it compiles still");
    // Its own suspension does not wait either, and until then it goes on as before.
    stage.get("/v1/users/bob/wallet", &acme["member"]).await.ok();
    set_suspended(&stores, "acme", true).await;
    until("its own suspension", || is_suspended(&stage, "acme")).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // The end of one does: what served before is replaced.
    set_suspended(&stores, "acme", false).await;
    set_suspended(&stores, "beta", false).await;
    until("the end of a suspension", || async { !is_suspended(&stage, "beta").await }).await;
    assert!(is_suspended(&stage, "acme").await, "its new plugin is not there yet");
    let begun = Instant::now();
    stage.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(3), "a stop ends it: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_suspended_and_resumed_by_calls_while_its_plugin_compiles_and_after_it_fails() {
    let stores = Stores::default();
    let stage = stage(stores.clone(), within(Duration::from_secs(3))).await;
    let acme = stage.tenant("acme").await;
    let_serve(&stores, "acme", long(35)).await;
    until("a compiler", || has_metric(&stage, "hongbao_compiling{state=\"compiled\"} 1")).await;
    let suspended = stage.post("/v1/tenants/acme/suspend", &acme["admin"], json!({})).await.ok();
    assert_eq!(suspended["suspended_by"], json!(["tenant"]));
    assert!(has_metric(&stage, "hongbao_compiling{state=\"compiled\"} 1").await, "it compiles still");
    until("an end", || has_metric(&stage, "hongbao_compiling{state=\"compiled\"} 0")).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(is_suspended(&stage, "acme").await, "what was before the suspension does not lift it");
    stage.post("/v1/tenants/acme/resume", &acme["admin"], json!({})).await.ok();
    stage.get("/v1/users/bob/wallet", &acme["member"]).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_starts_serves_those_that_are_ready_and_says_so_of_the_others() {
    let stores = Stores::default();
    let first = stage(stores.clone(), Compiler::default()).await;
    let (acme, beta) = (first.tenant("acme").await, first.tenant("beta").await);
    first.fund(&acme, "alice", 100).await;
    first.packet(&acme, "p", 100, 2).await;
    let (listening, operator) = (first.listening, first.operator);
    listening.stop(Duration::ZERO).await;
    let_serve(&stores, "acme", long(40)).await;
    let begun = Instant::now();
    let second = stage(stores.clone(), within(Duration::from_secs(2))).await;
    assert!(begun.elapsed() < Duration::from_millis(1900), "{:?}", begun.elapsed());
    second.get("/v1/users/bob/wallet", &beta["member"]).await.ok();
    for path in ["/v1/users/bob/wallet", "/v1/tenants/acme"] {
        let refused = second.get(path, &acme["member"]).await;
        assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (503, "plugin-not-ready"));
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
    }
    assert_eq!(second.get("/readyz", "").await.status.as_u16(), 200);
    assert!(has_metric(&second, "hongbao_tenants_waiting 1").await);
    let again = second.once("/v1/tenants", &operator, "again", json!({"tenant": "acme"})).await;
    assert_eq!(again.problem(), "tenant-exists");
    // One whose plugin does not compile here is tried again, and can be given another meanwhile.
    until("a compilation that failed", || {
        has_metric(&second, "hongbao_refused_plugins{code=\"compile-time\"} 1")
    })
    .await;
    assert_eq!(second.get("/v1/users/bob/wallet", &acme["member"]).await.problem(), "plugin-not-ready");
    // A sender's money does not wait for it.
    second.clock.advance(24 * 60 * 60 * 1000 + 60_000);
    let (acme_id, alice) = (TenantId::new("acme").unwrap(), UserId::new("alice").unwrap());
    until("a refund without the plugin", || async {
        stores.ledger.balance(&acme_id, &alice).await.unwrap().get() == 100
    })
    .await;
    second.post("/v1/tenants/acme/upgrade", &operator, json!({})).await.ok();
    second.get("/v1/users/bob/wallet", &acme["member"]).await.ok();
    until("that nobody waits", || has_metric(&second, "hongbao_tenants_waiting 0")).await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_whose_plugin_is_not_ready_is_in_its_operators_reach() {
    let stores = Stores::default();
    let first = stage(stores.clone(), Compiler::default()).await;
    let acme = first.tenant("acme").await;
    first.fund(&acme, "alice", 100).await;
    let listening = first.listening;
    listening.stop(Duration::ZERO).await;
    let code = long(45);
    let digest = Digest::of(&code).to_string();
    let_serve(&stores, "acme", code).await;
    let stage = stage(stores.clone(), within(Duration::from_secs(2))).await;
    let (operator, path) = (&stage.operator, |rest: &str| format!("/v1/tenants/acme{rest}"));
    assert_eq!(stage.get("/v1/users/bob/wallet", &acme["member"]).await.problem(), "plugin-not-ready");
    for key in [operator, &acme["admin"]] {
        let view = stage.get(&path(""), key).await.ok();
        assert_eq!((&view["waits_for_plugin"], view.get("plugin")), (&json!(true), None), "{view}");
        assert_eq!((&view["grants"], &view["suspended_by"]), (&json!([]), &json!([])));
        let plugins = stage.get(&path("/plugins"), key).await.ok();
        assert_eq!(plugins["items"][0]["digest"], digest);
        assert_eq!(plugins["items"][0]["serves"], true, "it shall");
        assert_eq!(stage.get(&path("/audit"), key).await.ok()["funded"], 100);
        stage.get(&path("/log"), key).await.ok();
        stage.get(&path("/keys"), key).await.ok();
    }
    let all = stage.get("/v1/tenants", operator).await.ok();
    assert_eq!((&all["items"][0]["tenant"], all["items"].as_array().unwrap().len()), (&json!("acme"), 1));
    let new = json!({"label": "x", "scopes": ["admin"]});
    let made = stage.once(&path("/keys"), operator, "one more", new.clone()).await.ok();
    stage.delete(&path(&format!("/keys/{}", made["id"].as_str().unwrap())), operator).await.ok();
    let suspended = stage.post(&path("/suspend"), operator, json!({})).await.ok();
    assert_eq!(
        (&suspended["suspended_by"], &suspended["is_suspended"]),
        (&json!(["operator"]), &json!(true))
    );
    assert_eq!(stage.get(&path(""), operator).await.ok()["suspended_by"], json!(["operator"]));
    assert_eq!(stage.once(&path("/keys"), &acme["admin"], "no more", new).await.problem(), "suspended");
    // Settings that keep the plugin wait for nobody, and are wrong or right by themselves.
    let begun = Instant::now();
    let settings = |most: u32| json!({"limits": {"requests_per_second": most, "keys": 2}, "grants": []});
    let view = stage.put(&path("/settings"), operator, settings(7)).await.ok();
    assert_eq!(
        (&view["limits"]["requests_per_second"], &view["waits_for_plugin"]),
        (&json!(7), &json!(true))
    );
    assert_eq!(stage.put(&path("/settings"), operator, settings(0)).await.problem(), "malformed");
    let wrong = json!({"limits": {"batch": 0}});
    assert_eq!(stage.put(&path("/settings"), operator, wrong).await.problem(), "invalid-argument");
    assert!(
        begun.elapsed() < Duration::from_millis(1500),
        "nothing was compiled for it: {:?}",
        begun.elapsed()
    );
    let full = json!({"label": "x", "scopes": ["member"]});
    assert_eq!(stage.once(&path("/keys"), operator, "too many", full).await.problem(), "quota-reached");
    // All of it holds once it is served, and what it lacks is told then.
    stage.put(&path("/settings"), operator, json!({"limits": {"requests_per_second": 7}})).await.ok();
    let served = stage.post(&path("/upgrade"), operator, json!({})).await.ok();
    assert_eq!((&served["waits_for_plugin"], &served["is_suspended"]), (&json!(false), &json!(true)));
    assert_eq!(served["limits"]["requests_per_second"], 7);
    assert!(served["plugin"]["name"].is_string());
    let resumed = stage.post(&path("/resume"), operator, json!({})).await.ok();
    assert_eq!(resumed["suspended_by"], json!([]));
    stage.get("/v1/users/bob/wallet", &acme["member"]).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_compiler_is_not_installed_once_the_operator_suspends_the_tenant() {
    let stage = Arc::new(stage(Stores::default(), within(Duration::from_secs(2))).await);
    let acme = stage.tenant("acme").await;
    stage.tenant("beta").await;
    let grants = json!({"grants": ["counter", "ledger", "entropy", "clock", "log", "policy"]});
    stage.put("/v1/tenants/acme/settings", &stage.operator, grants).await.ok();
    let other = {
        let stage = Arc::clone(&stage);
        tokio::spawn(async move { upload(&stage, "beta", "k", long(50)).await })
    };
    until("a compiler", || has_metric(&stage, "hongbao_compiling{state=\"compiled\"} 1")).await;
    let mut code = hongbao_host::runtime::Plugin::EMBEDDED.to_vec();
    code.extend([0, 3, 1, b'v', 1]);
    let install = |key: String, salt: &'static str, code: Vec<u8>| {
        let stage = Arc::clone(&stage);
        tokio::spawn(async move {
            let request = stage.request(Method::POST, "/v1/tenants/acme/plugins", &key);
            stage.send(request.header("idempotency-key", salt).body(code)).await
        })
    };
    let own = install(acme["admin"].clone(), "own", code.clone());
    until("a queue", || has_metric(&stage, "hongbao_compiling{state=\"waiting\"} 1")).await;
    stage.post("/v1/tenants/acme/suspend", &stage.operator, json!({})).await.ok();
    let refused = own.await.unwrap();
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (503, "suspended"));
    other.await.unwrap();
    let plugins = stage.get("/v1/tenants/acme/plugins", &acme["admin"]).await.ok();
    assert_eq!(plugins["items"], json!([]));
    install(stage.operator.clone(), "operator", code).await.unwrap().ok();
    Arc::into_inner(stage).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_took_too_much_once_keeps_nobody_from_the_compiler_a_second_time() {
    let stage = stage(Stores::default(), within(Duration::from_secs(1))).await;
    stage.tenant("acme").await;
    stage.tenant("beta").await;
    let first = upload_until_decided(&stage, "acme", "once", &long(60)).await;
    let begun = Instant::now();
    for (tenant, salt) in [("acme", "again"), ("beta", "theirs")] {
        let again = upload(&stage, tenant, salt, long(60)).await;
        assert_eq!((again.problem().as_str(), again.status), ("plugin-too-costly", first.status));
        assert!(again.text.contains("took longer than 1 s"), "{again:?}");
    }
    assert!(begun.elapsed() < Duration::from_millis(900), "{:?}", begun.elapsed());
    stage.stop().await;
}
