//! Keys open what they are for, and nothing of another tenant's: every route of the specification is
//! tried, so that a new one cannot be forgotten.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::stage::{Keys, Stage, until};

/// What nobody of another tenant may ever read.
const SECRET: &str = "only-for-the-family-of-b";

/// What a request is about: ids of things of one tenant.
struct Things {
    tenant: String,
    packet: String,
    room: String,
    user: String,
    key: String,
    withdrawal: String,
    webhook: String,
}

impl Things {
    fn path(&self, path: &str) -> String {
        path.replace("{tenant}", &self.tenant)
            .replace("{packet}", &self.packet)
            .replace("{room}", &self.room)
            .replace("{user}", &self.user)
            .replace("{action}", "details")
            .replace("{key}", &self.key)
            .replace("{withdrawal}", &self.withdrawal)
            .replace("{webhook}", &self.webhook)
            .replace("{digest}", &"0".repeat(64))
    }
}

/// A body that each operation takes.
fn body(operation: &str, things: &Things) -> Option<Value> {
    Some(match operation {
        "send" => json!({"room": things.room, "sender": things.user, "total": 10, "shares": 1}),
        "grab" | "open" | "grab_and_open" => json!({"user": things.user}),
        "press" => json!({"user": things.user, "language": "en"}),
        "say" => json!({"id": "m", "sender": things.user, "text": "/hongbao best", "language": "en"}),
        "fund" => json!({"amount": 10}),
        "withdraw" => json!({"amount": 10, "reference": "x"}),
        "create_tenant" => json!({"tenant": "intruder"}),
        "configure" => json!({}),
        "upgrade" => json!({}),
        "create_key" => json!({"label": "x", "scopes": ["admin"]}),
        "create_operator_key" => json!({"label": "x"}),
        "reconcile" => json!({"repair": true}),
        "create_webhook" => json!({"url": "https://1.1.1.1/intruder"}),
        "change_webhook" => json!({"is_disabled": true}),
        "rotate_webhook" => json!({"overlap_seconds": 0}),
        "replay_webhook" => json!({"from_ms": 0}),
        _ => return None,
    })
}

/// Every operation of `/v1`, as `(method, path, operation)`.
async fn operations(stage: &Stage) -> Vec<(Method, String, String)> {
    let specification = stage.get("/openapi.json", "").await.ok();
    let mut found = Vec::new();
    for (path, item) in specification["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if path.starts_with("/v1/") {
                let method = method.to_uppercase().parse().unwrap();
                found.push((method, path.clone(), operation["operationId"].as_str().unwrap().to_owned()));
            }
        }
    }
    assert!(found.len() >= 30, "{found:?}");
    found
}

fn request(
    stage: &Stage,
    operation: &(Method, String, String),
    things: &Things,
    key: &str,
    salt: &str,
) -> RequestBuilder {
    let (method, path, name) = operation;
    let request = stage
        .request(method.clone(), &things.path(path), key)
        .header("idempotency-key", format!("{name} {salt}"));
    match body(name, things) {
        Some(body) => request.json(&body),
        None if *method == Method::POST => {
            request.header("content-type", "application/wasm").body("no plugin")
        }
        None => request,
    }
}

async fn things(stage: &Stage, tenant: &str, keys: &Keys) -> Things {
    stage.fund(keys, "bella", 1_000).await;
    let order = json!({"room": "kitchen", "sender": "bella", "total": 500, "shares": 5, "greeting": SECRET});
    let packet = stage.once("/v1/packets", &keys["member"], "p", order).await.ok();
    let packet = packet["packet"].as_str().unwrap().to_owned();
    stage.tap(keys, &packet, "grab-and-open", "bruno").await.ok();
    let audit = format!("/v1/tenants/{tenant}/audit");
    until("settled", || async { stage.get(&audit, &keys["admin"]).await.ok()["unsettled"] == 0 }).await;
    let key = keys["member"][3..19].to_owned();
    let out = json!({"amount": 7, "reference": SECRET});
    let out = stage.once("/v1/users/bella/wallet/withdrawals", &keys["withdraw"], "out", out).await.ok();
    let withdrawal = out["withdrawal"]["id"].as_str().unwrap().to_owned();
    // Nobody sends there: it is disabled at once, and no tenant is told of another's.
    let path = format!("/v1/tenants/{tenant}/webhooks");
    let hook = json!({"url": format!("https://1.1.1.1/{SECRET}")});
    let webhook =
        stage.once(&path, &keys["admin"], "hook", hook).await.ok()["id"].as_str().unwrap().to_owned();
    let request = stage.request(Method::PATCH, &format!("{path}/{webhook}"), &keys["admin"]);
    stage.send(request.json(&json!({"is_disabled": true}))).await.ok();
    let (room, user) = ("kitchen".into(), "bella".into());
    Things { tenant: tenant.into(), packet, room, user, key, withdrawal, webhook }
}

/// Everything of a tenant that an intruder could change.
async fn state(stage: &Stage, things: &Things, keys: &Keys) -> Vec<Value> {
    let mut state = Vec::new();
    let tenant = format!("/v1/tenants/{}", things.tenant);
    for path in [
        tenant.clone(),
        format!("{tenant}/keys"),
        format!("{tenant}/plugins"),
        format!("{tenant}/audit"),
        format!("{tenant}/log"),
        format!("{tenant}/webhooks"),
    ] {
        state.push(stage.get(&path, &keys["admin"]).await.ok());
    }
    for path in [
        format!("/v1/packets/{}", things.packet),
        "/v1/users/bella/wallet".into(),
        "/v1/users/bella/wallet/withdrawals".into(),
    ] {
        state.push(stage.get(&path, &keys["member"]).await.ok());
    }
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_gives_one_tenant_anything_of_anothers() {
    let stage = Stage::start().await;
    let (a, b) = (stage.tenant("a").await, stage.tenant("b").await);
    let things = things(&stage, "b", &b).await;
    let before = state(&stage, &things, &b).await;
    for operation in operations(&stage).await {
        if operation.2 == "events" {
            // A stream does not end: `events` has its own test.
            continue;
        }
        for scope in ["member", "fund", "withdraw", "admin"] {
            let answer = stage.send(request(&stage, &operation, &things, &a[scope], scope)).await;
            assert!(!answer.text.contains(SECRET), "{operation:?} with {scope}: {answer:?}");
            assert!(!answer.text.contains("bruno"), "{operation:?} with {scope}: {answer:?}");
            assert!(!answer.status.is_server_error(), "{operation:?} with {scope}: {answer:?}");
            if ["{tenant}", "{packet}", "{withdrawal}"].iter().any(|named| operation.1.contains(named)) {
                assert!(
                    !answer.status.is_success() || answer.text.contains("not-found"),
                    "{operation:?} with {scope}: {answer:?}"
                );
            }
        }
    }
    assert_eq!(state(&stage, &things, &b).await, before, "nothing of b's has changed");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_opens_without_a_key_or_with_a_wrong_one() {
    let stage = Stage::start().await;
    let b = stage.tenant("b").await;
    let things = things(&stage, "b", &b).await;
    let member = &b["member"];
    // As those of another service are.
    let elsewhere = Stage::start().await;
    let wrong = [
        elsewhere.operator.clone(),
        String::new(),
        "x".into(),
        member[..member.len() - 1].to_owned(),
        format!("{}{}{}", &member[..20], "0".repeat(64), &member[84..]),
        member[..84].to_owned(),
        member.replace("hb_", "HB_"),
        format!("hb_{}_{}", "0".repeat(16), &member[20..]),
    ];
    for operation in operations(&stage).await {
        let (method, path, _) = &operation;
        let none = stage.client.request(method.clone(), format!("{}{}", stage.url, things.path(path)));
        let answer = stage.send(none).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (401, "unauthenticated"),
            "{operation:?}"
        );
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        for key in &wrong {
            let answer = stage.send(request(&stage, &operation, &things, key, "x")).await;
            assert_eq!(answer.status.as_u16(), 401, "{operation:?} with {key:?}: {answer:?}");
        }
    }
    elsewhere.stop().await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_opens_its_own_routes_alone() {
    let stage = Stage::start().await;
    let b = stage.tenant("b").await;
    let things = things(&stage, "b", &b).await;
    for operation in operations(&stage).await {
        let (_, path, name) = &operation;
        let opens: &[&str] = match name.as_str() {
            "fund" => &["fund"],
            "withdraw" | "complete_withdrawal" | "cancel_withdrawal" | "held_withdrawals" => &["withdraw"],
            "withdrawal" | "withdrawals" => &["member", "withdraw"],
            "tenant" => &["member", "fund", "withdraw", "admin", "operator"],
            "tenants" | "create_tenant" | "configure" => &["operator"],
            _ if path.starts_with("/v1/keys") || path == "/v1/log" => &["operator"],
            _ if path.starts_with("/v1/tenants") => &["admin", "operator"],
            _ => &["member"],
        };
        for scope in ["member", "fund", "withdraw", "admin", "operator"] {
            if opens.contains(&scope) {
                continue;
            }
            let key = if scope == "operator" { &stage.operator } else { &b[scope] };
            let answer = stage.send(request(&stage, &operation, &things, key, scope)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.problem().as_str()),
                (403, "forbidden"),
                "{operation:?} with {scope}"
            );
        }
    }
    stage.stop().await;
}
