//! Tenants and plugins, changed by calls and followed by every host.

use hongbao_host::runtime::Plugin;
use hongbao_host::server::ServiceSettings;
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{Answer, Keys, Stage, until};

/// The embedded plugin with other bytes: a custom section that says nothing.
fn another(version: u8) -> Vec<u8> {
    let mut bytes = Plugin::EMBEDDED.to_vec();
    bytes.extend([0, 3, 1, b'v', version]);
    bytes
}

async fn install(stage: &Stage, keys: &Keys, salt: &str, code: Vec<u8>) -> Answer {
    let request = stage.request(Method::POST, "/v1/tenants/acme/plugins", &keys["admin"]);
    stage
        .send(request.header("idempotency-key", salt).header("content-type", "application/wasm").body(code))
        .await
}

/// Another plugin than the embedded one is granted nothing that nobody listed.
const GRANTS: [&str; 6] = ["counter", "ledger", "entropy", "clock", "log", "policy"];

async fn grant(stage: &Stage) {
    stage.put("/v1/tenants/acme/settings", &stage.operator, json!({"grants": GRANTS})).await.ok();
}

async fn serving(stage: &Stage, keys: &Keys) -> Value {
    stage.get("/v1/tenants/acme", &keys["member"]).await.ok()["plugin"]["digest"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_installed_serves_and_makes_way_again() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    grant(&stage).await;
    stage.fund(&keys, "alice", 1_000).await;
    let embedded = serving(&stage, &keys).await;
    let installed = install(&stage, &keys, "k", another(1)).await.ok();
    assert_eq!((&installed["name"], &installed["serves"]), (&json!("hongbao"), &json!(false)));
    assert_eq!(serving(&stage, &keys).await, embedded, "installed is not serving");
    let digest = installed["digest"].clone();
    let upgraded =
        stage.post("/v1/tenants/acme/upgrade", &keys["admin"], json!({"digest": digest})).await.ok();
    assert_eq!(upgraded["plugin"]["digest"], digest);
    stage.packet(&keys, "p1", 100, 1).await;
    let listed = stage.get("/v1/tenants/acme/plugins", &keys["admin"]).await.ok();
    assert_eq!(listed["items"][0]["serves"], true);
    stage.post("/v1/tenants/acme/rollback", &keys["admin"], json!({})).await.ok();
    assert_eq!(serving(&stage, &keys).await, embedded);
    stage.post("/v1/tenants/acme/rollback", &keys["admin"], json!({})).await.ok();
    assert_eq!(serving(&stage, &keys).await, digest);
    stage.post("/v1/tenants/acme/upgrade", &keys["admin"], json!({})).await.ok();
    assert_eq!(serving(&stage, &keys).await, embedded);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_stands_in_the_answers_and_a_foreign_plugin_is_granted_nothing() {
    let stage = Stage::start().await;
    let made = stage.once("/v1/tenants", &stage.operator, "k", json!({"tenant": "bare"})).await.ok();
    assert_eq!(made["grants"], json!(GRANTS), "the embedded plugin is granted what it asks for");
    let none = json!({"tenant": "none", "settings": {"grants": []}});
    let refused = stage.once("/v1/tenants", &stage.operator, "k2", none).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (422, "not-granted"));
    let keys = stage.tenant("acme").await;
    assert_eq!(stage.get("/v1/tenants/acme", &keys["member"]).await.ok()["grants"], json!(GRANTS));
    // Refused for want of grants, installed with the same key once they are listed.
    let refused = install(&stage, &keys, "k", another(1)).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (422, "not-granted"));
    assert!(refused.text.contains("list it in the tenant's grants"), "{refused:?}");
    grant(&stage).await;
    let digest = install(&stage, &keys, "k", another(1)).await.ok()["digest"].clone();
    let upgraded =
        stage.post("/v1/tenants/acme/upgrade", &keys["admin"], json!({"digest": digest})).await.ok();
    assert_eq!(upgraded["grants"], json!(GRANTS));
    let unsaid = stage.put("/v1/tenants/acme/settings", &stage.operator, json!({})).await;
    assert_eq!(unsaid.problem(), "not-granted", "the default grants a foreign plugin nothing");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_plugin_is_refused_and_the_old_one_serves_on() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let embedded = serving(&stage, &keys).await;
    for (index, code) in
        [b"no wasm".to_vec(), Plugin::EMBEDDED[..1000].to_vec(), Vec::new()].into_iter().enumerate()
    {
        let refused = install(&stage, &keys, &format!("k{index}"), code).await;
        assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (422, "not-a-plugin"));
    }
    let nobody = "0".repeat(64);
    let refused = stage.post("/v1/tenants/acme/upgrade", &keys["admin"], json!({"digest": nobody})).await;
    assert_eq!(refused.problem(), "not-found");
    let less = json!({"grants": ["ledger"]});
    let refused = stage.put("/v1/tenants/acme/settings", &stage.operator, less).await;
    assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (422, "not-granted"));
    for (wrong, code) in [
        (json!({"policy": {"max_shares": 0}}), "invalid-argument"),
        (json!({"policy": {"max_share": u64::MAX}}), "malformed"),
        (json!({"grants": ["net"]}), "malformed"),
    ] {
        let refused = stage.put("/v1/tenants/acme/settings", &stage.operator, wrong).await;
        assert_eq!((refused.status.as_u16(), refused.problem().as_str()), (400, code), "{refused:?}");
    }
    assert_eq!(serving(&stage, &keys).await, embedded);
    let again = stage.once("/v1/tenants", &stage.operator, "again", json!({"tenant": "acme"})).await;
    assert_eq!((again.status.as_u16(), again.problem().as_str()), (409, "tenant-exists"));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_host_on_the_same_records_follows() {
    let one = Stage::start().await;
    let keys = one.tenant("acme").await;
    let two = Stage::with(one.stores.clone(), ServiceSettings::default(), None).await;
    one.fund(&keys, "alice", 1_000).await;
    let packet = one.packet(&keys, "p", 100, 1).await;
    assert_eq!(two.tap(&keys, &packet, "grab-and-open", "bob").await.ok()["outcome"], "opened");

    grant(&one).await;
    let digest = install(&one, &keys, "k", another(2)).await.ok()["digest"].clone();
    one.post("/v1/tenants/acme/upgrade", &keys["admin"], json!({"digest": digest})).await.ok();
    until("the other host upgrades", || async { serving(&two, &keys).await == digest }).await;
    let yen = json!({"grants": GRANTS, "policy": {"currency": "JPY", "currency_digits": 0}});
    two.put("/v1/tenants/acme/settings", &two.operator, yen).await.ok();
    until("the first host is told of the currency", || async {
        one.get("/v1/users/bob/wallet", &keys["member"]).await.ok()["currency"] == "JPY"
    })
    .await;
    two.post("/v1/tenants/acme/suspend", &keys["admin"], json!({})).await.ok();
    until("the first host suspends", || async {
        one.tap(&keys, &packet, "grab", "bob").await.status.as_u16() == 503
    })
    .await;
    one.post("/v1/tenants/acme/resume", &keys["admin"], json!({})).await.ok();
    until("the second host resumes", || async {
        two.tap(&keys, &packet, "grab", "bob").await.status.is_success()
    })
    .await;
    let late = two.tenant("late").await;
    until("the first host serves the new tenant", || async {
        one.get("/v1/tenants/late", &late["member"]).await.status.is_success()
    })
    .await;
    one.stop().await;
    two.stop().await;
}
