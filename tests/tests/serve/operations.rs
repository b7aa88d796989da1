//! What machines ask, and how a service ends.

use std::sync::Arc;
use std::time::Duration;

use hongbao_host::http::ServiceSettings;
use hongbao_host::testkit::{Fault, Faulty};
use serde_json::{Value, json};

use crate::stage::{Stage, Stores};

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_metrics_need_no_key() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.get("/v1/users/bob/wallet", &keys["member"]).await.ok();
    assert_eq!(stage.get("/healthz", "").await.text, "ok\n");
    let ready = stage.get("/readyz", "").await.ok();
    assert_eq!(
        ready,
        json!({"ready": true, "counter": "ok", "ledger": "ok", "registry": "ok", "host": "ok"})
    );
    let metrics = stage.get("/metrics", "").await;
    assert!(
        metrics.text.contains(
            "hongbao_http_requests_total{method=\"GET\",route=\"/v1/users/{user}/wallet\",status=\"200\"} 1"
        ),
        "{}",
        metrics.text
    );
    assert!(metrics.text.contains("hongbao_tenants"));
    assert_eq!(metrics.text.matches("# EOF").count(), 1);
    assert!(metrics.text.ends_with("# EOF\n"));
    stage.stop().await;
    let settings = ServiceSettings { metrics: false, ..ServiceSettings::default() };
    let stage = Stage::with(Stores::default(), settings, None).await;
    assert_eq!(stage.get("/metrics", "").await.problem(), "not-found");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_a_tenant_stays_within_its_label() {
    let stage = Stage::start().await;
    let names = ["Bob\"s shop", "a\\b", "x\",tenant=\"acme", "\\", "\\n", "a{b}\u{2028}"];
    for name in names {
        stage
            .once("/v1/tenants", &stage.operator, &format!("{}", name.len()), json!({"tenant": name}))
            .await
            .ok();
    }
    let text = stage.get("/metrics", "").await.text;
    for name in names {
        let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
        assert!(text.contains(&format!("tenant=\"{escaped}\",")), "{name}: {text}");
    }
    assert!(!text.contains("tenant=\"acme\""), "nobody is called so");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_is_away_is_told_and_nothing_is_lost() {
    let stores = Stores::default();
    let faulty = Faulty::new(Arc::clone(&stores.ledger));
    let stage =
        Stage::with(Stores { ledger: faulty.clone(), ..stores }, ServiceSettings::default(), None).await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let packet = stage.packet(&keys, "p", 100, 2).await;
    stage.tap(&keys, &packet, "grab", "bob").await.ok();
    faulty.set(Fault::Down);
    let open = stage.tap(&keys, &packet, "open", "bob").await;
    assert_eq!((open.status.as_u16(), open.problem().as_str()), (503, "unavailable"));
    assert!(open.header("retry-after").is_some());
    let order = json!({"room": "family", "sender": "alice", "total": 200, "shares": 2});
    let sent = stage.once("/v1/packets", &keys["member"], "q", order.clone()).await;
    assert_eq!(sent.problem(), "unavailable");
    let ready = stage.get("/readyz", "").await;
    assert_eq!(ready.status.as_u16(), 503);
    assert_eq!(serde_json::from_str::<Value>(&ready.text).unwrap()["ledger"], "away");
    assert_eq!(stage.get("/healthz", "").await.status.as_u16(), 200);
    faulty.set(Fault::None);
    stage.tap(&keys, &packet, "open", "bob").await.ok();
    stage.once("/v1/packets", &keys["member"], "q", order).await.ok();
    let audit = stage.get("/v1/tenants/acme/audit", &keys["admin"]).await.ok();
    assert_eq!((&audit["is_conserved"], &audit["sent"]), (&json!(true), &json!(300)));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_finish_when_it_stops_and_new_ones_find_nobody() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 10_000).await;
    let packet = stage.packet(&keys, "p", 1_000, 50).await;
    let (url, client, key) = (stage.url.clone(), stage.client.clone(), keys["member"].clone());
    let mut taps = tokio::task::JoinSet::new();
    for index in 0..50 {
        let request = client.post(format!("{url}/v1/packets/{packet}/grab-and-open")).bearer_auth(&key);
        taps.spawn(request.json(&json!({"user": format!("u{index}")})).send());
    }
    tokio::time::sleep(Duration::from_millis(2)).await;
    let ledger = Arc::clone(&stage.stores.ledger);
    stage.stop().await;
    let mut told = 0;
    while let Some(answer) = taps.join_next().await {
        // Who came too late found nobody; who was let in was answered.
        if let Ok(answer) = answer.unwrap() {
            assert!(answer.status().is_success(), "{answer:?}");
            told += answer.json::<Value>().await.unwrap()["amount"].as_u64().unwrap();
        }
    }
    let acme = hongbao_host::domain::TenantId::new("acme").unwrap();
    let audit = ledger.audit(&acme).await.unwrap();
    assert!(audit.claimed >= i128::from(told) && audit.unsettled == 0, "{audit:?} {told}");
    assert!(client.get(format!("{url}/healthz")).send().await.is_err());
}
