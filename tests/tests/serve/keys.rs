//! API keys: shown once, kept as a hash, revoked at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::stage::{Stage, unhurried};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_listed_and_revoked() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let path = "/v1/tenants/acme/keys";
    let body = json!({"label": "till", "scopes": ["member", "fund"]});
    let made = stage.once(path, &keys["admin"], "k", body.clone()).await.ok();
    let (key, id) = (made["key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned());
    assert_eq!(made["scopes"], json!(["member", "fund"]));
    let again = stage.once(path, &keys["admin"], "k", body).await;
    assert!(!again.text.contains(&key[20..]) && again.ok().get("key").is_none(), "it is shown once");

    let listed = stage.get(path, &keys["admin"]).await;
    assert!(!listed.text.contains(&key[20..]));
    let listed = listed.ok();
    assert!(listed["items"].as_array().unwrap().iter().any(|one| one["id"] == id.as_str()));
    let kept = stage.stores.registry.key(id.parse().unwrap()).await.unwrap().unwrap();
    assert!(!format!("{kept:?}").contains(&key[20..]));

    stage.get("/v1/users/bob/wallet", &key).await.ok();
    let revoked = stage.delete(&format!("{path}/{id}"), &keys["admin"]).await.ok();
    assert!(revoked["revoked_at_ms"].is_u64());
    assert_eq!(stage.get("/v1/users/bob/wallet", &key).await.problem(), "unauthenticated");
    assert_eq!(
        stage.delete(&format!("{path}/0000000000000000"), &keys["admin"]).await.problem(),
        "not-found"
    );
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_at_its_time() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let body = json!({"label": "guest", "scopes": ["member"], "expires_at_ms": crate::stage::NOW_MS + 1_000});
    let made = stage.once("/v1/tenants/acme/keys", &keys["admin"], "k", body).await.ok();
    let key = made["key"].as_str().unwrap();
    stage.get("/v1/users/bob/wallet", key).await.ok();
    stage.clock.advance(1_000);
    assert_eq!(stage.get("/v1/users/bob/wallet", key).await.problem(), "unauthenticated");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_key_is_no_operators() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    for (index, scopes) in
        [json!(["operator"]), json!(["member", "operator"]), json!([])].into_iter().enumerate()
    {
        let body = json!({"label": "x", "scopes": scopes});
        let made = stage.once("/v1/tenants/acme/keys", &keys["admin"], &format!("k{index}"), body).await;
        assert_eq!(made.problem(), "invalid-argument");
    }
    let made = stage.once("/v1/keys", &stage.operator, "k", json!({"label": "second"})).await.ok();
    stage.get("/v1/tenants", made["key"].as_str().unwrap()).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_administrators_do_is_written_down() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.post("/v1/tenants/acme/suspend", &keys["admin"], json!({})).await.ok();
    stage.post("/v1/tenants/acme/resume", &keys["admin"], json!({})).await.ok();
    stage.post("/v1/tenants/acme/rollback", &keys["admin"], json!({})).await.problem();
    let log = stage.get("/v1/tenants/acme/log?limit=3", &keys["admin"]).await.ok();
    let told: Vec<_> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (one["action"].as_str().unwrap(), one["outcome"].as_str().unwrap(), one["key"].as_str().unwrap())
        })
        .collect();
    let id = &keys["admin"][3..19];
    assert_eq!(
        told,
        [
            ("tenant.rollback", "no-former-plugin", id),
            ("tenant.resume", "ok", id),
            ("tenant.suspend", "ok", id)
        ]
    );
    let all = stage.get("/v1/log", &stage.operator).await.ok();
    assert!(all["items"].as_array().unwrap().iter().any(|one| one["action"] == "tenant.create"));
    stage.stop().await;
}

/// A service that has just started knows no key. Whatever others send meanwhile, a valid one is looked up at once.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_keep_no_valid_key_waiting_after_a_restart() {
    let (first, other) = (Stage::start().await, Stage::start().await);
    let keys = first.tenant("acme").await;
    let mut valid = Vec::new();
    for number in 0..90 {
        let body = json!({"label": "till", "scopes": ["member"]});
        let made =
            first.once("/v1/tenants/acme/keys", &keys["admin"], &format!("k{number}"), body).await.ok();
        valid.push(made["key"].as_str().unwrap().to_owned());
    }
    let revoked = valid.pop().unwrap();
    first.delete(&format!("/v1/tenants/acme/keys/{}", &revoked[3..19]), &keys["admin"]).await.ok();
    let stores = first.stores.clone();
    first.stop().await;

    let stage = Stage::with(stores, unhurried(), None).await;
    let url = format!("{}/v1/users/bob/wallet", stage.url);
    let (client, elsewhere) = (stage.client.clone(), other.operator.clone());
    let (done, flooding) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(1));
    let flooding = Arc::new(flooding);
    let flood: Vec<_> = (0..8)
        .map(|_| {
            let (done, next, url, client) = (done.clone(), flooding.clone(), url.clone(), client.clone());
            let (elsewhere, revoked, example) = (elsewhere.clone(), revoked.clone(), valid[0].clone());
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let key = match number % 4 {
                        0 => elsewhere.clone(),
                        1 => revoked.clone(),
                        // Right in its form, with the id of another one each time.
                        2 => format!("hb_{number:016x}{}", &example[19..]),
                        _ => format!("{}{number:016x}", &example[..example.len() - 16]),
                    };
                    let status = client.get(&url).bearer_auth(key).send().await.unwrap().status();
                    assert_eq!(status, 401);
                }
            })
        })
        .collect();
    for key in &valid {
        let begun = Instant::now();
        stage.get("/v1/users/bob/wallet", key).await.ok();
        assert!(begun.elapsed() < Duration::from_secs(1), "it waited {:?}", begun.elapsed());
    }
    done.store(true, Ordering::Relaxed);
    for task in flood {
        task.await.unwrap();
    }
    assert!(flooding.load(Ordering::Relaxed) > 200, "they were many");
    stage.stop().await;
    other.stop().await;
}
