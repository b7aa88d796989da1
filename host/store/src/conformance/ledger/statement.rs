//! The statement of a wallet: every movement of it, the latest first.

use super::*;
use crate::Entry;
use hongbao_domain::MovementKind;

checks! { Bench of Ledger:
    every_movement_of_a_wallet_is_an_entry,
    the_entries_of_a_wallet_sum_to_its_balance,
    a_statement_is_walked_through_without_gaps,
    a_wallet_that_never_was_has_an_empty_statement,
    statements_of_others_and_of_elsewhere_are_apart,
    racing_movements_are_each_an_entry,
}

async fn page(bench: &Bench, name: &str, before: Option<u64>, limit: u32) -> Vec<Entry> {
    bench.ledger.statement(&bench.tenant, &user(name), before, limit).await.expect("statement answers")
}

/// The whole statement, which must be in its order and sum to the balance.
async fn all(bench: &Bench, name: &str) -> Vec<Entry> {
    let all = page(bench, name, None, u32::MAX).await;
    assert!(all.is_sorted_by(|later, earlier| later.id > earlier.id), "the latest first: {all:?}");
    let sum: i64 = all.iter().map(|entry| entry.amount).sum();
    assert_eq!(sum.cast_unsigned(), bench.balance(name).await, "the entries of {name}: {all:?}");
    all
}

/// What entries tell but for their places in the books, which are each backend's own.
fn lines(entries: &[Entry]) -> Vec<(MovementKind, Option<PacketId>, i64, u64)> {
    entries.iter().map(|entry| (entry.kind, entry.packet, entry.amount, entry.at_ms - START)).collect()
}

async fn every_movement_of_a_wallet_is_an_entry(bench: Bench) {
    let (first, second) = (bench.sent(1, 100, 3).await, bench.sent(2, 50, 5).await);
    bench.take(&first, &[("bob", 10), ("alice", 20)]).await;
    assert_eq!(all(&bench, "bob").await, [], "what is claimed is not in the wallet yet");
    bench.settle_at(10, 7).await;
    bench.expire(&second, 50).await;
    let (one, two) = (Some(first.packet), Some(second.packet));
    let expected = [
        (MovementKind::Refund, two, 50, LIFE),
        (MovementKind::Settle, one, 20, 7),
        (MovementKind::Send, two, -50, 0),
        (MovementKind::Fund, None, 50, 0),
        (MovementKind::Send, one, -100, 0),
        (MovementKind::Fund, None, 100, 0),
    ];
    assert_eq!(lines(&all(&bench, "alice").await), expected);
    assert_eq!(lines(&all(&bench, "bob").await), [(MovementKind::Settle, one, 10, 7)]);
}

async fn the_entries_of_a_wallet_sum_to_its_balance(bench: Bench) {
    let names = ["alice", "bob", "carol", "dave"];
    for number in 1..=6 {
        let key = bench.sent(number, 100, 4).await;
        bench.take(&key, &[("bob", 10 + number), ("carol", 20)]).await;
        if number % 2 == 0 {
            bench.take(&key, &[("dave", 3), ("alice", 67 - number)]).await;
        }
        bench.try_fund("bob", amount(5), Some("gift")).await.expect("fund answers");
        bench.settle(2).await;
        for name in names {
            all(&bench, name).await;
        }
    }
    bench.spend("bob", 9, 20).await;
    bench.expire(&bench.packet(3), 67).await;
    bench.settle(100).await;
    let mut counted = 0;
    for name in names {
        counted += all(&bench, name).await.len() as u64;
    }
    assert_eq!(counted, bench.audit().await.movements, "every movement is on one statement");
    let gifts = all(&bench, "bob").await.iter().filter(|entry| entry.kind == MovementKind::Fund).count();
    assert_eq!(gifts, 1, "a replayed funding is no entry");
}

async fn a_statement_is_walked_through_without_gaps(bench: Bench) {
    // All at the same time, and in every part of a store which is divided.
    for number in 1..=12 {
        let key = bench.sent(number, 10, 2).await;
        bench.take(&key, &[("alice", 4), ("bob", 6)]).await;
        bench.settle(10).await;
    }
    let whole = all(&bench, "alice").await;
    assert_eq!(whole.len(), 36);
    for limit in [1, 5, 36, 37] {
        let mut found: Vec<Entry> = Vec::new();
        loop {
            let next = page(&bench, "alice", found.last().map(|entry| entry.id), limit).await;
            assert!(next.len() <= limit as usize, "{} where {limit} were asked for", next.len());
            if next.is_empty() {
                break;
            }
            found.extend(next);
        }
        assert_eq!(found, whole, "{limit} at once");
    }
    assert_eq!(page(&bench, "alice", None, 0).await, []);
    assert_eq!(page(&bench, "alice", Some(0), 10).await, []);
    assert_eq!(page(&bench, "alice", Some(u64::MAX), 36).await, whole);
}

async fn a_wallet_that_never_was_has_an_empty_statement(bench: Bench) {
    bench.fund("alice", 1).await;
    assert_eq!(page(&bench, "nobody", None, 10).await, []);
    assert_eq!(page(&bench.of("elsewhere"), "alice", None, 10).await, []);
}

async fn statements_of_others_and_of_elsewhere_are_apart(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    let names = ["bob", "bo", "bob ", "BOB", "b%", "_ob", "鲍勃"];
    for (minor, name) in (1..).zip(names) {
        bench.fund(name, minor).await;
        elsewhere.fund(name, 100 + minor).await;
    }
    for (minor, name) in (1..).zip(names) {
        assert_eq!(lines(&all(&bench, name).await), [(MovementKind::Fund, None, minor, 0)], "{name}");
        assert_eq!(
            lines(&all(&elsewhere, name).await),
            [(MovementKind::Fund, None, 100 + minor, 0)],
            "{name}"
        );
    }
}

async fn racing_movements_are_each_an_entry(bench: Bench) {
    let key = bench.sent(1, 1000, 60).await;
    let takers: Vec<String> = (0..20).map(|number| format!("user {number}")).collect();
    let wanted: Vec<_> = takers.iter().map(|name| (name.as_str(), 3)).collect();
    bench.take(&key, &wanted).await;
    let racer = |number: u32| {
        let bench = bench.clone();
        async move {
            bench.settle(2).await;
            bench.fund("alice", 5).await;
            bench
                .try_fund("alice", amount(7), Some(&format!("key {}", number / 4)))
                .await
                .expect("fund answers");
        }
    };
    race(racer).await;
    bench.settle(u32::MAX).await;
    let racers = RACERS as usize;
    assert_eq!(all(&bench, "alice").await.len(), 2 + racers + racers / 4);
    for name in &takers {
        assert_eq!(lines(&all(&bench, name).await), [(MovementKind::Settle, Some(key.packet), 3, 0)]);
    }
}
