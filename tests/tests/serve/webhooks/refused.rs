//! Where nothing is sent: addresses that are not the internet's, whenever that turns out.

use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use hongbao_host::server::Names;

use super::*;

/// Names that lead where somebody says, and elsewhere a moment later.
struct Turning(Mutex<Vec<IpAddr>>);

impl Turning {
    fn to(address: &str) -> Arc<Self> {
        Arc::new(Self(Mutex::new(vec![address.parse().unwrap()])))
    }

    fn turn(&self, addresses: &[&str]) {
        *self.0.lock().unwrap() = addresses.iter().map(|address| address.parse().unwrap()).collect();
    }
}

#[async_trait]
impl Names for Turning {
    async fn addresses(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.lock().unwrap().clone())
    }
}

fn strict(names: &Arc<Turning>) -> WebhookSettings {
    let names = Arc::clone(names) as _;
    WebhookSettings { allow_private_addresses: false, names, ..settings() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_with_a_private_address_is_not_made() {
    let names = Turning::to("10.1.2.3");
    let stage = stage(Stores::default(), WebhookSettings { allow_http: false, ..strict(&names) }).await;
    let keys = stage.tenant("acme").await;
    for (number, (url, why)) in [
        ("https://inside.example/", "the address 10.1.2.3 is private"),
        ("https://127.0.0.1/", "the address 127.0.0.1 is loopback"),
        ("https://[::ffff:169.254.169.254]/", "link-local"),
        ("https://0x7f000001/", "the address 127.0.0.1 is loopback"),
        ("http://example.com/", "must begin with https://"),
        ("https://a:b@example.com/", "no user"),
        ("https://example.com:6379/\r\nx", "no white space"),
        ("https://example.com:25/", "the port must be 443"),
        ("nonsense", "this is no URL"),
    ]
    .into_iter()
    .enumerate()
    {
        let salt = format!("refused {number}");
        let answer = stage.once(HOOKS, &keys["admin"], &salt, json!({"url": url})).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (422, "endpoint-refused"), "{url}");
        assert!(answer.text.contains(why), "{url}: {}", answer.text);
    }
    assert_eq!(stage.get(HOOKS, &keys["admin"]).await.ok()["items"], json!([]));
    names.turn(&["93.184.216.34"]);
    let made = hook(&stage, &keys, json!({"url": "https://inside.example/"})).await;
    let path = format!("{HOOKS}/{}", made["id"].as_str().unwrap());
    for url in ["https://10.0.0.1/", "http://inside.example/"] {
        let request = stage.request(reqwest::Method::PATCH, &path, &keys["admin"]);
        assert_eq!(stage.send(request.json(&json!({"url": url}))).await.problem(), "endpoint-refused");
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_turns_to_a_private_address_is_sent_nothing() {
    let names = Turning::to("93.184.216.34");
    let stage = stage(Stores::default(), strict(&names)).await;
    let keys = stage.tenant("acme").await;
    let receiver = Receiver::start().await;
    let url = format!("http://turning.example:{}/", receiver.address.port());
    let made = hook(&stage, &keys, json!({"url": url})).await;
    // Between the look when it was made and the one when it is used.
    for addresses in [&["127.0.0.1"][..], &["::1"], &["93.184.216.34", "127.0.0.1"], &["::ffff:127.0.0.1"]] {
        names.turn(addresses);
        let tested = stage
            .post(&format!("{HOOKS}/{}/test", made["id"].as_str().unwrap()), &keys["admin"], json!({}))
            .await
            .ok();
        assert_eq!(tested["is_delivered"], false, "{tested}");
        let result = tested["result"].as_str().unwrap();
        assert!(result.contains("is loopback, and this service sends to no such address"), "{result}");
    }
    stage.fund(&keys, "alice", 1).await;
    let failures = format!("{HOOKS}/{}/failures", made["id"].as_str().unwrap());
    let failed = || async {
        let list = stage.get(&failures, &keys["admin"]).await.ok();
        list["items"].as_array().unwrap().iter().any(|failure| words(failure).contains("loopback"))
    };
    until("it is a failure", failed).await;
    assert!(receiver.got().is_empty(), "nothing came: {:?}", receiver.got());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_that_became_stricter_hold_for_endpoints_that_are_there() {
    let stores = Stores::default();
    let bench = Bench::with(stores.clone(), settings()).await;
    let Bench { stage: first, keys, receiver, id, .. } = bench;
    first.stop().await;
    let strict = strict(&Turning::to("93.184.216.34"));
    let second = Stage::with_webhooks(Arc::new(ManualClock::new(NOW_MS)), stores, unhurried(), strict).await;
    until("it serves", || async { second.get(HOOKS, &keys["admin"]).await.status.is_success() }).await;
    second.fund(&keys, "alice", 1).await;
    let failures = format!("{HOOKS}/{id}/failures");
    let failed = || async {
        let list = second.get(&failures, &keys["admin"]).await.ok();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|failure| words(failure).contains("127.0.0.1 is loopback"))
    };
    until("it is a failure", failed).await;
    assert!(receiver.got().is_empty());
    tokio::time::sleep(Duration::from_millis(50)).await;
    second.stop().await;
}
