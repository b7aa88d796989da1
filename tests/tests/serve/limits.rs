//! Nobody asks too often, and nobody opens too many streams.

use std::num::NonZeroU32;

use hongbao_host::server::{RateSettings, ServiceSettings};
use reqwest::Method;
use serde_json::json;

use crate::stage::{Stage, Stores};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_asks_too_often_waits_and_others_do_not() {
    let rate = RateSettings { user_per_second: NonZeroU32::new(3), ..RateSettings::default() };
    let settings = ServiceSettings { rate, ..ServiceSettings::default() };
    let stage = Stage::with(Stores::default(), settings, None).await;
    let keys = stage.tenant("acme").await;
    let mut refused = None;
    for _ in 0..10 {
        let answer = stage.get("/v1/users/bob/wallet", &keys["member"]).await;
        if answer.status.as_u16() == 429 {
            refused = Some(answer);
        }
    }
    let refused = refused.expect("ten in an instant are too many");
    assert_eq!((refused.problem().as_str(), refused.header("retry-after")), ("rate-limited", Some("1")));
    stage.get("/v1/users/carol/wallet", &keys["member"]).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_often_waits_and_others_do_not() {
    let rate =
        RateSettings { key_per_second: NonZeroU32::new(8), user_per_second: None, ..RateSettings::default() };
    let settings = ServiceSettings { rate, ..ServiceSettings::default() };
    let stage = Stage::with(Stores::default(), settings, None).await;
    let keys = stage.tenant("acme").await;
    let mut statuses = Vec::new();
    for index in 0..20 {
        statuses
            .push(stage.get(&format!("/v1/users/u{index}/wallet"), &keys["member"]).await.status.as_u16());
    }
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    stage.get("/v1/tenants/acme", &keys["admin"]).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted() {
    let settings = ServiceSettings { streams: 1, ..ServiceSettings::default() };
    let stage = Stage::with(Stores::default(), settings, None).await;
    let keys = stage.tenant("acme").await;
    let open = || stage.request(Method::GET, "/v1/rooms/r/events", &keys["member"]).send();
    let first = open().await.unwrap();
    assert!(first.status().is_success());
    let second = stage.get("/v1/rooms/r/events", &keys["member"]).await;
    assert_eq!((second.status.as_u16(), second.problem().as_str()), (503, "busy"));
    drop(first);
    crate::stage::until("the place is free", || async { open().await.unwrap().status().is_success() }).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_own_limits_hold_over_http() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let settings = json!({"limits": {"requests_per_second": 1}});
    stage.put("/v1/tenants/acme/settings", &stage.operator, settings).await.ok();
    let nowhere = "00000000-0000-7000-8000-000000000000";
    let mut refused = 0;
    for _ in 0..5 {
        let answer = stage.tap(&keys, nowhere, "grab", "bob").await;
        refused += u32::from(answer.status.as_u16() == 429);
    }
    assert!(refused >= 3, "{refused}");
    stage.stop().await;
}
