//! A server that goes away, and those who listen meanwhile.

use futures::future::join_all;
use hongbao_tests::servers::{Mode, Proxy, RedisSentinel};

use super::*;

const SOON: Duration = Duration::from_secs(5);

/// Posts from another host until the listener is woken, as a room does that goes on.
async fn is_reached(listener: &mut watch::Receiver<u64>, from: &RedisEvents, name: &str) {
    let started = Instant::now();
    for number in 0.. {
        let event = message(&format!("{started:?} {number}"));
        // What was posted before a restart has an earlier place.
        let _ = from.post(&room(name), event, NOW + 5_000).await;
        if is_woken_within(listener, Duration::from_millis(100)).await {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(20), "nobody was woken");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_is_woken_at_once_by_a_message_of_another_host() {
    let server = Redis::start();
    let [here, there] = [events(&server.url()).await, events(&server.url()).await];
    let mut listener = asleep(&here, "room").await;
    for number in 0..20 {
        listener.mark_unchanged();
        tell(&there, "room", &number.to_string()).await;
        // The beat of a second wakes nobody here, so it was the message.
        assert!(is_woken_within(&mut listener, Duration::from_millis(900)).await);
    }
    tell(&there, "other", "a").await;
    assert!(!is_woken_within(&mut listener, Duration::from_millis(1500)).await, "that was another room");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_room_is_left_when_the_last_listener_has_gone() {
    let server = Redis::start();
    let here = events(&server.url()).await;
    let channels = || server.cli(&["pubsub", "channels"]).lines().filter(|line| !line.is_empty()).count();
    let (one, other) = (asleep(&here, "one").await, asleep(&here, "other").await);
    let second = asleep_already(&here, "one").await;
    assert_eq!(channels(), 2);
    drop(one);
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(channels(), 2, "somebody still listens to each");
    drop((second, other));
    let started = Instant::now();
    while channels() > 0 {
        assert!(started.elapsed() < SOON, "nobody listens any more");
        sleep(Duration::from_millis(50)).await;
    }
    let mut again = asleep(&here, "one").await;
    tell(&here, "one", "a").await;
    assert!(is_woken_within(&mut again, SOON).await);
}

/// One more who listens to a room that is subscribed to.
async fn asleep_already(events: &RedisEvents, name: &str) -> watch::Receiver<u64> {
    events.listen(&room(name)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listened_over_a_cut_is_woken_for_what_was_missed() {
    let server = Redis::start();
    let proxy = Proxy::start(server.address());
    let [here, there] = [events(&proxy.through(&server.url())).await, events(&server.url()).await];
    let mut listeners = Vec::new();
    for name in ["one", "two {}"] {
        listeners.push(asleep(&here, name).await);
    }
    for _ in 0..3 {
        proxy.set(Mode::Refuse);
        listeners.iter_mut().for_each(watch::Receiver::mark_unchanged);
        // Only one of the rooms has news, and its message reaches nobody; both are woken.
        let id = format!("{:?}", Instant::now());
        there.post(&room("one"), message(&id), NOW).await.unwrap().unwrap();
        assert!(!is_woken_within(&mut listeners[0], Duration::from_millis(200)).await, "it is cut off");
        proxy.set(Mode::Pass);
        for listener in &mut listeners {
            assert!(is_woken_within(listener, SOON).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_swallows_everything_is_noticed() {
    let server = Redis::start();
    let proxy = Proxy::start(server.address());
    let [here, there] = [events(&proxy.through(&server.url())).await, events(&server.url()).await];
    let mut listener = asleep(&here, "room").await;
    proxy.set(Mode::Blackhole);
    tell(&there, "room", "a").await;
    let answers = join_all((0..50).map(|_| async {
        let room = room("room");
        let (since, latest) = (here.since(&room, BEGINNING, 9), here.latest(&room));
        assert_unavailable(bounded(since).await);
        assert_unavailable(bounded(latest).await);
        assert_unavailable(bounded(here.post(&room, message("b"), NOW)).await);
    }));
    answers.await;
    listener.mark_unchanged();
    proxy.set(Mode::Pass);
    assert!(is_woken_within(&mut listener, SOON).await);
    let read = healed("a network that is back", async || here.since(&room("room"), BEGINNING, 9).await).await;
    assert_eq!(read.events[0].1, message("a"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restarted_server_wakes_and_has_a_gap() {
    let server = Redis::start();
    let [here, there] = [events(&server.url()).await, events(&server.url()).await];
    let mut listener = asleep(&here, "room").await;
    let place = tell(&there, "room", "a").await;
    server.kill();
    listener.mark_unchanged();
    assert_unavailable(bounded(here.post(&room("room"), message("b"), NOW)).await);
    server.restart();
    assert!(is_woken_within(&mut listener, SOON).await, "without anybody posting");
    let read = healed("a server that is back", async || here.since(&room("room"), place, 9).await).await;
    assert!(read.is_gap && read.events.is_empty(), "{read:?}");
    is_reached(&mut listener, &there, "room").await;
    let read = here.since(&room("room"), place, 9).await.unwrap();
    assert!(read.is_gap && !read.events.is_empty(), "{read:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_post_after_a_lost_answer_tells_nothing_twice() {
    let server = Redis::start();
    let proxy = Proxy::start(server.address());
    let here = events(&proxy.through(&server.url())).await;
    proxy.set(Mode::DropReplies);
    let room = room("room");
    // Sent again by the connection itself, and then by whoever posts.
    assert_unavailable(bounded(here.post(&room, message("a"), NOW)).await);
    proxy.set(Mode::Pass);
    healed("a network that is back", async || here.post(&room, message("a"), NOW).await).await;
    assert_eq!(here.since(&room, BEGINNING, 9).await.unwrap().events.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_listens_follows_the_master_wherever_it_goes() {
    let servers = RedisSentinel::start();
    let sentinels: Vec<_> = servers.sentinels().iter().map(|one| one.address().to_string()).collect();
    let url = format!("redis+sentinel://{}/{}", sentinels.join(","), RedisSentinel::NAME);
    let [here, there] = [events(&url).await, events(&url).await];
    let mut listener = asleep(&here, "room").await;
    is_reached(&mut listener, &there, "room").await;
    servers.kill_master();
    listener.mark_unchanged();
    servers.wait_for_failover();
    is_reached(&mut listener, &there, "room").await;
    let post = async || here.post(&room("room"), message("after"), NOW).await;
    assert!(healed("a new master", post).await.is_some());
}

/// A server whose user may do all at first, and the way to it.
fn guarded() -> (Redis, String) {
    let server = Redis::start();
    server.cli(&["acl", "setuser", "bob", "on", ">secret", "~*", "&*", "+@all"]);
    let url = format!("redis://bob:secret@{}", server.address());
    (server, url)
}

fn allow(server: &Redis, rules: &[&str]) {
    assert_eq!(server.cli(&[&["acl", "setuser", "bob"], rules].concat()), "OK");
}

fn connections(server: &Redis) -> u64 {
    let told = server.cli(&["info", "stats"]);
    let count = told.lines().find_map(|line| line.strip_prefix("total_connections_received:"));
    count.unwrap().trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_refused_is_tried_seldom_and_comes_by_itself() {
    for (taken, given) in [(["-subscribe"], ["+subscribe"]), (["resetchannels"], ["&*"])] {
        let (server, url) = guarded();
        let here = events(&url).await;
        let mut listener = asleep(&here, "room").await;
        allow(&server, &taken);
        server.cli(&["client", "kill", "type", "pubsub"]);
        // Also a room that is new meets it.
        let _other = here.listen(&room("other")).await.unwrap();
        sleep(Duration::from_secs(1)).await;
        let before = connections(&server);
        sleep(Duration::from_secs(3)).await;
        // Each look is a connection as well. Of half a second the pause is a part.
        let made = connections(&server) - before;
        assert!((2..=20).contains(&made), "{made} connections in three seconds");
        listener.mark_unchanged();
        allow(&server, &given);
        assert!(is_woken_within(&mut listener, SOON).await);
        tell(&here, "room", "a").await;
        assert!(is_woken_within(&mut listener, SOON).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_reading_needs_is_told_when_it_is_lost_and_when_it_is_back() {
    let (server, url) = guarded();
    let here = events(&url).await;
    tell(&here, "room", "a").await;
    let becomes = async |expected: Report| {
        let started = Instant::now();
        while here.health() != Some(expected.clone()) {
            assert!(started.elapsed() < SOON, "{:?} and not {expected:?}", here.health());
            sleep(Duration::from_millis(20)).await;
        }
    };
    becomes(Report::OK).await;
    allow(&server, &["-xrange"]);
    assert_unavailable(here.since(&room("room"), BEGINNING, 9).await);
    let lacking = is(Standing::RefusesWrites, "its user lacks a permission");
    becomes(lacking.clone()).await;
    // That posts go well says nothing of it.
    tell(&here, "room", "b").await;
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(here.health(), Some(lacking));
    allow(&server, &["+xrange"]);
    // Without anybody who posts or reads.
    becomes(Report::OK).await;
    assert_eq!(here.since(&room("room"), BEGINNING, 9).await.unwrap().events.len(), 2);
}
