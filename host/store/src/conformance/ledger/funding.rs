//! Money that comes in from outside.

use super::*;

checks! { Bench of Ledger:
    funding_adds_to_the_wallet_and_tells_its_balance,
    a_wallet_that_never_was_holds_nothing,
    funding_nothing_is_refused,
    funding_past_the_largest_amount_is_refused,
    wallets_may_hold_more_together_than_one_may,
    a_wallet_belongs_to_one_tenant,
    a_tenant_without_any_books_has_empty_ones,
}

async fn funding_adds_to_the_wallet_and_tells_its_balance(bench: Bench) {
    assert_eq!(bench.fund("alice", 10).await, 10);
    assert_eq!(bench.fund("alice", 5).await, 15);
    assert_eq!(bench.fund("bob", 1).await, 1);
    assert_eq!((bench.balance("alice").await, bench.balance("bob").await), (15, 1));
    let expected = Audit { funded: 16, wallets: 16, movements: 3, ..Audit::default() };
    assert_eq!(bench.audit().await, expected);
}

async fn a_wallet_that_never_was_holds_nothing(bench: Bench) {
    assert_eq!(bench.balance("nobody").await, 0);
}

/// Funds, which must be refused without any effect.
async fn refuses(bench: &Bench, name: &str, minor: u64) {
    let (balance, audit) = (bench.balance(name).await, bench.audit().await);
    let refused = bench.try_fund(name, amount(minor), None).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "funding {minor} is refused, not {refused:?}");
    assert_eq!(bench.balance(name).await, balance);
    assert_eq!(bench.audit().await, audit);
}

async fn funding_nothing_is_refused(bench: Bench) {
    refuses(&bench, "alice", 0).await;
    bench.fund("alice", 10).await;
    refuses(&bench, "alice", 0).await;
}

async fn funding_past_the_largest_amount_is_refused(bench: Bench) {
    let largest = Amount::MAX.get();
    bench.fund("alice", 2).await;
    refuses(&bench, "alice", largest).await;
    refuses(&bench, "alice", largest - 1).await;
    assert_eq!(bench.fund("alice", largest - 2).await, largest, "up to the largest it may grow");
    refuses(&bench, "alice", 1).await;
}

async fn wallets_may_hold_more_together_than_one_may(bench: Bench) {
    let largest = Amount::MAX.get();
    for name in ["alice", "bob", "carol"] {
        assert_eq!(bench.fund(name, largest).await, largest);
    }
    let audit = bench.audit().await;
    let together = 3 * i128::from(largest);
    assert_eq!((audit.funded, audit.wallets), (together, together), "sums are wider than amounts");
}

async fn a_wallet_belongs_to_one_tenant(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    bench.fund("alice", 10).await;
    assert_eq!(elsewhere.balance("alice").await, 0);
    elsewhere.fund("alice", 3).await;
    assert_eq!((bench.balance("alice").await, elsewhere.balance("alice").await), (10, 3));
    assert_eq!((bench.audit().await.funded, elsewhere.audit().await.funded), (10, 3));
}

async fn a_tenant_without_any_books_has_empty_ones(bench: Bench) {
    assert_eq!(bench.audit().await, Audit::default());
    assert_eq!(bench.discrepancies().await, []);
    assert_eq!(bench.settle(10).await, []);
}
