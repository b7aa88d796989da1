//! What bodies and headers may look like: each oddity has an answer of its own.

use std::fmt::Write as _;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::stage::{Keys, Stage};

const NOWHERE: &str = "00000000-0000-7000-8000-000000000000";

/// Every call that takes JSON, with a body that it takes.
fn calls(stage: &Stage, keys: &Keys) -> Vec<(Method, String, String, Value)> {
    let (member, admin, operator) = (&keys["member"], &keys["admin"], &stage.operator);
    let tap = |what: &str| format!("/v1/packets/{NOWHERE}/{what}");
    let user = json!({"user": "bob"});
    let order =
        json!({"room": "family", "sender": "alice", "total": 100, "shares": 2, "to": [], "greeting": "hi"});
    let message = json!({"id": "1", "sender": "bob", "text": "/hongbao to @x 1", "mentions": [{"text": "@x", "user": "x"}]});
    let calls = [
        (Method::POST, "/v1/packets".into(), member, order),
        (Method::POST, tap("grab"), member, user.clone()),
        (Method::POST, tap("open"), member, user.clone()),
        (Method::POST, tap("grab-and-open"), member, user.clone()),
        (Method::POST, tap("actions/grab"), member, user),
        (Method::POST, "/v1/rooms/family/messages".into(), member, message),
        (Method::POST, "/v1/users/alice/wallet/funds".into(), &keys["fund"], json!({"amount": 100_000})),
        (Method::POST, "/v1/tenants".into(), operator, json!({"tenant": "new", "settings": {"policy": {}}})),
        (Method::PUT, "/v1/tenants/acme/settings".into(), operator, json!({"policy": {}, "limits": {}})),
        (Method::POST, "/v1/tenants/acme/keys".into(), admin, json!({"label": "x", "scopes": ["member"]})),
        (Method::POST, "/v1/keys".into(), operator, json!({"label": "x"})),
        (Method::POST, "/v1/tenants/acme/reconcile".into(), admin, json!({"repair": false})),
        (Method::POST, "/v1/tenants/acme/upgrade".into(), admin, json!({})),
    ];
    calls.into_iter().map(|(method, path, key, body)| (method, path, key.clone(), body)).collect()
}

/// The same value with one object in it as the array of its values, once for each object.
fn with_arrays(value: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    match value {
        Value::Object(members) => {
            found.push(Value::Array(members.values().cloned().collect()));
            found.push(json!([]));
            for (name, member) in members {
                for changed in with_arrays(member) {
                    let mut whole = members.clone();
                    whole.insert(name.clone(), changed);
                    found.push(Value::Object(whole));
                }
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter().enumerate() {
                for changed in with_arrays(item) {
                    let mut whole = items.clone();
                    whole[place] = changed;
                    found.push(Value::Array(whole));
                }
            }
        }
        _ => {}
    }
    found
}

fn request(
    stage: &Stage,
    method: Method,
    path: &str,
    key: &str,
    body: impl Into<reqwest::Body>,
) -> RequestBuilder {
    let request = stage.request(method, path, key).header("content-type", "application/json");
    request.header("idempotency-key", "the key").body(body)
}

/// Everything that could have changed.
async fn state(stage: &Stage, keys: &Keys) -> String {
    let mut state = String::new();
    for path in ["/v1/tenants", "/v1/keys"] {
        write!(state, "{}", stage.get(path, &stage.operator).await.ok()).unwrap();
    }
    for path in ["/v1/tenants/acme/audit", "/v1/tenants/acme/keys"] {
        write!(state, "{}", stage.get(path, &keys["admin"]).await.ok()).unwrap();
    }
    state
}

#[tokio::test(flavor = "multi_thread")]
async fn an_array_is_no_object_in_any_call_at_any_depth() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let before = state(&stage, &keys).await;
    let mut tried = 0;
    for (method, path, key, body) in calls(&stage, &keys) {
        for wrong in with_arrays(&body) {
            let answer = stage.send(request(&stage, method.clone(), &path, &key, wrong.to_string())).await;
            let told = (answer.status.as_u16(), answer.problem());
            assert_eq!(told, (400, "malformed".to_owned()), "{path} {wrong}: {answer:?}");
            assert!(answer.text.contains("expected a JSON object"), "{path} {wrong}: {answer:?}");
            tried += 1;
        }
    }
    assert!(tried >= 2 * 13 + 8, "{tried}");
    assert_eq!(state(&stage, &keys).await, before);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn oddities_of_json_have_answers() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let funds = "/v1/users/bob/wallet/funds";
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: [(&[u8], &str); 17] = [
        (b"", "the body is empty"),
        (b" ", "EOF"),
        (b"null", "null, expected a JSON object"),
        (b"7", "expected a JSON object"),
        (br#"{"amount":"7"}"#, "expected a whole number"),
        (br#"{"amount":7.0}"#, "without a fraction or an exponent"),
        (br#"{"amount":7e2}"#, "without a fraction or an exponent"),
        (br#"{"amount":-7}"#, "amount: invalid value: integer `-7`, expected a whole number from 0"),
        (br#"{"amount":18446744073709551616}"#, "expected a whole number from 0 to 18446744073709551615"),
        (br#"{"amount":null}"#, "null, expected a whole number"),
        (br#"{"amount":7,"amount":7}"#, "duplicate field `amount`"),
        (br#"{"amount":7}{"amount":7}"#, "trailing characters"),
        (br#"{"amount":7,}"#, "trailing comma"),
        (br#"{"amount":NaN}"#, "expected value"),
        (b"{\"amount\":7,\"\xff\":1}", "not in UTF-8"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (deep.as_bytes(), "expected a JSON object"),
    ];
    for (body, said) in cases {
        let shown = String::from_utf8_lossy(body).chars().take(60).collect::<String>();
        let answer = stage.send(request(&stage, Method::POST, funds, &keys["fund"], body.to_vec())).await;
        let told = (answer.status.as_u16(), answer.problem());
        assert_eq!(told, (400, "malformed".to_owned()), "{shown}: {answer:?}");
        assert!(answer.text.contains(said), "{shown}: {answer:?}");
    }
    // A mark in front, white space around: the same request.
    let body = b"\xef\xbb\xbf {\"amount\":7}\r\n".to_vec();
    let wallet = stage.send(request(&stage, Method::POST, funds, &keys["fund"], body)).await.ok();
    assert_eq!(wallet["balance"], 7);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_member_may_be_null() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let order = json!({"room": "family", "sender": "alice", "total": 100, "shares": 2, "to": null, "greeting": null,
        "strategy": null, "expires_in_ms": null});
    stage.once("/v1/packets", &keys["member"], "k1", order).await.ok();
    let message = json!({"id": "1", "sender": "bob", "text": "hi", "mentions": null, "language": null});
    stage.post("/v1/rooms/family/messages", &keys["member"], message).await.ok();
    let tenant = json!({"tenant": "other", "settings": null});
    stage.once("/v1/tenants", &stage.operator, "k2", tenant).await.ok();
    let surrogate = request(&stage, Method::POST, "/v1/packets", &keys["member"], r#"{"room":"\ud800"}"#);
    let answer = stage.send(surrogate).await;
    assert_eq!(answer.problem(), "malformed");
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_body_is_of_an_unsupported_type() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let funds = "/v1/users/bob/wallet/funds";
    for coding in ["gzip", "br", "deflate", "zstd", "x-gzip", "identity, gzip", "GZIP"] {
        let packed = request(&stage, Method::POST, funds, &keys["fund"], b"\x1f\x8b\x08\0".to_vec());
        let answer = stage.send(packed.header("content-encoding", coding)).await;
        let told = (answer.status.as_u16(), answer.problem());
        assert_eq!(told, (415, "unsupported-content-encoding".to_owned()), "{coding}");
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
    }
    let install = request(&stage, Method::POST, "/v1/tenants/acme/plugins", &keys["admin"], vec![0x1f, 0x8b]);
    let answer = stage.send(install.header("content-encoding", "gzip")).await;
    assert_eq!(answer.problem(), "unsupported-content-encoding");
    let plain = request(&stage, Method::POST, funds, &keys["fund"], r#"{"amount":7}"#);
    stage.send(plain.header("content-encoding", "Identity")).await.ok();
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_is_read_occurs_once() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let funds = "/v1/users/bob/wallet/funds";
    let post = || request(&stage, Method::POST, funds, &keys["fund"], r#"{"amount":7}"#);
    let twice = [
        post().header("idempotency-key", "another key"),
        post().header("idempotency-key", "the key"),
        post().header("authorization", format!("Bearer {}", keys["member"])),
        post().header("content-type", "text/plain"),
        post().header("content-encoding", "identity").header("content-encoding", "identity"),
        stage
            .request(Method::GET, "/v1/rooms/family/events", &keys["member"])
            .header("last-event-id", "1-1")
            .header("last-event-id", "2-1"),
    ];
    for (case, request) in twice.into_iter().enumerate() {
        let answer = stage.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.problem()), (400, "malformed".to_owned()), "case {case}");
        assert!(answer.text.contains("the request has 2 headers"), "case {case}: {answer:?}");
    }
    let member = &keys["member"];
    assert_eq!(stage.get("/v1/users/bob/wallet", member).await.ok()["balance"], 0);
    let twice = stage.get("/v1/users/bob/sent?limit=1&limit=2", member).await;
    assert_eq!((twice.status.as_u16(), twice.problem()), (400, "invalid-argument".to_owned()));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_in_utf_8_whatever_is_said() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let funds = "/v1/users/bob/wallet/funds";
    let cases = [
        ("application/json", 201),
        ("Application/JSON; Charset=\"UTF-8\"", 201),
        ("application/json;charset=utf8", 201),
        ("application/json; charset=utf-16", 415),
        ("application/json; charset=gbk", 415),
        ("application/jsonx", 415),
        ("text/json", 415),
        ("", 415),
    ];
    for (index, (kind, status)) in cases.into_iter().enumerate() {
        let post =
            stage.request(Method::POST, funds, &keys["fund"]).header("idempotency-key", format!("k{index}"));
        let answer = stage.send(post.header("content-type", kind).body(r#"{"amount":7}"#)).await;
        assert_eq!(answer.status.as_u16(), status, "{kind:?}: {answer:?}");
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_and_paths_that_are_not_there_are_said_so() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let member = &keys["member"];
    let head = stage.send(stage.request(Method::HEAD, "/v1/users/bob/wallet", member)).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    let options = stage.send(stage.request(Method::OPTIONS, "/v1/packets", member)).await;
    assert_eq!((options.status.as_u16(), options.header("allow")), (405, Some("POST")));
    assert_eq!(options.problem(), "method-not-allowed");
    assert_eq!(stage.get("/v1/users/bob/wallet/", member).await.problem(), "not-found");
    // An empty Last-Event-ID is what a client sends that has seen no event.
    let stream = stage.request(Method::GET, "/v1/rooms/family/events", member).header("last-event-id", "");
    let answer = stream.send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"text/event-stream".parse().unwrap())
    );
    stage.stop().await;
}
