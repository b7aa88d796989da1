//! Which names users, rooms and tenants may have, and that they are taken byte by byte.

use reqwest::Method;
use serde_json::json;

use crate::stage::Stage;

/// What no name may be, as it stands in JSON.
const NO_NAMES: [&str; 14] = [
    "",
    ".",
    "..",
    "%2e",
    "%2E%2e",
    ".%2e",
    "\0",
    "a\0b",
    "a\nb",
    "a\rb",
    "\u{1b}[31m",
    "\u{7f}",
    "\u{85}",
    "\t",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_name_is_refused_wherever_it_stands() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    stage.fund(&keys, "alice", 1_000).await;
    let packet = stage.packet(&keys, "p", 100, 2).await;
    let member = &keys["member"];
    for (index, name) in NO_NAMES.into_iter().enumerate() {
        let order = |room: &str, sender: &str, to: &str| json!({"room": room, "sender": sender, "total": 10, "shares": 1, "to": [to]});
        let said = |id: &str, sender: &str, mentioned: &str| {
            let mentions = json!([{"text": "@x", "user": mentioned}]);
            json!({"id": id, "sender": sender, "text": "/hongbao to @x 1", "mentions": mentions})
        };
        let messages = "/v1/rooms/family/messages";
        let answers = [
            stage.once("/v1/packets", member, &format!("r{index}"), order(name, "alice", "bob")).await,
            stage.once("/v1/packets", member, &format!("s{index}"), order("family", name, "bob")).await,
            stage.once("/v1/packets", member, &format!("t{index}"), order("family", "alice", name)).await,
            stage.tap(&keys, &packet, "grab", name).await,
            stage.tap(&keys, &packet, "open", name).await,
            stage.tap(&keys, &packet, "grab-and-open", name).await,
            stage.tap(&keys, &packet, "actions/grab", name).await,
            stage.post(messages, member, said(name, "alice", "bob")).await,
            stage.post(messages, member, said("1", name, "bob")).await,
            stage.post(messages, member, said("2", "alice", name)).await,
            stage.once("/v1/tenants", &stage.operator, &format!("n{index}"), json!({"tenant": name})).await,
        ];
        for (place, answer) in answers.iter().enumerate() {
            let told = (answer.status.as_u16(), answer.problem());
            assert_eq!(told, (400, "invalid-argument".to_owned()), "{name:?} at {place}: {answer:?}");
        }
    }
    assert_eq!(stage.get("/v1/users/alice/sent", member).await.ok()["items"].as_array().unwrap().len(), 1);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_in_a_path_are_refused_as_names() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    // A client of ours would take the steps out: the line is written by hand.
    for (path, status) in [
        ("/v1/users/../wallet", 400),
        ("/v1/users/./wallet", 400),
        ("/v1/users/%2e%2e/wallet", 400),
        ("/v1/users/%2E/wallet/statement", 400),
        ("/v1/users/%252e%252e/wallet", 400),
        ("/v1/users/%00/wallet", 400),
        ("/v1/users/a%0D%0Ab/wallet", 400),
        ("/v1/rooms/../packets", 400),
        ("/v1/rooms/%2e%2e/packets", 400),
        ("/v1/users/.../wallet", 200),
        ("/v1/users/a%2F..%2Fb/wallet", 200),
        ("/v1/users/a%252e/wallet", 200),
        ("/v1/users//wallet", 400),
        ("/v1/users/bob/wallet/", 404),
    ] {
        assert_eq!(raw(&stage, path, &keys["member"]).await, status, "{path}");
    }
    stage.stop().await;
}

/// The status of a request whose path stays as it is.
async fn raw(stage: &Stage, path: &str, key: &str) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut line = tokio::net::TcpStream::connect(stage.listening.address()).await.unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n");
    line.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.unwrap();
    answer.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_look_alike_are_different_users() {
    let stage = Stage::start().await;
    let keys = stage.tenant("acme").await;
    let names = [
        "é",
        "e\u{301}",
        "É",
        " é",
        "é ",
        "é\u{202e}",
        "\u{202e}é",
        "é\u{200d}",
        "a/b",
        "a%2Fb",
        "a?b",
        "😀",
    ];
    for (index, name) in (1..).zip(names) {
        let mut url = reqwest::Url::parse(&stage.url).unwrap();
        url.path_segments_mut().unwrap().extend(["v1", "users", name, "wallet", "funds"]);
        let request = stage.client.request(Method::POST, url).bearer_auth(&keys["fund"]);
        let request = request.header("idempotency-key", format!("k{index}")).json(&json!({"amount": index}));
        let wallet = stage.send(request).await.ok();
        assert_eq!((&wallet["user"], &wallet["balance"]), (&json!(name), &json!(index)), "{name:?}");
    }
    stage.stop().await;
}
