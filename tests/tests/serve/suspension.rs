//! The operator's suspension and the tenant's own, what they cover, and that nothing takes effect before it is
//! written down.

use std::sync::Arc;
use std::time::Duration;

use hongbao_host::store::Registry;
use hongbao_testkit::{Fault, Faulty};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, Keys, Stage, Stores, unhurried, until};

const SUSPEND: &str = "/v1/tenants/acme/suspend";
const RESUME: &str = "/v1/tenants/acme/resume";

async fn suspended_by(stage: &Stage) -> Value {
    stage.get("/v1/tenants/acme", &stage.operator).await.ok()["suspended_by"].clone()
}

/// One request of each kind in the name of the tenant, with what it is called.
async fn everything(stage: &Stage, keys: &Keys, packet: &str, salt: &str) -> Vec<(&'static str, Answer)> {
    let member = &keys["member"];
    let order = json!({"room": "family", "sender": "alice", "total": 10, "shares": 1});
    let said = |text: &str| json!({"id": format!("{salt} {text}"), "sender": "alice", "text": text});
    let mut answers = vec![
        ("send", stage.once("/v1/packets", member, &format!("send {salt}"), order).await),
        ("grab", stage.tap(keys, packet, "grab", "bob").await),
        ("open", stage.tap(keys, packet, "open", "bob").await),
        ("grab and open", stage.tap(keys, packet, "grab-and-open", "carol").await),
        ("press", stage.tap(keys, packet, "actions/show", "bob").await),
        ("say", stage.post("/v1/rooms/family/messages", member, said("hello")).await),
        ("command", stage.post("/v1/rooms/family/messages", member, said("/hongbao best")).await),
    ];
    let funds = "/v1/users/alice/wallet/funds";
    let funded = stage.once(funds, &keys["fund"], &format!("fund {salt}"), json!({"amount": 5})).await;
    answers.push(("fund", funded));
    let out = "/v1/users/alice/wallet/withdrawals";
    let taken = stage.once(out, &keys["withdraw"], &format!("out {salt}"), json!({"amount": 3})).await;
    answers.push(("withdraw", taken));
    for (name, path) in [
        ("details", format!("/v1/packets/{packet}")),
        ("wallet", "/v1/users/alice/wallet".into()),
        ("statement", "/v1/users/alice/wallet/statement".into()),
        ("withdrawals", "/v1/users/alice/wallet/withdrawals".into()),
        ("sent", "/v1/users/alice/sent".into()),
        ("received", "/v1/users/bob/received".into()),
        ("room", "/v1/rooms/family/packets".into()),
        ("money", "/v1/events".into()),
    ] {
        answers.push((name, stage.get(&path, member).await));
    }
    let stream = stage.request(Method::GET, "/v1/rooms/family/events", member).send().await.unwrap();
    // One that is open has no end.
    if !stream.status().is_success() {
        answers.push(("events", stage.get("/v1/rooms/family/events", member).await));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_does_nothing_at_all_and_the_operator_alone_lifts_it() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let admin = &keys["admin"];
    stage.fund(&keys, "alice", 1_000).await;
    let packet = stage.packet(&keys, "p", 100, 3).await;
    stage.post(SUSPEND, &stage.operator, json!({})).await.ok();
    let answers = everything(&stage, &keys, &packet, "while suspended").await;
    assert_eq!(answers.len(), 18, "a stream is refused as well");
    for (name, answer) in answers {
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (503, "suspended"), "{name}");
        assert_eq!(answer.header("retry-after"), None, "{name}: nobody knows when");
    }
    let refused = stage.post(RESUME, admin, json!({})).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (403, "forbidden"));
    assert_eq!(suspended_by(&stage).await, json!(["operator"]));
    assert_eq!(stage.tap(&keys, &packet, "grab", "bob").await.problem(), "suspended");
    let log = stage.get("/v1/tenants/acme/log?limit=1", admin).await.ok();
    assert_eq!(
        (&log["items"][0]["action"], &log["items"][0]["outcome"]),
        (&json!("tenant.resume"), &json!("forbidden"))
    );
    stage.post(RESUME, &stage.operator, json!({})).await.ok();
    for (name, answer) in everything(&stage, &keys, &packet, "afterwards").await {
        assert!(answer.status.is_success(), "{name}: {answer:?}");
    }
    let wallet = stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok();
    assert_eq!(wallet["balance"], 1_000 - 100 - 10 + 5 - 3, "nothing had moved meanwhile");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_and_the_tenant_say_are_two_things() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let (admin, operator) = (&keys["admin"], &stage.operator);
    let wallet = async || stage.get("/v1/users/bob/wallet", &keys["member"]).await.status.as_u16();
    let steps = [
        (SUSPEND, admin, json!(["tenant"])),
        (RESUME, admin, json!([])),
        (SUSPEND, admin, json!(["tenant"])),
        (RESUME, operator, json!(["tenant"])),
        (SUSPEND, operator, json!(["operator", "tenant"])),
        (SUSPEND, admin, json!(["operator", "tenant"])),
        (RESUME, operator, json!(["tenant"])),
        (RESUME, admin, json!([])),
    ];
    for (step, (path, key, left)) in steps.into_iter().enumerate() {
        let view = stage.post(path, key, json!({})).await.ok();
        assert_eq!(view["suspended_by"], left, "step {step}");
        assert_eq!(view["is_suspended"], left != json!([]), "step {step}");
        assert_eq!(wallet().await, if left == json!([]) { 200 } else { 503 }, "step {step}");
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_of_a_suspended_tenant_look_and_take_away_and_change_nothing() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let admin = &keys["admin"];
    let more = json!({"label": "x", "scopes": ["member"]});
    let spare = stage.once("/v1/tenants/acme/keys", admin, "spare", more.clone()).await.ok();
    stage.post(SUSPEND, &stage.operator, json!({})).await.ok();
    for (path, body) in [
        ("/v1/tenants/acme/upgrade", json!({})),
        ("/v1/tenants/acme/rollback", json!({})),
        ("/v1/tenants/acme/reconcile", json!({"repair": true})),
        ("/v1/tenants/acme/keys", more),
    ] {
        let answer = stage.once(path, admin, "k", body).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (503, "suspended"), "{path}");
    }
    for path in ["", "/keys", "/plugins", "/audit", "/log"] {
        stage.get(&format!("/v1/tenants/acme{path}"), admin).await.ok();
    }
    stage.post("/v1/tenants/acme/reconcile", admin, json!({})).await.ok();
    let spare = format!("/v1/tenants/acme/keys/{}", spare["id"].as_str().unwrap());
    stage.delete(&spare, admin).await.ok();
    // What it suspended itself, it goes on looking after.
    stage.post(RESUME, &stage.operator, json!({})).await.ok();
    stage.post(SUSPEND, admin, json!({})).await.ok();
    stage.post("/v1/tenants/acme/upgrade", admin, json!({})).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_is_in_flight_goes_home_while_a_tenant_is_suspended() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let order =
        json!({"room": "family", "sender": "alice", "total": 100, "shares": 2, "expires_in_ms": 1_000});
    let packet = stage.once("/v1/packets", &keys["member"], "p", order).await.ok();
    let packet = packet["packet"].as_str().unwrap();
    stage.tap(&keys, packet, "grab-and-open", "bob").await.ok();
    stage.post(SUSPEND, &stage.operator, json!({})).await.ok();
    let audit = async || stage.get("/v1/tenants/acme/audit", &stage.operator).await.ok();
    until("the share is settled", async || audit().await["unsettled"] == 0).await;
    assert!(audit().await["remaining"].as_u64().unwrap() > 0);
    // At once, and not only when the plugin has had its minute.
    stage.clock.advance(1_000);
    until("the rest is refunded", async || audit().await["remaining"] == 0).await;
    let audit = audit().await;
    assert_eq!((&audit["is_conserved"], &audit["escrow"]), (&json!(true), &json!(0)), "{audit}");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_streams_of_a_suspended_tenant_end() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let stream = stage.request(Method::GET, "/v1/rooms/family/events", &keys["member"]).send().await.unwrap();
    assert!(stream.status().is_success());
    stage.post(SUSPEND, &keys["admin"], json!({})).await.ok();
    let end = tokio::time::timeout(Duration::from_secs(10), stream.text()).await;
    end.expect("it ends within some seconds").unwrap();
    stage.stop().await;
}

/// A service whose records can be switched off.
async fn with_faulty_records() -> (Stage, Arc<Faulty<dyn Registry>>, Keys) {
    let stores = Stores::default();
    let faulty = Faulty::new(Arc::clone(&stores.registry));
    let stage = Stage::with(Stores { registry: faulty.clone(), ..stores }, unhurried(), None).await;
    let keys = stage.tenant("acme").await;
    (stage, faulty, keys)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_written_down_takes_no_effect() {
    let (stage, records, keys) = with_faulty_records().await;
    let operator = &stage.operator;
    let wallet = async || stage.get("/v1/users/bob/wallet", &keys["member"]).await;
    let settings = "/v1/tenants/acme/settings";
    let yen = json!({"policy": {"currency": "JPY", "currency_digits": 0}});
    let change = async |path: &str| {
        records.set(Fault::RefusesWrites);
        let answer = match path {
            path if path == settings => stage.put(path, operator, yen.clone()).await,
            path => stage.post(path, operator, json!({})).await,
        };
        records.set(Fault::None);
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (503, "unavailable"), "{path}");
    };
    change(SUSPEND).await;
    wallet().await.ok();
    change(settings).await;
    assert_eq!(wallet().await.ok()["currency"], "CNY");
    stage.post(SUSPEND, operator, json!({})).await.ok();
    change(RESUME).await;
    for _ in 0..10 {
        assert_eq!(wallet().await.problem(), "suspended", "a resume that failed resumes nothing");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stage.post(RESUME, operator, json!({})).await.ok();
    wallet().await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_down_takes_effect_also_where_the_answer_was_lost() {
    let (stage, records, keys) = with_faulty_records().await;
    // The key is known by then, so that only the change itself is lost on its way back.
    stage.get("/v1/tenants/acme", &keys["admin"]).await.ok();
    let before = stage.stores.registry.tenants().await.unwrap().remove(0);
    let suspension = hongbao_host::domain::Suspension { by_operator: true, by_tenant: false };
    let after = hongbao_host::store::TenantRecord { suspension, ..before };
    records.set(Fault::ReplyLost);
    stage.stores.registry.put_tenant(after).await.unwrap_err();
    records.set(Fault::None);
    until("the host follows its records", async || {
        stage.get("/v1/users/bob/wallet", &keys["member"]).await.status.as_u16() == 503
    })
    .await;
    stage.stop().await;
}
