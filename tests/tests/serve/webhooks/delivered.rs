//! What is delivered, and what is not.

use std::time::Duration;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_event_is_told_in_its_order_and_signed() {
    let bench = Bench::start().await;
    bench.stage.fund(&bench.keys, "alice", 1_000).await;
    let packet = bench.stage.packet(&bench.keys, "p", 300, 1).await;
    bench.stage.tap(&bench.keys, &packet, "grab-and-open", "bob").await.ok();
    let took = bench.taken(4).await;
    let kinds: Vec<_> = took.iter().map(Message::kind).collect();
    assert_eq!(kinds.len(), 4, "each once: {kinds:?}");
    for kind in ["wallet.funded", "packet.sent", "share.claimed", "share.settled"] {
        assert!(kinds.contains(&kind), "{kind} of {kinds:?}");
    }
    assert_ids_are_of_events(&took);
    for message in &took {
        assert!(message.is_signed_by(&bench.secret), "{message:?}");
        assert!(!message.is_signed_by("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        assert_eq!(message.timestamp_s, NOW_MS / 1000, "the clock of the host");
        assert_eq!(message.body["tenant"], "acme");
        assert_eq!(message.body["timestamp"], "2023-11-14T22:13:20.000Z");
    }
    let sent = took.iter().find(|message| message.kind() == "packet.sent").unwrap();
    let data = &sent.body["data"];
    assert_eq!((&data["packet"], &data["amount"], &data["shares"]), (&json!(packet), &json!(300), &json!(1)));
    assert_eq!(
        (&data["user"], &data["room"], &data["greeting"]),
        (&json!("alice"), &json!("family"), &json!("hi"))
    );
    let last = || async { bench.look().await["last_event"].is_string() };
    until("the cursor is written down", last).await;
    assert!(bench.list("/failures").await.is_empty() && bench.list("/dead-letters").await.is_empty());
    let metrics = bench.stage.get("/metrics", "").await.text;
    assert!(metrics.contains("hongbao_webhook_deliveries_total{outcome=\"delivered\"} 4"), "{metrics}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_that_were_not_chosen_are_not_told() {
    let bench = Bench::start().await;
    bench.change(json!({"kinds": ["share.claimed"]})).await;
    bench.followed().await;
    let other = Receiver::start().await;
    hook(&bench.stage, &bench.keys, json!({"url": other.url(), "kinds": ["wallet.funded", "packet.sent"]}))
        .await;
    bench.stage.fund(&bench.keys, "alice", 1_000).await;
    let packet = bench.stage.packet(&bench.keys, "p", 300, 3).await;
    bench.stage.tap(&bench.keys, &packet, "grab-and-open", "bob").await.ok();
    until("both are told", || async { other.took().len() == 2 && bench.receiver.took().len() == 1 }).await;
    bench.events(1..4).await;
    until("the other goes on", || async { other.took().len() == 5 }).await;
    let kinds: Vec<_> = bench.receiver.got().iter().map(|message| message.kind().to_owned()).collect();
    assert_eq!(kinds, ["share.claimed"]);
    bench.stop().await;
}

/// A receiver that does not take the first message, what is said of it, and whether it is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_sent_again_by_the_schedule_with_the_same_id() {
    let elsewhere = Receiver::start().await;
    let redirect = format!("location: {}\r\n", elsewhere.url());
    let cases = [
        (status(500), "answered 500"),
        (status(404), "answered 404"),
        (
            Reaction::Answer(301, redirect.clone(), String::new()),
            "answered 301, and no redirect is followed: http://",
        ),
        (Reaction::Answer(307, redirect, String::new()), "answered 307, and no redirect is followed"),
        (
            Reaction::Answer(400, String::new(), "bad\r\n\u{1b}[2J 签名".into()),
            "answered 400: bad\\r\\n\\u{1b}[2J 签名",
        ),
        (Reaction::Endless(503), "answered 503: xxxxxxxxxx"),
        (Reaction::Never, "no answer within 500 ms"),
        (Reaction::Late(Duration::from_millis(900)), "no answer within 500 ms"),
        (Reaction::Close, "the connection ended before an answer"),
        (Reaction::Cut(502), "answered 502: half"),
    ];
    for (reaction, told) in cases {
        let bench = Bench::start().await;
        let (first, mut count) = (reaction.clone(), 0);
        bench.receiver.react(move |_| {
            count += 1;
            if count == 1 { first.clone() } else { status(200) }
        });
        bench.events(1..2).await;
        let [failure] = &bench.waiting(1).await[..] else { panic!("one failure") };
        assert!(words(failure).starts_with(told), "{reaction:?}: {failure}");
        assert!(words(failure).chars().count() < 300, "{failure}");
        assert_eq!((&failure["attempts"], &failure["kind"]), (&json!(1), &json!("wallet.funded")));
        let next_ms = failure["next_at_ms"].as_u64().unwrap();
        assert!((NOW_MS + 60_000..NOW_MS + 72_000).contains(&next_ms), "{failure}");
        // Others go on meanwhile.
        bench.events(2..4).await;
        bench.taken(2).await;
        bench.stage.clock.advance(60_000 + 12_000);
        bench.taken(3).await;
        bench.done().await;
        assert_eq!(bench.receiver.got().len(), 4, "{reaction:?}");
        assert_ids_are_of_events(&bench.receiver.got());
        bench.stop().await;
    }
    assert!(elsewhere.got().is_empty(), "no redirect is followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_decides_whatever_follows_it() {
    for reaction in [
        Reaction::Endless(200),
        Reaction::Answer(202, String::new(), "x".repeat(3 << 20)),
        Reaction::Cut(201),
    ] {
        let bench = Bench::start().await;
        bench.receiver.always(reaction.clone());
        bench.events(1..3).await;
        until("both are told", || async { bench.receiver.got().len() == 2 }).await;
        until("the cursor moves", || async { bench.look().await["last_event"].is_string() }).await;
        assert!(bench.list("/failures").await.is_empty(), "{reaction:?}");
        assert_eq!(bench.receiver.got().len(), 2);
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_is_disabled_and_told_of_everything_later() {
    let bench = Bench::start().await;
    bench.receiver.always(status(410));
    bench.events(1..2).await;
    until("it is disabled", || async { bench.look().await["is_disabled"] == true }).await;
    let state = bench.look().await;
    assert_eq!((&state["disabled_because"], &state["waiting"]), (&json!("gone"), &json!(0)));
    let before = bench.receiver.got().len();
    bench.receiver.always(status(204));
    bench.events(2..5).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.receiver.got().len(), before, "nothing is sent to it");
    let state = bench.change(json!({"is_disabled": false})).await;
    assert_eq!((&state["is_disabled"], &state["disabled_because"]), (&json!(false), &Value::Null));
    assert_eq!(bench.taken(4).await.len(), 4);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_is_left_alone_for_as_long_as_it_asks_within_bounds() {
    for (header, pause_ms) in [("retry-after: 300\r\n", 300_000), ("retry-after: 999999\r\n", 3_600_000)] {
        let bench = Bench::start().await;
        let mut is_first = true;
        bench.receiver.react(move |_| match std::mem::take(&mut is_first) {
            true => Reaction::Answer(429, header.into(), String::new()),
            false => status(200),
        });
        bench.events(1..2).await;
        let failure = bench.waiting(1).await.remove(0);
        assert_eq!(failure["next_at_ms"], NOW_MS + pause_ms, "{failure}");
        bench.events(2..4).await;
        bench.stage.clock.advance(pause_ms - 1);
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(bench.receiver.got().len(), 1, "nothing else is sent either");
        bench.stage.clock.advance(1);
        bench.taken(3).await;
        bench.done().await;
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_altogether_is_only_probed_and_catches_up() {
    const EVENTS: usize = 60;
    const ALL: &str = "/failures?limit=100";
    let bench = Bench::start().await;
    bench.receiver.always(status(500));
    bench.events(1..EVENTS as u64 + 1).await;
    until("it fails", || async { bench.list(ALL).await.len() >= 8 }).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (failures, attempts) = (bench.list(ALL).await.len(), bench.receiver.got().len());
    assert!((8..8 + 16).contains(&failures), "{failures} failures are kept of {EVENTS} events");
    assert_eq!(attempts, failures, "and nothing else was tried");
    let metrics = bench.stage.get("/metrics", "").await.text;
    let line = format!("hongbao_webhook_retries_waiting {failures}");
    assert!(metrics.contains(&line), "{metrics}");
    bench.stage.clock.advance(72_000);
    until("it is probed", || async { bench.receiver.got().len() >= 2 * failures }).await;
    let lag = |text: String| {
        let line =
            text.lines().find(|line| line.starts_with("hongbao_webhook_lag_seconds ")).unwrap().to_owned();
        line.split(' ').nth(1).unwrap().parse::<f64>().unwrap()
    };
    let told = || async { lag(bench.stage.get("/metrics", "").await.text) >= 72.0 };
    until("the lag is told", told).await;
    // Probes are ten minutes apart now; when one is taken the rest follows at once.
    bench.receiver.always(status(200));
    bench.stage.clock.advance(720_000);
    bench.taken(EVENTS).await;
    bench.done().await;
    assert_ids_are_of_events(&bench.receiver.got());
    assert_eq!(bench.receiver.took().len(), EVENTS, "nothing was taken twice");
    bench.stop().await;
}
