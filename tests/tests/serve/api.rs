//! What members and funders call.

use serde_json::json;

use crate::stage::{Stage, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_is_sent_grabbed_opened_and_seen_by_all() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 5_000).await;
    let packet = stage.packet(&keys, "p1", 1_000, 3).await;

    let wallet = stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok();
    assert_eq!(wallet, json!({"user": "alice", "balance": 4_000, "currency": "CNY", "currency_digits": 2}));

    let seat = stage.tap(&keys, &packet, "grab", "bob").await.ok();
    assert_eq!(seat, json!({"outcome": "admitted", "may_open": true}));
    let seat = stage.tap(&keys, &packet, "grab", "bob").await.ok();
    assert_eq!(seat["outcome"], "already-grabbed");
    let share = stage.tap(&keys, &packet, "open", "bob").await.ok();
    assert_eq!((&share["outcome"], &share["sequence"]), (&json!("opened"), &json!(1)));
    let again = stage.tap(&keys, &packet, "open", "bob").await.ok();
    assert_eq!((&again["outcome"], &again["amount"]), (&json!("already-opened"), &share["amount"]));
    let seat = stage.tap(&keys, &packet, "grab", "bob").await.ok();
    assert_eq!(seat, json!({"outcome": "already-opened", "may_open": false, "amount": share["amount"]}));
    assert_eq!(stage.tap(&keys, &packet, "open", "erin").await.ok()["outcome"], "not-grabbed");

    let carol = stage.tap(&keys, &packet, "grab-and-open", "carol").await.ok();
    let dave = stage.tap(&keys, &packet, "grab-and-open", "dave").await.ok();
    let sum = [&share, &carol, &dave].map(|share| share["amount"].as_u64().unwrap()).iter().sum::<u64>();
    assert_eq!(sum, 1_000);
    assert_eq!(stage.tap(&keys, &packet, "grab-and-open", "erin").await.ok()["outcome"], "exhausted");

    let details = stage.get(&format!("/v1/packets/{packet}"), &keys["member"]).await.ok();
    assert_eq!(details["state"], "finished");
    let claims = details["claims"].as_array().unwrap();
    assert_eq!(claims.len(), 3);
    let largest = claims.iter().map(|claim| claim["amount"].as_u64().unwrap()).max();
    let best: Vec<_> = claims.iter().filter(|claim| claim["best_luck"] == true).collect();
    assert_eq!(best.len(), 1);
    assert_eq!(best[0]["amount"].as_u64(), largest);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_comes_in_pages_without_gaps() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 50_000).await;
    let mut packets = Vec::new();
    for index in 0..5 {
        let packet = stage.packet(&keys, &format!("p{index}"), 100 + index, 1).await;
        assert_eq!(stage.tap(&keys, &packet, "grab-and-open", "bob").await.ok()["outcome"], "opened");
        packets.insert(0, packet);
        stage.clock.advance(10);
    }
    for path in ["/v1/rooms/family/packets", "/v1/users/alice/sent", "/v1/users/bob/received"] {
        let mut seen = Vec::new();
        let mut next = String::new();
        loop {
            let page = stage.get(&format!("{path}?limit=2{next}"), &keys["member"]).await.ok();
            seen.extend(
                page["items"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|item| item["packet"].as_str().unwrap().to_owned()),
            );
            match page["next"].as_str() {
                Some(place) => next = format!("&before={place}"),
                None => break,
            }
        }
        assert_eq!(seen, packets, "{path}");
    }
    until("settled", || async {
        stage.get("/v1/users/bob/wallet", &keys["member"]).await.ok()["balance"] == 510
    })
    .await;
    let statement = stage.get("/v1/users/bob/wallet/statement", &keys["member"]).await.ok();
    let items = statement["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["kind"] == "received"));
    assert_eq!(items.iter().map(|item| item["amount"].as_i64().unwrap()).sum::<i64>(), 510);
    let statement = stage.get("/v1/users/alice/wallet/statement?limit=1", &keys["member"]).await.ok();
    assert_eq!(statement["items"][0]["kind"], "sent");
    assert_eq!(statement["items"][0]["amount"], -104);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_gets_a_card_and_its_buttons_work() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 5_000).await;
    let path = "/v1/rooms/family/messages";
    let typed = |text: &str| json!({"id": "m1", "sender": "alice", "text": text, "language": "zh-CN"});
    let answer = stage.post(path, &keys["member"], typed("/红包 8.88 2 新年快乐")).await.ok();
    assert_eq!((&answer["said"], &answer["handled"]), (&json!(false), &json!(true)));
    let card = &answer["replies"][0]["card"];
    assert_eq!((&card["theme"], &card["private"]), (&json!("sealed"), &json!(false)));
    let packet = card["packet"].as_str().unwrap();
    let press = |action: &str, user: &str| {
        let path = format!("/v1/packets/{packet}/actions/{action}");
        let body = json!({"user": user, "language": "en"});
        let (stage, key) = (&stage, &keys["member"]);
        async move { stage.post(&path, key, body).await.ok()["replies"].clone() }
    };
    assert_eq!(press("grab", "bob").await[0]["card"]["buttons"][0]["action"], "open");
    assert_eq!(press("open", "bob").await[0]["card"]["theme"], "opened");
    let shown = press("show", "carol").await;
    assert_eq!(shown[0]["card"]["theme"], "sealed");
    assert_eq!(shown[0]["card"]["private"], false);
    let unknown = press("fly", "carol").await;
    assert_eq!((&unknown[0]["kind"], &unknown[0]["code"]), (&json!("problem"), &json!("unknown-action")));
    let plain = json!({"id": "m2", "sender": "bob", "text": "thanks <b>alice</b>"});
    let answer = stage.post(path, &keys["member"], plain).await.ok();
    assert_eq!(answer, json!({"said": true, "handled": false, "replies": []}));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_goes_back_when_the_time_is_over() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let packet = stage.packet(&keys, "p1", 1_000, 2).await;
    let share = stage.tap(&keys, &packet, "grab-and-open", "bob").await.ok()["amount"].as_u64().unwrap();
    stage.clock.advance(24 * 60 * 60 * 1000);
    assert_eq!(stage.tap(&keys, &packet, "grab", "carol").await.ok()["outcome"], "expired");
    until("refunded", || async {
        stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok()["balance"] == 1_000 - share
    })
    .await;
    let details = stage.get(&format!("/v1/packets/{packet}"), &keys["member"]).await.ok();
    assert_eq!((&details["state"], &details["refunded"]), (&json!("expired"), &json!(1_000 - share)));
    let audit = stage.get("/v1/tenants/acme/audit", &keys["admin"]).await.ok();
    assert_eq!(audit["is_conserved"], true);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_specification_names_every_path_and_parses() {
    let stage = Stage::start().await;
    let specification = stage.get("/openapi.json", "").await.ok();
    assert!(specification["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = specification["paths"].as_object().unwrap();
    assert!(paths.len() >= 25, "{}", paths.len());
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(operation["operationId"].is_string(), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            let is_open = ["/healthz", "/readyz", "/metrics"].contains(&path.as_str());
            assert_eq!(operation["responses"].get("401").is_some(), !is_open, "{method} {path}");
        }
    }
    let docs = stage.get("/docs/", "").await;
    assert!(docs.status.is_success() && docs.text.contains("swagger"), "{docs:?}");
    let begins = stage.get("/docs/swagger-initializer.js", "").await;
    assert!(begins.text.contains("\"/openapi.json\""), "{begins:?}");
    let specification = stage.get("/openapi.json", "").await;
    assert_eq!(specification.header("content-type"), Some("application/json"));
    stage.stop().await;
}
