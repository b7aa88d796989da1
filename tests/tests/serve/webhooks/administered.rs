//! What administrators do with webhooks.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_made_changed_looked_at_and_removed() {
    let bench = Bench::start().await;
    let state = bench.look().await;
    assert_eq!(state["url"], bench.receiver.url());
    assert_eq!((&state["kinds"], &state["is_disabled"]), (&json!([]), &json!(false)));
    assert!(state["secret"].is_null() && state["created_at_ms"] == NOW_MS);
    assert!(bench.secret.starts_with("whsec_"), "{}", bench.secret);
    let again =
        bench.stage.once(HOOKS, &bench.keys["admin"], "x", json!({"url": bench.receiver.url()})).await;
    let again = (
        again.ok(),
        bench.stage.once(HOOKS, &bench.keys["admin"], "x", json!({"url": bench.receiver.url()})).await,
    );
    assert_eq!(again.0["id"], again.1.ok()["id"], "one request makes one");
    assert!(
        again.0["secret"].is_string() && again.1.ok()["secret"].is_null(),
        "and its secret is shown once"
    );
    let changed = bench
        .change(json!({"kinds": ["packet.sent", "share.claimed", "packet.sent"], "is_disabled": true}))
        .await;
    assert_eq!(changed["kinds"], json!(["packet.sent", "share.claimed"]));
    assert_eq!(changed["disabled_because"], "administrator");
    let request = bench.stage.request(reqwest::Method::PATCH, &bench.path(""), &bench.keys["admin"]);
    let unknown = bench.stage.send(request.json(&json!({"kinds": ["packet.lost"]}))).await;
    assert!(unknown.problem() == "invalid-argument" && unknown.text.contains("share.claimed"), "{unknown:?}");
    assert_eq!(bench.look().await, changed);
    assert_eq!(bench.stage.delete(&bench.path(""), &bench.keys["admin"]).await.ok(), changed);
    for path in ["", "/failures", "/dead-letters"] {
        assert_eq!(bench.stage.get(&bench.path(path), &bench.keys["admin"]).await.problem(), "not-found");
    }
    for path in ["/test", "/replay"] {
        assert_eq!(bench.post(path, json!({"dead_letters": true})).await.problem(), "not-found");
    }
    assert_eq!(bench.stage.delete(&bench.path(""), &bench.keys["admin"]).await.problem(), "not-found");
    let log = bench.stage.get("/v1/tenants/acme/log?limit=100", &bench.keys["admin"]).await.ok();
    let done: Vec<_> = log["items"].as_array().unwrap().iter().map(|entry| &entry["action"]).collect();
    for action in ["webhook.create", "webhook.change", "webhook.remove", "webhook.test", "webhook.replay"] {
        assert!(done.iter().any(|one| **one == action), "{action} of {done:?}");
    }
    assert!(!log.to_string().contains("whsec_") && !log.to_string().contains("/hook"), "{log}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_sixteen_webhooks_at_most() {
    let bench = Bench::start().await;
    for number in 1..16 {
        hook(&bench.stage, &bench.keys, json!({"url": format!("{}/{number}", bench.receiver.url())})).await;
    }
    let more =
        bench.stage.once(HOOKS, &bench.keys["admin"], "more", json!({"url": bench.receiver.url()})).await;
    assert_eq!((more.status.as_u16(), more.problem().as_str()), (429, "quota-reached"));
    let list = bench.stage.get(HOOKS, &bench.keys["admin"]).await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 16);
    // Each of them is told.
    bench.events(1..2).await;
    until("all are told", || async { bench.receiver.took().len() == 16 }).await;
    assert_ids_are_of_events(&bench.receiver.took());
    bench.stage.delete(&bench.path(""), &bench.keys["admin"]).await.ok();
    hook(&bench.stage, &bench.keys, json!({"url": format!("{}/more", bench.receiver.url())})).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_tried_out() {
    let bench = Bench::start().await;
    let tested = bench.post("/test", json!({})).await.ok();
    assert_eq!((&tested["is_delivered"], &tested["status"]), (&json!(true), &json!(204)));
    let [message] = &bench.receiver.got()[..] else { panic!("one message") };
    assert_eq!((message.kind(), &message.body["data"]["webhook"]), ("webhook.test", &json!(bench.id)));
    assert!(message.is_signed_by(&bench.secret));
    bench.receiver.always(Reaction::Answer(418, String::new(), "short and stout".into()));
    let tested = bench.post("/test", json!({})).await.ok();
    assert_eq!(tested["result"], "answered 418: short and stout");
    assert_eq!((&tested["is_delivered"], &tested["status"]), (&json!(false), &json!(418)));
    bench.receiver.always(Reaction::Never);
    let tested = bench.post("/test", json!({})).await.ok();
    assert_eq!((&tested["result"], &tested["status"]), (&json!("no answer within 500 ms"), &Value::Null));
    assert!(bench.list("/failures").await.is_empty(), "it is not sent again");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_for_a_tenant_that_the_operator_suspended() {
    let bench = Bench::start().await;
    bench.events(1..2).await;
    bench.taken(1).await;
    bench.receiver.always(status(500));
    bench.events(2..3).await;
    bench.waiting(1).await;
    let before = bench.receiver.got().len();
    bench.stage.post("/v1/tenants/acme/suspend", &bench.stage.operator, json!({})).await.ok();
    bench.receiver.always(status(200));
    bench.stage.clock.advance(72_000);
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert_eq!(bench.receiver.got().len(), before);
    let refused = bench.post("/test", json!({})).await;
    assert_eq!(refused.problem(), "suspended");
    bench.stage.post("/v1/tenants/acme/resume", &bench.stage.operator, json!({})).await.ok();
    bench.taken(2).await;
    bench.stop().await;
}
