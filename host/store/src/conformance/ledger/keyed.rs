//! Fundings with a key, which names one of them for ever.

use super::*;

checks! { Bench of Ledger:
    a_key_funds_once,
    a_key_names_one_user_and_one_amount,
    a_key_belongs_to_one_tenant,
    keys_that_differ_are_different_fundings,
    a_funding_that_is_refused_leaves_its_key_free,
    a_key_is_told_of_before_anything_is_refused,
    a_key_of_a_funding_is_none_of_a_packet,
    racing_fundings_of_one_key_move_once,
    racing_fundings_of_one_key_for_many_users_move_once,
}

async fn keyed(bench: &Bench, name: &str, minor: u64, key: &str) -> Funded {
    bench.try_fund(name, amount(minor), Some(key)).await.expect("fund answers")
}

fn funded(minor: u64) -> Funded {
    Funded::Funded(amount(minor))
}

fn replayed(minor: u64) -> Funded {
    Funded::Replayed(amount(minor))
}

/// What was funded in all, by how many movements.
async fn moved(bench: &Bench) -> (i128, u64) {
    let audit = bench.audit().await;
    (audit.funded, audit.movements)
}

async fn a_key_funds_once(bench: Bench) {
    assert_eq!(keyed(&bench, "alice", 10, "key").await, funded(10));
    assert_eq!(keyed(&bench, "alice", 10, "key").await, replayed(10));
    assert_eq!(moved(&bench).await, (10, 1));
    bench.fund("alice", 5).await;
    assert_eq!(keyed(&bench, "alice", 10, "key").await, replayed(15), "what the wallet holds now");
    bench.spend("alice", 1, 12).await;
    assert_eq!(keyed(&bench, "alice", 10, "key").await, replayed(3));
    assert_eq!((bench.balance("alice").await, moved(&bench).await), (3, (15, 3)));
}

async fn a_key_names_one_user_and_one_amount(bench: Bench) {
    keyed(&bench, "alice", 10, "key").await;
    for (name, minor) in [("bob", 10), ("alice", 11), ("alice", 9), ("bob", 1), ("alice", 0)] {
        assert_eq!(keyed(&bench, name, minor, "key").await, Funded::KeyReused, "{minor} for {name}");
    }
    assert_eq!((bench.balance("alice").await, bench.balance("bob").await), (10, 0));
    assert_eq!(moved(&bench).await, (10, 1));
    assert_eq!(keyed(&bench, "alice", 10, "key").await, replayed(10), "the key names what it did");
}

async fn a_key_belongs_to_one_tenant(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    assert_eq!(keyed(&bench, "alice", 10, "key").await, funded(10));
    assert_eq!(keyed(&elsewhere, "bob", 7, "key").await, funded(7));
    assert_eq!(keyed(&bench, "bob", 7, "key").await, Funded::KeyReused);
    assert_eq!(keyed(&elsewhere, "bob", 7, "key").await, replayed(7));
    assert_eq!((moved(&bench).await, moved(&elsewhere).await), ((10, 1), (7, 1)));
}

async fn keys_that_differ_are_different_fundings(bench: Bench) {
    let longest = "x".repeat(256);
    let keys = ["key", "KEY", "key ", "kéy", "'", "%", "\u{10ffff}", &longest];
    for (held, key) in (1..).zip(keys) {
        assert_eq!(keyed(&bench, "alice", 1, key).await, funded(held), "{key}");
    }
    for key in keys {
        assert_eq!(keyed(&bench, "alice", 1, key).await, replayed(keys.len() as u64), "{key}");
    }
}

async fn a_funding_that_is_refused_leaves_its_key_free(bench: Bench) {
    bench.fund("alice", 2).await;
    let largest = Amount::MAX.get();
    for minor in [0, largest, largest - 1] {
        let refused = bench.try_fund("alice", amount(minor), Some("key")).await;
        assert!(matches!(refused, Err(StoreError::Refused(_))), "funding {minor}: {refused:?}");
    }
    assert_eq!(moved(&bench).await, (2, 1));
    assert_eq!(keyed(&bench, "alice", 5, "key").await, funded(7));
}

async fn a_key_is_told_of_before_anything_is_refused(bench: Bench) {
    let largest = Amount::MAX.get();
    assert_eq!(keyed(&bench, "alice", largest, "key").await, funded(largest));
    assert_eq!(keyed(&bench, "alice", largest, "key").await, replayed(largest), "a full wallet is no matter");
    assert_eq!(keyed(&bench, "alice", 1, "key").await, Funded::KeyReused);
}

async fn a_key_of_a_funding_is_none_of_a_packet(bench: Bench) {
    keyed(&bench, "alice", 200, "key 1").await;
    assert!(matches!(bench.record(1, order("key 1", 100, 2), 0).await, Recorded::Recorded(_)));
    assert_eq!(keyed(&bench, "alice", 200, "key 1").await, replayed(100));
    assert_eq!(keyed(&bench, "alice", 50, "key").await, funded(150));
}

async fn racing_fundings_of_one_key_move_once(bench: Bench) {
    let racer = |_| {
        let bench = bench.clone();
        async move { keyed(&bench, "alice", 3, "key").await }
    };
    let told = race(racer).await;
    let first = told.iter().filter(|told| **told == funded(3)).count();
    let again = told.iter().filter(|told| **told == replayed(3)).count();
    assert_eq!((first, again), (1, RACERS as usize - 1), "{told:?}");
    assert_eq!((bench.balance("alice").await, moved(&bench).await), (3, (3, 1)));
}

async fn racing_fundings_of_one_key_for_many_users_move_once(bench: Bench) {
    let racer = |number| {
        let bench = bench.clone();
        async move { keyed(&bench, &format!("user {number}"), 3, "key").await }
    };
    let told = race(racer).await;
    let first = told.iter().filter(|told| **told == funded(3)).count();
    let reused = told.iter().filter(|told| **told == Funded::KeyReused).count();
    assert_eq!((first, reused), (1, RACERS as usize - 1), "{told:?}");
    assert_eq!(moved(&bench).await, (3, 1));
}
