//! What goes in at one host comes out at the other.

use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::{Caller, get, post};
use crate::stage::{Stage, until};
use crate::stream::{Stream, Told};

async fn fund(caller: &Caller, user: &str) {
    let path = format!("/v1/users/{user}/wallet/funds");
    caller.ok(post("fund", path, json!({"amount": 1_000})).once(format!("fund-{user}"))).await;
}

async fn send(caller: &Caller) -> String {
    let body =
        json!({"room": "family", "sender": "alice", "total": 500, "shares": 2, "greeting": "恭喜发财"});
    let sent = caller.ok(post("member", "/v1/packets", body).once("packet")).await;
    sent["packet"].as_str().unwrap().to_owned()
}

async fn tap(caller: &Caller, packet: &str, how: &str, user: &str) -> Value {
    caller.ok(post("member", format!("/v1/packets/{packet}/{how}"), json!({"user": user}))).await
}

async fn say(caller: &Caller, number: u32) {
    let body = json!({"id": format!("m{number}"), "sender": "alice", "text": format!("line {number}")});
    caller.ok(post("member", "/v1/rooms/family/messages", body)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_of_one_host_is_taken_through_the_other_and_both_tell_the_same() {
    let stage = Stage::start().await;
    let (one, two) = (stage.directly(0), stage.directly(1));
    fund(&one, "alice").await;
    let packet = send(&one).await;
    assert_eq!(tap(&two, &packet, "grab", "bob").await["outcome"], "admitted");
    assert_eq!(tap(&one, &packet, "grab", "bob").await["outcome"], "already-grabbed");
    let opened = tap(&two, &packet, "open", "bob").await;
    assert_eq!(opened["outcome"], "opened");
    let again = tap(&one, &packet, "open", "bob").await;
    assert_eq!((&again["outcome"], &again["amount"]), (&json!("already-opened"), &opened["amount"]));
    let last = tap(&one, &packet, "grab-and-open", "carol").await;
    assert_eq!(last["amount"].as_u64().unwrap() + opened["amount"].as_u64().unwrap(), 500);
    for late in [&one, &two] {
        assert_eq!(tap(late, &packet, "grab-and-open", "dave").await["outcome"], "exhausted");
    }

    let paths = ["/v1/rooms/family/packets", "/v1/users/alice/sent", "/v1/users/bob/received"];
    for path in paths.map(str::to_owned).into_iter().chain([format!("/v1/packets/{packet}")]) {
        let told = one.ok(get("member", &path)).await;
        assert_eq!(two.ok(get("member", &path)).await, told, "{path}");
        assert!(told.to_string().contains(&packet), "{told}");
    }
    until("the wallets are settled alike", || async {
        let mut balances = Vec::new();
        for caller in [&one, &two] {
            balances.push(caller.ok(get("member", "/v1/users/bob/wallet")).await["balance"].clone());
        }
        balances == [opened["amount"].clone(), opened["amount"].clone()]
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_hears_at_one_host_what_is_done_at_the_other() {
    let stage = Stage::start().await;
    let (one, two) = (stage.directly(0), stage.directly(1));
    fund(&two, "alice").await;
    let mut stream = Stream::open(&one, "family", None).await;
    say(&two, 0).await;
    assert_eq!(stream.next().await.unwrap().data["text"], "line 0");
    let packet = send(&two).await;
    let sent = stream.next().await.unwrap();
    assert_eq!((sent.name.as_str(), &sent.data["packet"]), ("sent", &json!(packet)));
    tap(&two, &packet, "grab-and-open", "bob").await;
    let progress = stream.named("progress").await;
    assert_eq!(progress.data["claimed_shares"], 1);
    tap(&two, &packet, "grab-and-open", "carol").await;
    let finished = stream.named("finished").await;
    assert_eq!((&finished.data["claimed_shares"], &finished.data["total"]), (&json!(2), &json!(500)));
    let version = |told: &Told| told.data["version"].as_u64().unwrap();
    assert!(version(&sent) < version(&progress) && version(&progress) < version(&finished));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_dies_with_its_host_goes_on_at_the_other_without_a_gap() {
    const LINES: u32 = 60;
    let mut stage = Stage::start().await;
    let (one, two) = (stage.directly(0), stage.directly(1));
    let mut stream = Stream::open(&one, "family", None).await;
    let speaker = two.clone();
    let speaking = tokio::spawn(async move {
        for number in 0..LINES {
            say(&speaker, number).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let mut heard = Vec::new();
    for _ in 0..5 {
        heard.push(stream.next().await.expect("the host lives"));
    }
    stage.hosts[0].end("KILL").await;
    while let Some(told) = stream.next().await {
        heard.push(told);
    }
    assert!(heard.len() < LINES as usize, "it died in the middle");
    // What is said while nobody listens is not lost.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let last = heard.last().unwrap().id.clone().unwrap();
    let mut stream = Stream::open(&two, "family", Some(&last)).await;
    while heard.len() < LINES as usize {
        heard.push(stream.next().await.expect("the other host lives"));
    }
    speaking.await.unwrap();
    let expected = (0..LINES).map(|number| ("message".to_owned(), json!(format!("line {number}"))));
    let heard: Vec<_> = heard.into_iter().map(|told| (told.name, told.data["text"].clone())).collect();
    assert_eq!(heard, expected.collect::<Vec<_>>());
}
