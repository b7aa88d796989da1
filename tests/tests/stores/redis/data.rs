//! What stands in a server, and what becomes of it.

use std::sync::Arc;

use hongbao_host::domain::PacketKey;
use hongbao_host::store::finished::FinishedCache;
use hongbao_host::store::{Seat, conformance};
use hongbao_tests::servers::Redis;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_conforms() {
    let server = Redis::start();
    conformance::counter(async || (connect(&fresh(&server.url())).await as _, ())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_behind_the_cache_of_finished_packets_conforms() {
    let server = Redis::start();
    let cached = async || (Arc::new(FinishedCache::new(connect(&fresh(&server.url())).await)) as _, ());
    conformance::counter(cached).await;
}

#[tokio::test]
async fn every_key_has_a_time_to_live_and_a_packets_keys_have_one_hash_tag() {
    let server = Redis::start();
    let counter = connect(&server.url()).await;
    assert_eq!(server.cli(&["dbsize"]), "0", "trying everything out leaves nothing");
    for number in 0..3 {
        open(&counter, &packet(number), 9).await;
        take(&counter, &packet(number), "alice").await;
        counter.admit(&packet(number), &[user("bob")], lease(0)).await.unwrap();
    }
    counter.confirm(&packet(0), &[seat("alice", 5), seat("bob", 5)], NOW).await.unwrap();
    take(&counter, &packet(0), "carol").await;
    counter.sweep(NOW + LEASE).await.unwrap();
    counter.admit(&packet(1), &[user("carol")], lease(LEASE)).await.unwrap();
    let keys = server.cli(&["keys", "*"]);
    let mut kinds = Vec::new();
    for key in keys.lines() {
        let rest: i64 = server.cli(&["pttl", key]).parse().unwrap();
        let kept = KEPT as i64;
        assert!((kept - LEASE as i64..2 * kept).contains(&rest), "{key} lives for {rest} ms");
        let (tag, kind) = key.strip_prefix("hongbao:{").and_then(|rest| rest.split_once('}')).unwrap();
        assert!(tag.ends_with("/default"), "{tag}");
        kinds.push(kind);
    }
    kinds.sort_unstable();
    assert_eq!(kinds, ["", "", "", ":leases"], "leases that ended leave nothing");
}

#[tokio::test]
async fn the_largest_amounts_and_far_times_survive() {
    let server = Redis::start();
    let counter = connect(&server.url()).await;
    let (key, largest) = (packet(1), i64::MAX as u64);
    let opened = vec![seat("alice", largest), seat("bob", largest - 1)];
    let card = Card { audience: Audience::Everyone, expires_at_ms: u64::MAX };
    let forever = Opening { card: card.clone(), keep_until_ms: u64::MAX, opened, ..opening(4) };
    counter.open(&key, forever, NOW).await.unwrap();
    counter.confirm(&key, &[seat("carol", largest - 2)], NOW).await.unwrap();
    let until_the_end = Lease { now_ms: NOW, until_ms: u64::MAX };
    let version = view(&counter, &key).await.version;
    let swapped = counter.swap(&key, version, &[user("dave")], until_the_end).await.unwrap();
    assert_eq!(swapped, Swapped::Won(0));
    let names = ["alice", "bob", "carol", "dave"].map(user);
    let view = counter.load(&key, &names, NOW + KEPT).await.unwrap().unwrap();
    let seats: Vec<_> = view.holders.iter().map(|holder| holder.seat).collect();
    let amounts = [largest, largest - 1, largest - 2].map(|minor| Seat::Opened(Amount::new(minor).unwrap()));
    assert_eq!(seats, [amounts.as_slice(), &[Seat::Leased]].concat());
    assert_eq!(*view.card, card);
}

#[tokio::test]
async fn a_packet_of_many_thousand_seats_is_kept_and_ended() {
    let server = Redis::start();
    let counter = connect(&server.url()).await;
    let (key, many) = (packet(1), 5000);
    let names: Vec<_> = (0..many).map(|number| user(&format!("user-{number}"))).collect();
    let opened = names.iter().map(|user| OpenedSeat { user: user.clone(), amount: Amount::ZERO }).collect();
    counter.open(&key, Opening { opened, ..opening(2 * many) }, NOW).await.unwrap();
    let guests: Vec<_> = (0..many).map(|number| user(&format!("guest-{number}"))).collect();
    for part in guests.chunks(1000) {
        let version = view(&counter, &key).await.version;
        let swapped = counter.swap(&key, version, part, lease(0)).await.unwrap();
        assert!(matches!(swapped, Swapped::Won(_)));
    }
    assert_eq!(view(&counter, &key).await.slots, 0);
    assert_eq!(counter.sweep(NOW + LEASE).await.unwrap(), u64::from(many));
    assert_eq!(view(&counter, &key).await.slots, many);
    let opened: Vec<_> = guests.into_iter().map(|user| OpenedSeat { user, amount: Amount::ZERO }).collect();
    counter.confirm(&key, &opened, NOW).await.unwrap();
    let state = counter.state(&key, NOW).await.unwrap().unwrap();
    assert_eq!((state.slots, state.opened.len()), (0, 2 * many as usize));
    let too_many = counter.load(&key, &names, NOW).await.unwrap_err();
    assert_eq!(too_many.code(), "refused");
}

#[tokio::test]
async fn flushed_scripts_and_lost_data_are_made_anew() {
    let server = Redis::start();
    let counter = connect(&server.url()).await;
    open(&counter, &packet(1), 3).await;
    server.cli(&["script", "flush"]);
    assert_eq!(take(&counter, &packet(1), "alice").await, Swapped::Won(2));
    server.restart();
    assert_eq!(counter.load(&packet(1), &[], NOW).await.unwrap(), None, "the first call after a restart");
    open(&counter, &packet(1), 3).await;
    assert_eq!(take(&counter, &packet(1), "alice").await, Swapped::Won(2));
}

#[tokio::test]
async fn a_counter_whose_leases_were_evicted_is_missing() {
    let server = Redis::start();
    let counter = connect(&server.url()).await;
    open(&counter, &packet(1), 3).await;
    take(&counter, &packet(1), "alice").await;
    let keys = server.cli(&["keys", "*:leases"]);
    server.cli(&["del", &keys]);
    assert_eq!(view(&counter, &packet(1)).await.slots, 2, "nothing has to end yet");
    let loaded = counter.load(&packet(1), &[], NOW + LEASE).await.unwrap();
    assert_eq!(loaded, None, "a slot that would never come back");
}

#[tokio::test]
async fn leases_without_their_counter_are_thrown_away() {
    let server = Redis::start();
    let counter = connect(&server.url()).await;
    open(&counter, &packet(1), 3).await;
    take(&counter, &packet(1), "alice").await;
    server.cli(&["del", &entry_key(&server)]);
    counter.sweep(NOW).await.unwrap();
    assert_eq!(server.cli(&["dbsize"]), "0");
}

fn entry_key(server: &Redis) -> String {
    let keys = server.cli(&["keys", "*"]);
    keys.lines().find(|key| key.ends_with('}')).unwrap().to_owned()
}

#[tokio::test]
async fn what_is_not_ours_is_named_and_left_as_it_is() {
    let server = Redis::start();
    let counter = connect(&server.url()).await;
    let key: PacketKey = packet(1);
    open(&counter, &key, 3).await;
    let name = entry_key(&server);
    let damages: [&[&str]; 4] = [
        &["hset", &name, "m", "short"],
        &["hset", &name, "c", "no card", "m", &"x".repeat(65)],
        &["hset", &name, ":alice", "many"],
        &["set", &name, "a string"],
    ];
    for damage in damages {
        counter.forget(&key).await.unwrap();
        open(&counter, &key, 3).await;
        server.cli(damage);
        let error = counter.load(&key, &[user("alice")], NOW).await.unwrap_err();
        assert_eq!(error.code(), "corrupt", "{damage:?}: {error}");
        assert!(error.to_string().contains(&name), "{error}");
    }
    assert_eq!(server.cli(&["get", &name]), "a string");
}

#[tokio::test]
async fn namespaces_share_a_server_and_nothing_else() {
    let server = Redis::start();
    let (one, other) = (connect(&fresh(&server.url())).await, connect(&fresh(&server.url())).await);
    for counter in [&one, &other] {
        open(counter, &packet(1), 3).await;
        take(counter, &packet(1), "alice").await;
    }
    assert_eq!(one.sweep(NOW + LEASE).await.unwrap(), 1);
    one.clear().await.unwrap();
    assert_eq!(one.load(&packet(1), &[], NOW).await.unwrap(), None);
    assert_eq!(view(&other, &packet(1)).await.slots, 2);
    other.clear().await.unwrap();
    assert_eq!(server.cli(&["dbsize"]), "0");
}
