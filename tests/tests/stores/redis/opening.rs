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
    assert_eq!(
        (code, said),
        ("counter-password", format!("the Redis server at {address} asks for a password"))
    );
    let (code, said) = refused(&format!("redis://:not-the-secret@{address}")).await;
    let expected = format!("the Redis server at {address} refuses the user or the password");
    assert_eq!((code, said), ("counter-password", expected));
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
    let (code, said) = refused("rediss://:secret@127.0.0.1").await;
    assert_eq!(code, "counter-url");
    assert!(said.starts_with("the URL of Redis cannot be used: no TLS"), "{said}");
}
