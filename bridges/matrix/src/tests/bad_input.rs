//! What no homeserver should send: each has one answer, and moves no money wrongly.

use axum::http::Method;
use serde_json::{Value, json};

use super::stage::{BOT, ROOM, Stage, bearer, command, event, tap};

const PATH: &str = "/_matrix/app/v1/transactions/1";

#[tokio::test(flavor = "multi_thread")]
async fn only_the_homeserver_is_let_in() {
    let stage = Stage::start().await;
    let body = || json!({"events": [command("$e", "!hongbao 9 3")]}).to_string().into_bytes();
    for token in [
        None,
        Some("Bearer "),
        Some("Bearer of-the-homeserverx"),
        Some("Basic of-the-homeserver"),
        Some("of-the-homeserver"),
    ] {
        for (method, path) in [
            (Method::PUT, PATH),
            (Method::POST, "/_matrix/app/v1/ping"),
            (Method::GET, "/_matrix/app/v1/users/@a:b"),
        ] {
            let (status, answer) = stage.call(method, path, token, body()).await;
            assert_eq!((status, &answer["errcode"]), (403, &json!("M_FORBIDDEN")), "{token:?} {path}");
        }
    }
    assert!(stage.hongbao.world().texts.is_empty());
    assert_eq!(stage.call(Method::PUT, PATH, Some(&bearer()), body()).await.0, 200);
    assert_eq!(stage.hongbao.world().texts, ["/hongbao 9 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_transaction_is_refused() {
    let stage = Stage::start().await;
    let refused = async |body: &[u8], status, code: &str| {
        let (found, answer) = stage.call(Method::PUT, PATH, Some(&bearer()), body.to_vec()).await;
        assert_eq!(
            (found, &answer["errcode"]),
            (status, &json!(code)),
            "{:?}",
            String::from_utf8_lossy(body)
        );
    };
    for body in [&b""[..], b"{", b"events", b"\xff\xfe", b"{\"events\": [}"] {
        refused(body, 400, "M_NOT_JSON").await;
    }
    for body in
        ["{}", "[]", "7", "null", "\"events\"", "{\"events\": {}}", "{\"events\": null}", "{\"event\": []}"]
    {
        refused(body.as_bytes(), 400, "M_BAD_JSON").await;
    }
    refused(&vec![b' '; (32 << 20) + 1], 413, "M_TOO_LARGE").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_have_an_answer() {
    let stage = Stage::start().await;
    for (method, path, status, code) in [
        (Method::GET, "/_matrix/app/v1/users/@hongbao_1:a.org", 404, "M_NOT_FOUND"),
        (Method::GET, "/_matrix/app/v1/rooms/%23hongbao_1:a.org", 404, "M_NOT_FOUND"),
        (Method::GET, "/_matrix/app/v1/thirdparty/protocol/x", 404, "M_NOT_FOUND"),
        (Method::GET, PATH, 405, "M_UNRECOGNIZED"),
        (Method::POST, PATH, 405, "M_UNRECOGNIZED"),
        (Method::GET, "/", 404, "M_UNRECOGNIZED"),
        (Method::PUT, "/_matrix/app/v2/transactions/1", 404, "M_UNRECOGNIZED"),
    ] {
        let (found, answer) = stage.call(method, path, Some(&bearer()), Vec::new()).await;
        assert_eq!((found, &answer["errcode"]), (status, &json!(code)), "{path}");
    }
    assert_eq!(stage.call(Method::POST, "/_matrix/app/v1/ping", Some(&bearer()), Vec::new()).await.0, 200);
    assert_eq!(stage.call(Method::GET, "/livez", None, Vec::new()).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_none_of_ours_are_taken_and_do_nothing() {
    let stage = Stage::start().await;
    let card = stage.card().await;
    let sent_before = stage.homeserver.world().sent.len();
    let edit = json!({"msgtype": "m.text", "body": "* !hongbao 9 3", "m.relates_to": {"rel_type": "m.replace", "event_id": "$cmd"}});
    let mut own = command("$own", "!hongbao 9 3");
    own["sender"] = BOT.into();
    let mut elsewhere = tap("$elsewhere", "@bob:a.org", &card);
    elsewhere["room_id"] = "!elsewhere".into();
    let mut other_sign = tap("$sign", "@bob:a.org", &card);
    other_sign["content"]["m.relates_to"]["key"] = "👍".into();
    let events = [
        Value::Null,
        json!(7),
        json!([]),
        json!({}),
        json!({"type": "m.room.message"}),
        event("$kind", "org.example.game", json!({"msgtype": "m.text", "body": "!hongbao 9 3"})),
        event("$shape", "m.room.message", json!(["!hongbao 9 3"])),
        event("$redacted", "m.room.message", json!({})),
        event("$edit", "m.room.message", edit),
        event("$notice", "m.room.message", json!({"msgtype": "m.notice", "body": "!hongbao 9 3"})),
        own,
        tap("$own-tap", BOT, &card),
        tap("$nothing", "@bob:a.org", "$never"),
        tap("$command", "@bob:a.org", "$cmd"),
        event("$taken-back", "m.reaction", json!({})),
        event("$redaction", "m.room.redaction", json!({"redacts": "$own-tap"})),
        elsewhere,
        other_sign,
    ];
    assert_eq!(stage.deliver(&events).await, 200);
    assert_eq!(stage.hongbao.world().texts, ["/hongbao 9 3"]);
    assert_eq!(stage.hongbao.world().taps, 0);
    assert_eq!(stage.homeserver.world().sent.len(), sent_before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_is_said_and_sends_nothing() {
    let stage = Stage::start().await;
    let long = format!("!hongbao 9 3 {}", "a".repeat(1 << 20));
    let mut odd = command("$odd", "!hongbao 9 3");
    odd["content"]["more"] = "b".repeat(1 << 20).into();
    assert_eq!(stage.deliver(&[command("$long", &long), odd]).await, 200);
    assert_eq!(stage.hongbao.world().texts, ["/hongbao 9 3"], "only the second, whose command is short");
    let notices = stage.homeserver.world().notices();
    assert!(matches!(notices.as_slice(), [one] if one.contains("too long")), "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_of_other_servers_are_told_once_and_take_nothing() {
    let stage = Stage::start().await;
    let card = stage.card().await;
    let mut foreign = command("$foreign", "!hongbao 9 3");
    foreign["sender"] = "@eve:evil.org".into();
    let events = [
        foreign,
        tap("$t1", "@eve:evil.org", &card),
        tap("$t2", "@mallory:evil.org:8448", &card),
        tap("$t3", "@x:evil.org@a.org", &card),
    ];
    assert_eq!(stage.deliver(&events).await, 200);
    {
        let world = stage.hongbao.world();
        assert_eq!((world.texts.len(), world.taps), (1, 0));
    }
    let notices = stage.homeserver.world().notices();
    assert_eq!(
        notices.iter().filter(|notice| notice.contains("Users of evil.org cannot")).count(),
        1,
        "{notices:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_before_the_bridge_joined_is_not_done() {
    let stage = Stage::start().await;
    let mut join = event("$join", "m.room.member", json!({"membership": "join"}));
    (join["state_key"], join["sender"]) = (BOT.into(), BOT.into());
    let mut before = command("$before", "!hongbao 1 1");
    before["origin_server_ts"] = 999.into();
    let mut name = join.clone();
    (name["event_id"], name["origin_server_ts"]) = ("$name".into(), 5_000.into());
    name["unsigned"] = json!({"prev_content": {"membership": "join"}});
    // To change one's name is no second coming.
    assert_eq!(stage.deliver(&[join, name, before, command("$after", "!hongbao 9 3")]).await, 200);
    assert_eq!(stage.hongbao.world().texts, ["/hongbao 9 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_are_accepted_from_servers_that_are_allowed() {
    let stage = Stage::start().await;
    let invitation = |id: &str, room: &str, sender: &str| {
        let mut event = event(id, "m.room.member", json!({"membership": "invite"}));
        (event["state_key"], event["room_id"], event["sender"]) = (BOT.into(), room.into(), sender.into());
        event
    };
    let events = [invitation("$1", "!ours", "@a:a.org"), invitation("$2", "!theirs", "@a:evil.org")];
    assert_eq!(stage.deliver(&events).await, 200);
    let world = stage.homeserver.world();
    assert_eq!(
        (world.joined.as_slice(), world.left.as_slice()),
        (&["!ours".to_owned()][..], &["!theirs".to_owned()][..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_events_in_one_transaction_are_each_done_once() {
    let stage = Stage::start().await;
    let card = stage.card().await;
    let mut events: Vec<_> =
        (0..3_000).map(|n| tap(&format!("$t{n}"), &format!("@u{n}:a.org"), &card)).collect();
    events.extend((0..200).map(|n| command(&format!("$c{n}"), "no command")));
    assert_eq!(stage.deliver(&events).await, 200);
    assert_eq!(stage.deliver(&events).await, 200);
    let world = stage.hongbao.world();
    assert_eq!((world.packets["$cmd"].len(), world.taps, world.texts.len()), (3, 3_000, 1));
    assert!(stage.homeserver.world().notices().len() <= 3_000 / 40 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_was_taken_away_is_not_tapped_any_more() {
    let mut stage = Stage::start().await;
    let card = stage.card().await;
    stage.homeserver.world().redact(&card);
    let redaction = event("$r", "m.room.redaction", json!({"redacts": card}));
    assert_eq!(stage.deliver(&[redaction, tap("$t", "@bob:a.org", &card)]).await, 200);
    stage.begin_anew().await;
    assert_eq!(stage.deliver(&[tap("$t2", "@bob:a.org", &card)]).await, 200);
    assert_eq!(stage.hongbao.world().taps, 0);
    assert_eq!(stage.homeserver.world().edits().len(), 0, "in {ROOM}");
}
