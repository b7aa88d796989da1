//! Dead letters, replays, and secrets that are replaced.

use std::time::Duration;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_taken_is_a_dead_letter_until_it_is_sent_again() {
    let bench = Bench::start().await;
    bench.receiver.always(status(500));
    bench.events(1..4).await;
    bench.waiting(3).await;
    for (attempts, delay) in (2..).zip(RETRIES) {
        bench.stage.clock.advance(delay.as_millis() as u64 * 6 / 5);
        until("all are tried", || async { bench.receiver.got().len() == 3 * attempts }).await;
    }
    until("all are dead", || async { bench.list("/dead-letters").await.len() == 3 }).await;
    let dead = bench.list("/dead-letters").await;
    assert!(dead.iter().all(|one| one["attempts"] == 4 && one["next_at_ms"].is_null()), "{dead:?}");
    assert!(bench.list("/failures").await.is_empty());
    assert_eq!(bench.look().await["dead_letters"], 3);
    bench.stage.clock.advance(1_000_000_000);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.receiver.got().len(), 12, "they are sent no more");
    bench.receiver.always(status(200));
    // One by its id, then the others.
    let event = dead[0]["event"].as_str().unwrap();
    assert_eq!(bench.post("/replay", json!({"event": event})).await.ok(), json!({"events": 1}));
    assert_eq!(events_of(&bench.taken(1).await), [event]);
    until("it is dead no more", || async { bench.list("/dead-letters").await.len() == 2 }).await;
    assert_eq!(bench.post("/replay", json!({"dead_letters": true})).await.ok(), json!({"events": 2}));
    assert_eq!(bench.taken(3).await.len(), 3);
    bench.done().await;
    assert!(bench.list("/dead-letters").await.is_empty());
    assert_ids_are_of_events(&bench.receiver.got());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_time_or_one_of_them_are_told_once_more() {
    let bench = Bench::start().await;
    for number in 1..=300 {
        bench.events(number..number + 1).await;
        bench.stage.clock.advance(1000);
    }
    let first = bench.taken(300).await;
    // Fundings 100 to 199 happened in this time.
    let (from, to) = (NOW_MS + 99_000, NOW_MS + 199_000);
    let told = bench.post("/replay", json!({"from_ms": from, "to_ms": to})).await;
    assert_eq!(told.ok(), json!({}));
    until("a hundred more", || async { bench.receiver.took().len() >= 400 }).await;
    until("it ends", || async { bench.look().await["replay"].is_null() }).await;
    let took = bench.receiver.took();
    let amounts: std::collections::BTreeSet<_> =
        took[300..].iter().map(|message| message.body["data"]["amount"].as_u64().unwrap()).collect();
    assert_eq!((took.len(), amounts), (400, (100..200).collect()));
    assert_ids_are_of_events(&took);
    let one = first[250].event();
    assert_eq!(bench.post("/replay", json!({"event": one})).await.ok(), json!({}));
    until("one more", || async { bench.receiver.took().len() > 400 }).await;
    until("it ends", || async { bench.look().await["replay"].is_null() }).await;
    let took = bench.receiver.took();
    assert_eq!((took.len(), took[400].event(), &took[400].id), (401, one, &first[250].id));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_one_at_a_time_and_says_what_is_wrong_with_it() {
    let bench = Bench::start().await;
    bench.events(1..3).await;
    let took = bench.taken(2).await;
    bench.receiver.always(Reaction::Never);
    assert_eq!(bench.post("/replay", json!({"from_ms": 0})).await.ok(), json!({}));
    let second = bench.post("/replay", json!({"from_ms": 0})).await;
    assert_eq!((second.status.as_u16(), second.problem().as_str()), (409, "replay-in-progress"));
    for (body, code) in [
        (json!({}), "invalid-argument"),
        (json!({"event": took[0].event(), "from_ms": 1}), "invalid-argument"),
        (json!({"from_ms": 5, "to_ms": 5}), "invalid-argument"),
        (json!({"to_ms": 5}), "invalid-argument"),
        (json!({"dead_letters": false}), "invalid-argument"),
        (json!({"event": "x"}), "not-found"),
        (json!({"event": "9-a9-00000000"}), "not-found"),
        (json!({"from": 1}), "malformed"),
    ] {
        assert_eq!(bench.post("/replay", body.clone()).await.problem(), code, "{body}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_replaced_while_both_sign() {
    let bench = Bench::start().await;
    let path = bench.path("/rotate");
    let rotate = async |salt: &str, body| bench.stage.once(&path, &bench.keys["admin"], salt, body).await;
    let rotated = rotate("1", json!({"overlap_seconds": 100})).await.ok();
    let second = rotated["secret"].as_str().unwrap().to_owned();
    assert_eq!(rotated["former_secret_until_ms"], NOW_MS + 100_000);
    let replayed = rotate("1", json!({"overlap_seconds": 100})).await;
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    assert!(replayed.ok()["secret"].is_null(), "it is shown once");
    let signed = async |number: u64| {
        bench.followed().await;
        bench.events(number..number + 1).await;
        let took = bench.taken(number as usize).await;
        took.last().unwrap().clone()
    };
    let message = signed(1).await;
    assert!(message.is_signed_by(&bench.secret) && message.is_signed_by(&second), "{message:?}");
    bench.stage.clock.advance(100_000);
    let message = signed(2).await;
    assert!(!message.is_signed_by(&bench.secret) && message.is_signed_by(&second), "{message:?}");
    let third = rotate("2", json!({"overlap_seconds": 0})).await.ok()["secret"].as_str().unwrap().to_owned();
    let message = signed(3).await;
    assert!(message.is_signed_by(&third) && !message.is_signed_by(&second), "{message:?}");
    assert_eq!(rotate("3", json!({"overlap_seconds": 604_801})).await.problem(), "invalid-argument");
    bench.stop().await;
}
