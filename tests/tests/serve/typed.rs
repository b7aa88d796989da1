//! What people type: a command, a message, or neither; and amounts as they read them.

use serde_json::{Value, json};

use crate::stage::Stage;

const PATH: &str = "/v1/rooms/family/messages";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_looks_like_a_command_is_never_said_aloud() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 5_000).await;
    let texts = [
        "／红包 1 2",
        "\u{3000}/红包 1 2",
        "\n/hongbao 1 2",
        "\u{feff}/hongbao 1 2",
        "\u{200b}/hongbao 1 2",
        "/hongbao@MyBot 1 2",
        "/红包1元 2个",
    ];
    for (index, text) in texts.into_iter().enumerate() {
        let typed = json!({"id": format!("m{index}"), "sender": "alice", "text": text, "language": "zh_CN"});
        let answer = stage.post(PATH, &keys["member"], typed).await.ok();
        assert_eq!((&answer["said"], &answer["handled"]), (&json!(false), &json!(true)), "{text:?}");
        let card = &answer["replies"][0]["card"];
        assert_eq!(
            (&card["theme"], &card["title"]),
            (&json!("sealed"), &json!("红包 🧧")),
            "{text:?}: {answer}"
        );
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_nobody_knows_is_told_from_a_message() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let say = |text: &str| {
        let typed = json!({"id": "m", "sender": "alice", "text": text, "language": null});
        let (stage, key) = (&stage, &keys["member"]);
        async move { stage.post(PATH, key, typed).await.ok() }
    };
    let nothing: Vec<Value> = Vec::new();
    let answer = say("/hognbao 5 2").await;
    assert_eq!(
        answer,
        json!({"said": false, "handled": false, "did_you_mean": "/hongbao", "replies": nothing})
    );
    let answer = say("／weather").await;
    assert_eq!(answer, json!({"said": false, "handled": false, "replies": nothing}));
    let answer = say("1/2 hongbao").await;
    assert_eq!(answer, json!({"said": true, "handled": false, "replies": nothing}));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_read_is_in_major_units() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 100_000).await;
    let details = |total: u64, shares: u32| {
        let body = json!({"room": "family", "sender": "alice", "total": total, "shares": shares});
        let (stage, key) = (&stage, &keys["member"]);
        async move {
            let answer = stage.once("/v1/packets", key, &format!("k{total}-{shares}"), body).await;
            serde_json::from_str::<Value>(&answer.text).unwrap()["detail"].as_str().unwrap().to_owned()
        }
    };
    assert_eq!(details(100_001, 10).await, "the wallet holds ¥1,000.00");
    assert_eq!(
        details(200_001, 10).await,
        "total must be at most ¥2,000.00, ¥200.00 for each share, not ¥2,000.01"
    );
    assert_eq!(details(9, 10).await, "total must be at least ¥0.10, ¥0.01 for each share, not ¥0.09");
    stage.stop().await;
}
