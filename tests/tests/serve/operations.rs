//! What machines ask, and how a service ends.

use std::sync::Arc;
use std::time::Duration;

use hongbao_host::server::ServiceSettings;
use hongbao_host::store::FRESH;
use hongbao_testkit::{Fault, Faulty};
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
        json!({"ready": true, "counter": "ok", "ledger": "ok", "registry": "ok", "clock": "ok", "host": "ok",
               "reasons": {}})
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
    for store in ["ledger", "counter", "registry"] {
        let up = format!("hongbao_store_up{{store=\"{store}\"}} 1\n");
        let state = format!("hongbao_store_state{{store=\"{store}\",state=\"ok\"}} 1\n");
        assert!(metrics.text.contains(&up) && metrics.text.contains(&state), "{}", metrics.text);
    }
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
    let ready: Value = serde_json::from_str(&ready.text).unwrap();
    assert_eq!(
        (&ready["ledger"], &ready["reasons"]["ledger"]),
        (&json!("away"), &json!("it does not answer"))
    );
    assert_eq!(stage.get("/healthz", "").await.status.as_u16(), 200);
    faulty.set(Fault::None);
    stage.tap(&keys, &packet, "open", "bob").await.ok();
    stage.once("/v1/packets", &keys["member"], "q", order).await.ok();
    let audit = stage.get("/v1/tenants/acme/audit", &keys["admin"]).await.ok();
    assert_eq!((&audit["is_conserved"], &audit["sent"]), (&json!(true), &json!(300)));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_ledger_is_busy_and_the_key_of_a_send_stays_free() {
    let stores = Stores::default();
    let faulty = Faulty::new(Arc::clone(&stores.ledger));
    let stores = Stores { ledger: faulty.clone(), ..stores };
    let stage = Stage::with(stores, ServiceSettings::default(), None).await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let packet = stage.packet(&keys, "p", 100, 2).await;
    stage.tap(&keys, &packet, "grab", "bob").await.ok();
    faulty.set(Fault::Overloaded);
    let order = json!({"room": "family", "sender": "alice", "total": 200, "shares": 2});
    let sent = stage.once("/v1/packets", &keys["member"], "q", order.clone()).await;
    let open = stage.tap(&keys, &packet, "open", "bob").await;
    let path = "/v1/users/alice/wallet/funds";
    let funded = stage.once(path, &keys["fund"], "f", json!({"amount": 5})).await;
    let wallet = stage.get("/v1/users/alice/wallet", &keys["member"]).await;
    for answer in [&sent, &open, &funded, &wallet] {
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (503, "busy"), "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
    }
    tokio::time::sleep(FRESH).await;
    let ready = stage.get("/readyz", "").await.ok();
    assert_eq!((&ready["ledger"], &ready["ready"]), (&json!("busy"), &json!(true)));
    let metrics = stage.get("/metrics", "").await.text;
    let count = metrics
        .lines()
        .find_map(|line| line.strip_prefix("hongbao_store_errors_total{store=\"ledger\",code=\"busy\"} "));
    assert!(count.unwrap().parse::<u64>().unwrap() >= 3, "{metrics}");
    faulty.set(Fault::None);
    let again = stage.once("/v1/packets", &keys["member"], "q", order).await;
    assert_eq!(again.header("idempotency-replayed"), None, "nothing was kept under the key");
    again.ok();
    stage.tap(&keys, &packet, "open", "bob").await.ok();
    let audit = stage.get("/v1/tenants/acme/audit", &keys["admin"]).await.ok();
    assert_eq!((&audit["is_conserved"], &audit["sent"]), (&json!(true), &json!(300)));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_that_refuses_writes_is_not_ready_with_the_reason_and_heals() {
    let stores = Stores::default();
    let faulty = Faulty::new(Arc::clone(&stores.ledger));
    let stores = Stores { ledger: faulty.clone(), ..stores };
    let stage = Stage::with(stores, ServiceSettings::default(), None).await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    faulty.set(Fault::RefusesWrites);
    let order = json!({"room": "family", "sender": "alice", "total": 200, "shares": 2});
    let sent = stage.once("/v1/packets", &keys["member"], "q", order.clone()).await;
    assert_eq!(sent.problem(), "unavailable");
    let ready = stage.get("/readyz", "").await;
    assert_eq!(ready.status.as_u16(), 503);
    let ready: Value = serde_json::from_str(&ready.text).unwrap();
    assert_eq!(ready["ledger"], "refuses-writes");
    assert_eq!(ready["reasons"], json!({"ledger": "the disk is full"}));
    let metrics = stage.get("/metrics", "").await.text;
    assert!(metrics.contains("hongbao_store_up{store=\"ledger\"} 0\n"), "{metrics}");
    assert!(metrics.contains("{store=\"ledger\",state=\"refuses-writes\"} 1\n"), "{metrics}");
    faulty.set(Fault::None);
    let (begun, checked) = (std::time::Instant::now(), faulty.checked());
    // A flood of probes: the store is asked once a second at most.
    while !stage.get("/readyz", "").await.status.is_success() {
        assert!(begun.elapsed() < Duration::from_secs(5), "it heals by itself");
    }
    for _ in 0..200 {
        stage.get("/readyz", "").await.ok();
    }
    let (checked, seconds) = (faulty.checked() - checked, begun.elapsed().as_secs() as usize);
    assert!(checked <= seconds + 2, "{checked} checks in {seconds} s");
    stage.once("/v1/packets", &keys["member"], "q", order).await.ok();
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

/// On the one thread of this test nothing has run yet that listening began.
#[tokio::test]
async fn a_service_that_is_stopped_before_it_did_anything_ends() {
    let stage = Stage::start().await;
    let ended = tokio::time::timeout(Duration::from_secs(10), stage.stop()).await;
    assert!(ended.is_ok(), "something of it has not heard that it is over");
}
