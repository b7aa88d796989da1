//! What stands on the server, and who may.

use super::*;

const KEY: &str = "hongbao:events/{7:default/room}";
const TOLD: &str = "hongbao:events/{7:default/room}:told";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_is_two_keys_that_the_server_forgets_after_a_day() {
    let server = Redis::start();
    let here = events(&server.url()).await;
    assert_eq!(server.cli(&["dbsize"]), "0", "the rehearsal leaves nothing");
    tell(&here, "room", "a").await;
    let mut keys: Vec<_> = server.cli(&["keys", "*"]).lines().map(str::to_owned).collect();
    keys.sort_unstable();
    assert_eq!(keys, [KEY, TOLD]);
    for key in [KEY, TOLD] {
        let left: u64 = server.cli(&["pttl", key]).parse().unwrap();
        assert!((KEPT - 60_000..=KEPT).contains(&left), "{key} has {left} ms left");
    }
    server.cli(&["pexpire", KEY, "1000"]);
    tell(&here, "room", "b").await;
    assert!(server.cli(&["pttl", KEY]).parse::<u64>().unwrap() > 1000, "what happens keeps a room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_remembered_of_packets_is_bounded() {
    let server = Redis::start();
    let here = events(&server.url()).await;
    let size = || server.cli(&["hlen", TOLD]).parse::<u64>().unwrap();
    let post = async |number: u128, now: u64| {
        assert!(here.post(&room("room"), progress(number, 3), now).await.unwrap().is_some());
    };
    for number in 0..1500 {
        post(number, NOW).await;
    }
    assert!(size() >= 1500, "those of today are all remembered");
    let later = NOW + KEPT;
    for number in 2000..5000 {
        post(number, later).await;
    }
    assert!((3000..3100).contains(&size()), "those of yesterday are not: {}", size());
    assert_eq!(here.post(&room("room"), progress(4999, 3), later).await.unwrap(), None);
    assert_eq!(here.post(&room("room"), progress(2000, 3), later).await.unwrap(), None);
    let stream: u64 = server.cli(&["xlen", KEY]).parse().unwrap();
    assert!((256..=320).contains(&stream), "{stream} events are kept");
    // A message is remembered as long as it is kept.
    for number in 0..1000 {
        tell(&here, "room", &number.to_string()).await;
    }
    assert!(size() < 3400, "{}", size());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_later_version_told_is_passed_over() {
    let server = Redis::start();
    let here = events(&server.url()).await;
    let room = room("room");
    let first = tell(&here, "room", "a").await;
    for event in [r#"{"v":2,"kind":"message"}"#, r#"{"v":1,"kind":"song"}"#, "no JSON", ""] {
        server.cli(&["xadd", KEY, "*", "subject", ":x", "event", event]);
    }
    server.cli(&["xadd", KEY, "*", "colour", "red"]);
    let last = server.cli(&["xadd", KEY, "*", "subject", ":x", "event", "{}"]);
    server.cli(&["hset", TOLD, "last", &last]);
    let later = tell(&here, "room", "b").await;
    for limit in [1, 2, 3, 100] {
        let read = here.since(&room, BEGINNING, limit).await.unwrap();
        assert_eq!(read.events[0], (first, message("a")), "with {limit}");
        let read = here.since(&room, first, limit).await.unwrap();
        assert_eq!((read.events, read.is_gap), (vec![(later, message("b"))], false), "with {limit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_that_was_evicted_in_part_has_a_gap() {
    for evicted in [KEY, TOLD] {
        let server = Redis::start();
        let here = events(&server.url()).await;
        let room = room("room");
        let first = tell(&here, "room", "a").await;
        let last = tell(&here, "room", "b").await;
        server.cli(&["unlink", evicted]);
        assert!(here.since(&room, first, 9).await.unwrap().is_gap, "without {evicted}");
        let next = here.post(&room, message("c"), NOW + 1).await.unwrap().unwrap();
        assert!(next > last);
        let read = here.since(&room, first, 9).await.unwrap();
        assert_eq!((read.events, read.is_gap), (vec![(next, message("c"))], true), "without {evicted}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_not_ours_is_told_as_damage() {
    let server = Redis::start();
    let here = events(&server.url()).await;
    server.cli(&["set", TOLD, "something"]);
    for error in [
        here.post(&room("room"), message("a"), NOW).await.map(drop).unwrap_err(),
        here.since(&room("room"), BEGINNING, 9).await.map(drop).unwrap_err(),
        here.latest(&room("room")).await.map(drop).unwrap_err(),
    ] {
        assert_eq!(error.code(), "corrupt", "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_publish_or_subscribe_is_refused_when_opening() {
    let server = Redis::start();
    let url = server.url().replace("redis://", "redis://bob:secret@");
    let allow = |more: &[&str]| {
        let rules = ["acl", "setuser", "bob", "reset", "on", ">secret", "~hongbao:*", "+@all"];
        server.cli(&rules.iter().chain(more).copied().collect::<Vec<_>>());
    };
    allow(&["resetchannels"]);
    let error = RedisEvents::connect(&url).await.err().expect("refused");
    assert_eq!(error.code(), "counter-forbidden", "{error}");
    allow(&["&hongbao:*", "-subscribe"]);
    let error = RedisEvents::connect(&url).await.err().expect("refused");
    assert_eq!(error.code(), "counter-forbidden", "{error}");
    allow(&["&hongbao:*"]);
    tell(&*events(&url).await, "room", "a").await;
}
