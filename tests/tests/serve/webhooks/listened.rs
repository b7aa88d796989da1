//! `hongbao webhook listen`, the receiver for development.

use std::process::Stdio;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::*;

/// The command, which ends with the test.
struct Listener {
    _child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    url: String,
}

impl Listener {
    async fn start(args: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hongbao-under-test"));
        command.args(["webhook", "listen", "--port", "0"]).args(args).env_remove("HONGBAO_WEBHOOK_SECRET");
        let piped =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = piped.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = said.next_line().await.unwrap().unwrap();
        let address = line.rsplit("Listening on ").next().unwrap().trim_end_matches('.').to_owned();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { _child: child, lines, url: format!("http://{address}/") }
    }

    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(Duration::from_secs(20), self.lines.next_line()).await;
        line.expect("a line").unwrap().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_sees_what_is_sent_and_whether_it_is_signed() {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let clock = Arc::new(ManualClock::new(now_ms));
    let patient = WebhookSettings { time_limit: Duration::from_secs(10), ..settings() };
    let stage = Stage::with_webhooks(clock, Stores::default(), unhurried(), patient).await;
    let keys = stage.tenant("acme").await;
    let receiver = Receiver::start().await;
    let made = hook(&stage, &keys, json!({"url": receiver.url()})).await;
    let (id, secret) = (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap().to_owned());
    let bench = Bench { stage, keys, receiver, id, secret };

    let mut listener = Listener::start(&["--secret", &bench.secret, "--json"]).await;
    bench.change(json!({"url": listener.url})).await;
    assert_eq!(bench.post("/test", json!({})).await.ok()["status"], 204);
    let told: Value = serde_json::from_str(&listener.line().await).unwrap();
    assert_eq!((&told["is_verified"], &told["message"]["type"]), (&json!(true), &json!("webhook.test")));
    bench.events(7..8).await;
    let told: Value = serde_json::from_str(&listener.line().await).unwrap();
    assert_eq!((&told["is_verified"], &told["message"]["data"]["amount"]), (&json!(true), &json!(7)));

    let other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let mut listener = Listener::start(&["--secret", other]).await;
    bench.change(json!({"url": listener.url})).await;
    assert!(listener.line().await.contains("signatures are verified"));
    assert_eq!(bench.post("/test", json!({})).await.ok()["status"], 401);
    let line = listener.line().await;
    assert!(line.contains("webhook.test") && line.contains("signature WRONG: no signature"), "{line}");

    let mut listener = Listener::start(&["--answer", "503"]).await;
    bench.change(json!({"url": listener.url})).await;
    assert!(listener.line().await.contains("are not verified: give --secret"));
    assert_eq!(bench.post("/test", json!({})).await.ok()["status"], 503);
    assert!(listener.line().await.contains("signature not verified"));
    bench.stop().await;
}

#[tokio::test]
async fn what_is_no_secret_is_refused_before_anything_is_received() {
    let output = Command::new(env!("CARGO_BIN_EXE_hongbao-under-test"))
        .args(["webhook", "listen", "--port", "0", "--secret", "hunter2"])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains("--secret: a secret is whsec_") && !said.contains("hunter2"), "{said}");
}
