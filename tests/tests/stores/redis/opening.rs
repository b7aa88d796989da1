//! Why a counter cannot be opened, in one sentence.

use hongbao_host::store::redis::OpenError;
use hongbao_tests::servers::Redis;

use super::*;

/// The error's code and sentence.
async fn refused(url: &str) -> (&'static str, String) {
    let started = Instant::now();
    let error: OpenError = RedisCounter::connect(url).await.err().expect("refused");
    assert!(started.elapsed() < BOUND, "{:?}", started.elapsed());
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
    (error.code(), error.to_string())
}

#[tokio::test]
async fn a_password_is_asked_for_and_checked() {
    let server = Redis::start_with(&["--requirepass", "secret"]);
    let address = server.address();
    let (code, said) = refused(&format!("redis://{address}")).await;
    assert_eq!(code, "counter-password");
    assert!(
        said.starts_with(&format!("the Redis server at {address} asks for a password: write it")),
        "{said}"
    );
    let (code, said) = refused(&format!("redis://:not-the-secret@{address}")).await;
    assert_eq!(code, "counter-password");
    let expected = format!("the Redis server at {address} refuses the user or the password: correct them");
    assert!(said.starts_with(&expected), "{said}");
    let open = Redis::start();
    let (code, said) = refused(&format!("redis://:secret@{}", open.address())).await;
    assert!(
        code == "counter-password" && said.contains("has no password, and the counter's URL has one"),
        "{said}"
    );
    let (code, said) = refused(&format!("redis://bob:secret@{}", open.address())).await;
    assert!(code == "counter-password" && said.contains("refuses the user or the password"), "{said}");
}

#[tokio::test]
async fn a_database_past_the_servers_is_a_mistake_in_the_url() {
    let server = Redis::start();
    let (code, said) = refused(&format!("redis://{}/99", server.address())).await;
    assert!(code == "counter-url" && said.contains("no database of that number"), "{said}");
    assert!(said.contains(&server.address().to_string()), "{said}");
}

#[tokio::test]
async fn a_password_opens() {
    let server = Redis::start_with(&["--requirepass", "secret"]);
    let counter = connect(&server.url()).await;
    open(&counter, &packet(1), 3).await;
    assert_eq!(take(&counter, &packet(1), "alice").await, Swapped::Won(2));
}

#[tokio::test]
async fn a_user_needs_the_scripts_and_the_keys_of_the_namespace_alone() {
    let server = Redis::start();
    let rules = "+@scripting +@hash +@sortedset +pexpire +unlink +scan";
    let user: Vec<_> = ["acl", "setuser", "bob", "on", ">secret", "~shop:*", "resetchannels"].to_vec();
    let allowed: Vec<_> = user.iter().copied().chain(rules.split(' ')).collect();
    server.cli(&allowed);
    let url = format!("redis://bob:secret@{}?namespace=shop", server.address());
    let counter = connect(&url).await;
    open(&counter, &packet(1), 3).await;
    counter.sweep(NOW).await.unwrap();
    let elsewhere = url.replace("=shop", "=elsewhere");
    assert_eq!(refused(&elsewhere).await.0, "counter-forbidden");
    for missing in ["-eval", "-evalsha", "-hset", "-zadd", "-unlink"] {
        server.cli(&["acl", "setuser", "bob", missing]);
        let (code, said) = refused(&url).await;
        assert_eq!(code, "counter-forbidden", "{missing}: {said}");
        server.cli(&["acl", "setuser", "bob", &missing.replace('-', "+")]);
    }
}

#[tokio::test]
async fn a_replica_is_refused() {
    let (master, replica) = (Redis::start(), Redis::start());
    replica.replica_of(&master);
    let (code, said) = refused(&replica.url()).await;
    let expected = format!("the Redis server at {} is a read-only replica", replica.address());
    assert_eq!((code, said), ("counter-read-only", expected));
}

#[tokio::test]
async fn nobody_there_is_told_in_time() {
    let server = Redis::start();
    server.kill();
    let (code, said) = refused(&server.url()).await;
    assert_eq!(code, "counter-unreachable");
    assert!(said.starts_with(&format!("no Redis server answers at {}: ", server.address())), "{said}");
    server.restart();
    server.pause();
    let (code, said) = refused(&server.url()).await;
    assert_eq!(code, "counter-unreachable", "{said}");
    let (code, said) = refused(&format!("redis+sentinel://{}/main", server.address())).await;
    assert_eq!(code, "counter-unreachable", "{said}");
    let (code, said) = refused(&format!("redis+cluster://{}", server.address())).await;
    assert_eq!(code, "counter-unreachable", "{said}");
    server.resume();
}

#[tokio::test]
async fn a_url_that_says_another_kind_of_server_is_refused() {
    let single = Redis::start();
    let (code, said) = refused(&single.url().replace("redis:", "redis+cluster:")).await;
    assert_eq!(code, "counter-topology", "{said}");
    let (code, said) = refused(&format!("redis+sentinel://{}/main", single.address())).await;
    assert_eq!(code, "counter-topology", "{said}");
}

#[tokio::test]
async fn a_url_without_meaning_is_refused_before_anything_is_connected() {
    let (code, said) = refused("redis://:secret@127.0.0.1?cacert=roots.pem").await;
    assert_eq!(code, "counter-url");
    assert!(said.starts_with("the URL of Redis cannot be used: cacert, cert and key are for TLS"), "{said}");
}

/// Answers whatever it is asked with these bytes, once for each connection.
async fn somebody_else(answer: &'static [u8]) -> std::net::SocketAddr {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_redis_server_is_told_apart_from_one_that_is_away() {
    let cases: [(&[u8], &str, &str); 5] = [
        (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "counter-not-redis", "it speaks HTTP"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "counter-not-redis", "it speaks SSH"),
        (b"ERROR\r\n", "counter-not-redis", "another protocol"),
        (&[0x15, 3, 3, 0, 2, 2, 70], "counter-tls", "begin with rediss"),
        (b"-DENIED Redis is running in protected mode\r\n", "counter-forbidden", "protected mode"),
    ];
    for (answer, code, expected) in cases {
        let address = somebody_else(answer).await;
        for url in [format!("redis://{address}"), format!("redis://:secret@{address}")] {
            let (found, said) = refused(&url).await;
            assert!(found == code && said.contains(expected), "{url}: {found}: {said}");
            let joined = RedisCounter::join(&url).await.err().expect("a mistake");
            assert_eq!(joined.code(), code);
        }
    }
    // Who only hangs up may be a server that is starting.
    let address = somebody_else(b"").await;
    assert_eq!(refused(&format!("redis://{address}")).await.0, "counter-unreachable");
    assert!(RedisCounter::join(&format!("redis://{address}")).await.is_ok());
    let full = somebody_else(b"-ERR max number of clients reached\r\n").await;
    assert!(RedisCounter::join(&format!("redis://:secret@{full}")).await.is_ok(), "not a wrong password");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_is_no_server() {
    let servers = hongbao_tests::servers::RedisSentinel::start();
    let (code, said) = refused(&servers.sentinels()[0].url()).await;
    assert!(code == "counter-topology" && said.contains("redis+sentinel://"), "{code}: {said}");
}

/// The health of a counter, once it is another.
async fn becomes(counter: &RedisCounter, expected: Report) {
    let started = Instant::now();
    while counter.health() != Some(expected.clone()) {
        assert!(started.elapsed() < Duration::from_secs(15), "{:?}, not {expected:?}", counter.health());
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_joins_its_server_when_that_comes() {
    let server = Redis::start();
    server.kill();
    let counter = RedisCounter::join(&server.url()).await.unwrap();
    assert_eq!(counter.health(), Some(is(Standing::Away, "it does not answer")));
    assert_unavailable(bounded(counter.load(&packet(1), &[], NOW)).await);
    assert_unavailable(bounded(counter.check()).await);
    server.restart();
    becomes(&counter, Report::OK).await;
    counter.check().await.unwrap();
    open(&counter, &packet(1), 3).await;
    assert_eq!(take(&counter, &packet(1), "alice").await, Swapped::Won(2));
    // Whoever was told to open by a process that is gone may do so.
    assert!(counter.seats(&packet(1), &[user("bob")], NOW).await.unwrap().unwrap().lenient);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mistake_that_shows_late_is_told_and_may_be_put_right() {
    let server = Redis::start_with(&["--requirepass", "secret"]);
    server.kill();
    let url = format!("redis://:other@{}", server.address());
    let counter = RedisCounter::join(&url).await.unwrap();
    server.restart();
    becomes(&counter, is(Standing::Away, "Redis refuses the user or the password")).await;
    let error = bounded(counter.check()).await.expect_err("it lets nobody in").to_string();
    assert!(error.contains("refuses the user or the password"), "{error}");
    server.cli(&["config", "set", "requirepass", "other"]);
    becomes(&counter, Report::OK).await;
    open(&counter, &packet(1), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_writes_at_the_start_is_joined_and_not_connected_to() {
    let (master, full, replica) = (Redis::start(), Redis::start(), Redis::start());
    full.cli(&["config", "set", "maxmemory", "1"]);
    replica.replica_of(&master);
    let cases =
        [(&full, "counter-refuses-writes", OUT_OF_MEMORY), (&replica, "counter-read-only", READ_ONLY)];
    for (server, code, reason) in cases {
        assert_eq!(refused(&server.url()).await.0, code);
        let counter = RedisCounter::join(&server.url()).await.unwrap();
        becomes(&counter, is(Standing::RefusesWrites, reason)).await;
        assert_unavailable(bounded(counter.load(&packet(1), &[], NOW)).await);
        server.cli(&["config", "set", "maxmemory", "0"]);
        server.cli(&["replicaof", "no", "one"]);
        becomes(&counter, Report::OK).await;
        open(&counter, &packet(1), 3).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_join_their_server_when_that_comes() {
    use hongbao_host::domain::{Event, Name, RoomKey};
    use hongbao_host::store::Events as _;
    use hongbao_host::store::redis::RedisEvents;
    let server = Redis::start();
    server.kill();
    let events = RedisEvents::join(&server.url()).await.unwrap();
    let room = RoomKey { tenant: TenantId::default(), room: Name::new("room").unwrap() };
    let message =
        || Event::Message { id: Name::new("a").unwrap(), sender: user("alice"), text: "hello".into() };
    let mut listener = events.listen(&room).await.unwrap();
    assert_unavailable(bounded(events.post(&room, message(), NOW)).await);
    server.restart();
    tokio::time::timeout(Duration::from_secs(15), listener.changed()).await.unwrap().unwrap();
    healed("a server", async || events.post(&room, message(), NOW).await).await;
    listener.mark_unchanged();
    assert_eq!(events.since(&room, Default::default(), 9).await.unwrap().events.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_with_the_documented_rules_may_do_all_that_is_needed() {
    let text = include_str!("../../../../docs/configuration.md");
    let rules = &text[text.find("ACL SETUSER hongbao").unwrap()..];
    let rules = rules.split("```").next().unwrap().replace(">PASSWORD", ">secret");
    let rules: Vec<_> = rules.split_whitespace().map(str::to_lowercase).collect();
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let single = Redis::start();
    let cluster = hongbao_tests::servers::RedisCluster::start();
    let nodes: Vec<_> = cluster.nodes().iter().map(|node| node.address().to_string()).collect();
    for server in cluster.nodes().iter().chain([&single]) {
        assert_eq!(server.cli(&rules), "OK");
    }
    let urls = [
        format!("redis://hongbao:secret@{}", single.address()),
        format!("redis+cluster://hongbao:secret@{}", nodes.join(",")),
    ];
    for url in urls {
        let counter = RedisCounter::connect(&url).await.unwrap();
        open(&counter, &packet(1), 3).await;
        assert_eq!(take(&counter, &packet(1), "alice").await, Swapped::Won(2));
        counter.sweep(NOW + LEASE).await.unwrap();
        counter.check().await.unwrap();
        counter.clear().await.unwrap();
        let events = hongbao_host::store::redis::RedisEvents::connect(&url).await.unwrap();
        events_work(&events).await;
        let logs = cluster.nodes().iter().chain([&single]).map(|server| server.cli(&["acl", "log"]));
        let refused: String = logs.collect();
        assert!(!refused.contains("hongbao"), "{refused}");
    }
}

async fn events_work(events: &dyn hongbao_host::store::Events) {
    use hongbao_host::domain::{Event, Name, RoomKey};
    let room = RoomKey { tenant: TenantId::default(), room: Name::new("room").unwrap() };
    let mut listener = events.listen(&room).await.unwrap();
    tokio::time::timeout(Duration::from_secs(5), listener.changed()).await.unwrap().unwrap();
    // More than a room keeps, so that old ones go.
    for number in 0..400 {
        let id = Name::new(number.to_string()).unwrap();
        let message = Event::Message { id, sender: user("alice"), text: "hello".into() };
        events.post(&room, message, NOW + number).await.unwrap().expect("it is news");
    }
    assert_eq!(events.latest(&room).await.unwrap().ms, NOW + 399);
    assert!(events.since(&room, Default::default(), 9).await.unwrap().is_gap);
}
