//! A key that one host revokes.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use crate::caller::{get, post};
use crate::stage::{Stage, TENANT};
use crate::stream::Stream;

/// A host looks a key up again after five seconds; the rest is what an answer may take.
const AT_MOST: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_one_host_revokes_is_refused_by_the_other_within_seconds() {
    let stage = Stage::start().await;
    let (mut one, mut two) = (stage.directly(0), stage.directly(1));
    let path = format!("/v1/tenants/{TENANT}/keys");
    let body = json!({"label": "till", "scopes": ["member"]});
    let made = one.ok(post("admin", &path, body).once("till")).await;
    let admin = one.clone();
    for caller in [&mut one, &mut two] {
        caller.keys.insert("member", made["key"].as_str().unwrap().to_owned());
    }
    let wallet = get("member", "/v1/users/bob/wallet");
    one.ok(wallet.clone()).await;
    let mut stream = Stream::open(&two, "family", None).await;
    two.ok(wallet.clone()).await;

    let mut revoke = get("admin", format!("{path}/{}", made["id"].as_str().unwrap()));
    revoke.method = reqwest::Method::DELETE;
    admin.ok(revoke).await;
    let revoked = Instant::now();
    assert_eq!(
        one.ask(&wallet).await.unwrap().status,
        StatusCode::UNAUTHORIZED,
        "at once where it was revoked"
    );
    loop {
        let began = Instant::now();
        let answer = two.ask(&wallet).await.unwrap();
        if answer.status == StatusCode::UNAUTHORIZED {
            break;
        }
        answer.ok();
        assert!(began - revoked < AT_MOST, "taken still after {:?}", began - revoked);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(stream.next().await.is_none(), "a stream that was open ends too");
    assert!(revoked.elapsed() < 2 * AT_MOST, "{:?}", revoked.elapsed());
}
