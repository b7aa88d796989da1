//! Every administrative call is in the log: what was done, what was refused, and in words that are no others'.

use reqwest::Method;
use serde_json::{Value, json};

use std::num::NonZeroU32;

use hongbao_host::domain::TenantId;
use hongbao_host::server::{RateSettings, ServiceSettings};

use crate::stage::{Keys, Stage, Stores, unhurried};

/// The latest entries of a log, as `(action, subject, outcome)`.
async fn log(stage: &Stage, path: &str, key: &str) -> Vec<(String, String, String)> {
    let log = stage.get(&format!("{path}?limit=100"), key).await.ok();
    let text = |entry: &Value, member: &str| entry[member].as_str().unwrap().to_owned();
    let entries = log["items"].as_array().unwrap().iter();
    entries.map(|entry| (text(entry, "action"), text(entry, "subject"), text(entry, "outcome"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_to_no_digest_is_refused_and_written_down() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let cases = [
        ("\0", "\\u{0}", "invalid-argument"),
        (
            "a\n INFO hongbao_host::server::notes: administration",
            "a\\n INFO hongbao_host::server::notes: administration",
            "invalid-argument",
        ),
        ("a\\nb", "a\\\\nb", "invalid-argument"),
        ("", "", "invalid-argument"),
    ];
    for (digest, subject, code) in cases {
        let refused = stage.post("/v1/tenants/acme/upgrade", &keys["admin"], json!({"digest": digest})).await;
        assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (400, code), "{digest:?}");
        let told = log(&stage, "/v1/tenants/acme/log", &keys["admin"]).await.remove(0);
        assert_eq!(told, ("tenant.upgrade".into(), subject.into(), code.into()));
    }
    let revoked = stage.delete("/v1/tenants/acme/keys/a%0Ab", &keys["admin"]).await;
    assert_eq!(revoked.problem(), "not-found");
    let told = log(&stage, "/v1/tenants/acme/log", &keys["admin"]).await.remove(0);
    assert_eq!(told, ("key.revoke".into(), "a\\nb".into(), "not-found".into()));
    stage.stop().await;
}

/// Every call of an administrator that changes something, from the specification.
async fn changes(stage: &Stage) -> Vec<(Method, String)> {
    let specification = stage.get("/openapi.json", "").await.ok();
    let mut found = Vec::new();
    for (path, item) in specification["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let tag = operation["tags"][0].as_str().unwrap();
            if method != "get" && ["tenants", "keys", "books"].contains(&tag) {
                let path = path.replace("{tenant}", "acme").replace("{key}", "0000000000000001");
                found.push((
                    method.to_uppercase().parse().unwrap(),
                    path.replace("{digest}", &"0".repeat(64)),
                ));
            }
        }
    }
    assert!(found.len() >= 12, "{found:?}");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_key_may_not_do_is_written_down_in_the_log_of_whoever_tried() {
    let stage = Stage::start().await;
    let (keys, others) = (stage.tenant("acme").await, stage.tenant("other").await);
    let changes = changes(&stage).await;
    let before = log(&stage, "/v1/tenants/acme/log", &stage.operator).await;
    for (method, path) in &changes {
        let request = stage.request(method.clone(), path, &keys["member"]).header("idempotency-key", "k");
        let answer = stage.send(request.json(&json!({}))).await;
        assert_eq!(answer.problem(), "forbidden", "{method} {path}");
        let told = log(&stage, "/v1/tenants/acme/log", &stage.operator).await.remove(0);
        assert_eq!((&told.1, told.2.as_str()), (path, "forbidden"), "{method} {path}");
        assert!(told.0.contains('.') && !told.0.contains(' '), "{method} {path} has a name: {told:?}");
    }
    let after = log(&stage, "/v1/tenants/acme/log", &stage.operator).await;
    assert_eq!(after.len(), before.len() + changes.len());
    // Whose tenant it is not leaves no trace in its log, and one in their own.
    for (method, path) in changes.iter().filter(|(_, path)| path.starts_with("/v1/tenants/")) {
        let request = stage.request(method.clone(), path, &others["admin"]).header("idempotency-key", "k");
        assert_eq!(stage.send(request.json(&json!({}))).await.problem(), "not-found", "{method} {path}");
        let told = log(&stage, "/v1/tenants/other/log", &stage.operator).await.remove(0);
        assert_eq!((&told.1, told.2.as_str()), (path, "not-found"), "{method} {path}");
    }
    assert_eq!(log(&stage, "/v1/tenants/acme/log", &stage.operator).await, after);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_written_down_once_and_what_is_told_again_is_not() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let (admin, path) = (&keys["admin"], "/v1/tenants/acme/log");
    let before = log(&stage, path, admin).await.len();
    assert_eq!(
        stage.post("/v1/tenants/acme/upgrade", admin, json!({"digest": 7})).await.problem(),
        "malformed"
    );
    assert_eq!(stage.put("/v1/tenants/acme/settings", admin, json!({})).await.problem(), "forbidden");
    let keyless = stage.post("/v1/tenants/acme/keys", admin, json!({})).await;
    assert_eq!(keyless.problem(), "idempotency-key-missing");
    let wrong = json!({"label": "x", "scopes": []});
    let refused = stage.once("/v1/tenants/acme/keys", admin, "k", wrong).await;
    assert_eq!(refused.problem(), "invalid-argument");
    let body = json!({"label": "x\ny", "scopes": ["member"]});
    let refused = stage.once("/v1/tenants/acme/keys", admin, "k", body).await;
    assert_eq!(refused.problem(), "invalid-argument");
    for _ in 0..2 {
        let body = json!({"label": "x", "scopes": ["member"]});
        stage.once("/v1/tenants/acme/keys", admin, "k", body).await.ok();
    }
    let told: Vec<_> = log(&stage, path, admin).await;
    let told: Vec<_> =
        told[..told.len() - before].iter().rev().map(|(what, _, came)| (&**what, &**came)).collect();
    assert_eq!(
        told,
        [
            ("tenant.upgrade", "malformed"),
            ("tenant.configure", "forbidden"),
            ("key.create", "idempotency-key-missing"),
            ("key.create", "invalid-argument"),
            ("key.create", "invalid-argument"),
            ("key.create", "ok"),
        ]
    );
    // Nobody is nobody.
    stage.post("/v1/tenants/acme/upgrade", "hb_none", json!({})).await.problem();
    assert_eq!(log(&stage, path, admin).await.len(), before + told.len());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_refusals_of_a_key_a_few_are_written_down_and_how_many_more_there_were() {
    let stage = Stage::start().await;
    let (keys, others) = (stage.tenant("acme").await, stage.tenant("other").await);
    let before = log(&stage, "/v1/log", &stage.operator).await.len();
    for _ in 0..40 {
        let refused = stage.post("/v1/tenants/acme/suspend", &keys["member"], json!({})).await;
        assert_eq!(refused.problem(), "forbidden");
        let refused = stage.post("/v1/tenants/acme/upgrade", &keys["admin"], json!({"digest": "x"})).await;
        assert_eq!(refused.problem(), "invalid-argument");
    }
    assert_eq!(log(&stage, "/v1/log", &stage.operator).await.len() - before, 2 * 30, "a few of each key");
    stage.post("/v1/tenants/acme/suspend", &others["member"], json!({})).await.problem();
    stage.post("/v1/tenants/acme/suspend", &keys["admin"], json!({})).await.ok();
    let told = log(&stage, "/v1/log", &stage.operator).await;
    assert_eq!(
        (told[0].2.as_str(), told[1].2.as_str()),
        ("ok", "forbidden"),
        "what is done is written always"
    );
    let registry = stage.stores.registry.clone();
    stage.stop().await;
    let acme = TenantId::new("acme").unwrap();
    let mut last: Vec<_> = registry.notes(Some(&acme), None, 2).await.unwrap();
    last.sort_by_key(|(_, entry)| entry.by != Some(keys["member"][3..19].parse().unwrap()));
    let told: Vec<_> =
        last.iter().map(|(_, entry)| (&*entry.action, &*entry.subject, &*entry.outcome)).collect();
    assert_eq!(told, [("refusals", "10 more", "left-out"); 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_in_the_end_counts_against_the_tenants_rate() {
    let rate = RateSettings { admin_per_second: NonZeroU32::new(1), ..unhurried().rate };
    let settings = ServiceSettings { rate, ..unhurried() };
    let stage = Stage::with(Stores::default(), settings, None).await;
    let keys = stage.tenant("acme").await;
    let limits = json!({"limits": {"requests_per_second": 1}});
    stage.put("/v1/tenants/acme/settings", &stage.operator, limits).await.ok();
    for (scope, path) in [
        ("member", "/v1/tenants/acme/suspend"),
        ("member", "/v1/tenants/nobodys/suspend"),
        ("fund", "/v1/tenants/acme/upgrade"),
        ("fund", "/v1/packets"),
        ("member", "/v1/users/bob/wallet/funds"),
        ("member", "/v1/keys"),
        ("admin", "/v1/tenants/nobodys/suspend"),
        ("admin", "/v1/tenants"),
        ("admin", "/v1/packets"),
    ] {
        let mut codes = Vec::new();
        for _ in 0..4 {
            codes.push(stage.once(path, &keys[scope], "k", json!({})).await.problem());
        }
        let limited = codes.iter().filter(|code| *code == "rate-limited").count();
        assert!(limited >= 2, "{scope} {path}: {codes:?}");
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_hangs_up_keeps_nothing_out_of_the_log() {
    let stage = Stage::start().await;
    let keys: Keys = stage.tenant("acme").await;
    let before = log(&stage, "/v1/tenants/acme/log", &stage.operator).await.len();
    for _ in 0..20 {
        let request = stage.request(Method::POST, "/v1/tenants/acme/suspend", &keys["admin"]);
        let hung_up = tokio::time::timeout(std::time::Duration::from_micros(300), request.send()).await;
        drop(hung_up);
    }
    // Whatever was begun ends, and whatever was done is written down.
    crate::stage::until("as many entries as revisions", async || {
        let told = log(&stage, "/v1/tenants/acme/log", &stage.operator).await.len() - before;
        let revision = stage.stores.registry.revision().await.unwrap();
        revision == 1 + told as u64
    })
    .await;
    stage.stop().await;
}
