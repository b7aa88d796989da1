//! What is wrong is said in one form, with a code.

use hongbao_host::server::ServiceSettings;
use reqwest::Method;
use serde_json::json;

use crate::stage::{Stage, Stores};

const NOWHERE: &str = "00000000-0000-7000-8000-000000000000";

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_is_refused_with_a_code() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let key = &keys["member"];
    let grab = format!("/v1/packets/{NOWHERE}/grab");
    let raw = |body: &'static str, kind: &'static str| {
        stage.request(Method::POST, &grab, key).header("content-type", kind).body(body)
    };
    let cases = [
        (raw("{", "application/json"), 400, "malformed"),
        (raw("[]", "application/json"), 400, "malformed"),
        (raw(r#"{"user":7}"#, "application/json"), 400, "malformed"),
        (raw(r#"{"user":"a","more":1}"#, "application/json"), 400, "malformed"),
        (raw(r#"{"user":""}"#, "application/json"), 400, "invalid-argument"),
        (raw(r#"{"user":"a\u0007"}"#, "application/json"), 400, "invalid-argument"),
        (raw("user=a", "application/x-www-form-urlencoded"), 415, "unsupported-media-type"),
        (raw(r#"{"user":"a"}"#, "application/json; charset=utf-8"), 404, "not-found"),
        (
            stage.request(Method::POST, "/v1/packets/no-packet/grab", key).json(&json!({"user": "a"})),
            404,
            "not-found",
        ),
        (stage.request(Method::GET, &format!("/v1/packets/{NOWHERE}"), key), 404, "not-found"),
        (stage.request(Method::GET, "/v1/nothing", key), 404, "not-found"),
        (stage.request(Method::GET, "/nothing", key), 404, "not-found"),
        (stage.request(Method::DELETE, "/v1/packets", key), 405, "method-not-allowed"),
        (stage.request(Method::GET, "/v1/rooms/r/packets?limit=0", key), 400, "invalid-argument"),
        (stage.request(Method::GET, "/v1/rooms/r/packets?limit=101", key), 400, "invalid-argument"),
        (stage.request(Method::GET, "/v1/rooms/r/packets?before=x", key), 400, "invalid-argument"),
        (stage.request(Method::GET, "/v1/rooms/r/packets?befor=x", key), 400, "invalid-argument"),
        (stage.request(Method::GET, "/v1/rooms/%FF/packets", key), 400, "invalid-argument"),
        (stage.request(Method::GET, "/v1/rooms/a%0Ab/packets", key), 400, "invalid-argument"),
        (stage.request(Method::GET, "/v1/users/a/received?before=1_2", key), 400, "invalid-argument"),
        (
            stage.request(Method::GET, "/v1/rooms/r/events", key).header("last-event-id", "x"),
            400,
            "invalid-argument",
        ),
    ];
    for (index, (request, status, code)) in cases.into_iter().enumerate() {
        let answer = stage.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().as_str()),
            (status, code),
            "case {index}: {answer:?}"
        );
        assert_eq!(answer.header("x-request-id").map(str::len), Some(16));
        assert!(answer.text.contains(answer.header("x-request-id").unwrap()), "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_before_it_is_read() {
    let settings = ServiceSettings { body_bytes: 2_048, ..ServiceSettings::default() };
    let stage = Stage::with(Stores::default(), settings, None).await;
    let keys = stage.tenant("acme").await;
    let path = format!("/v1/packets/{NOWHERE}/grab");
    let answer = stage.post(&path, &keys["member"], json!({"user": "x".repeat(2_048)})).await;
    assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (413, "too-large"));
    let packet = json!({"room": "r", "sender": "a", "total": 1, "shares": 1, "greeting": "x".repeat(2_048)});
    let answer = stage.once("/v1/packets", &keys["member"], "k", packet).await;
    assert_eq!(answer.problem(), "too-large");
    // A head that never ends is cut off: 431, or the connection.
    let head = stage.request(Method::GET, "/healthz", "x").header("x-large", "x".repeat(64 << 10));
    let answer = head.send().await.map(|answer| answer.status().as_u16());
    assert!(answer.is_err() || answer.is_ok_and(|status| status == 431));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_cannot_be_is_said_in_a_sentence() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 100_000).await;
    let order =
        |total: u64, shares: u32| json!({"room": "r", "sender": "alice", "total": total, "shares": shares});
    let cases = [
        (order(1, 2), 400),
        (order(u64::MAX, 2), 400),
        (order(100, 101), 400),
        (order(30_000, 1), 400),
        (json!({"room": "r", "sender": "alice", "total": 10, "shares": 3, "strategy": "equal"}), 400),
        (json!({"room": "r", "sender": "alice", "total": 10, "shares": 1, "to": [""]}), 400),
        (json!({"room": "r", "sender": "alice", "total": 10, "shares": 1, "expires_in_ms": 0}), 400),
        (json!({"room": "r", "sender": "alice", "total": 10, "shares": 1, "strategy": "luck"}), 400),
    ];
    for (index, (body, status)) in cases.into_iter().enumerate() {
        let answer = stage.once("/v1/packets", &keys["member"], &format!("k{index}"), body).await;
        assert_eq!(answer.status.as_u16(), status, "{answer:?}");
        answer.problem();
    }
    let wallet = stage.get("/v1/users/alice/wallet", &keys["member"]).await.ok();
    assert_eq!(wallet["balance"], 100_000);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_table_has_every_code_of_the_specification() {
    let stage = Stage::start().await;
    let specification = stage.get("/openapi.json", "").await.ok();
    let description = specification["info"]["description"].as_str().unwrap();
    let operations = include_str!("../../../docs/operations.md");
    let rows: Vec<Vec<_>> = description
        .lines()
        .skip_while(|line| !line.starts_with("| code | status |"))
        .skip(2)
        .take_while(|line| line.starts_with("| `"))
        .map(|line| line.split(" | ").map(|cell| cell.trim_matches(['|', ' '])).collect())
        .collect();
    assert!(rows.len() > 20, "{rows:?}");
    for row in rows {
        let [code, status, _, again] = row.as_slice() else { panic!("{row:?}") };
        let again = match *again {
            "passes later" => "later",
            "passes after a change" => "after a change",
            "never passes" => "never",
            _ => panic!("{row:?}"),
        };
        let row = format!("| {code} | {status} | {again} | ");
        assert!(operations.contains(&row), "docs/operations.md lacks {row}");
    }
    stage.stop().await;
}
