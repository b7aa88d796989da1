//! Claims that reach their owners' wallets.

use super::*;

checks! { Bench of Ledger:
    settling_credits_each_claim_once,
    large_claims_are_settled_first_and_then_in_order,
    a_large_claim_that_comes_later_still_goes_first,
    no_more_claims_are_settled_than_asked_for,
    claims_of_every_tenant_are_settled,
    settling_moves_money_from_escrow_to_wallets,
    a_claim_that_no_wallet_can_hold_is_parked_and_reported,
    a_parked_claim_does_not_stand_in_the_way,
    a_parked_claim_stays_parked_and_conserved,
}

/// Claims with priorities, at the present version.
async fn take(bench: &Bench, key: &PacketKey, shares: &[(&str, u64, Priority)]) {
    let version = bench.standing(key).await.version;
    let wanted = shares.iter().map(|(name, minor, priority)| share(name, *minor, *priority)).collect();
    let claimed = bench.ledger.claim(key, version, wanted, START).await.expect("claim answers");
    assert!(matches!(claimed, Claimed::Committed(_)), "{claimed:?}");
}

fn settled(key: &PacketKey, name: &str, minor: u64, priority: Priority) -> Settled {
    Settled { key: key.clone(), user: user(name), amount: amount(minor), priority }
}

fn names(settled: &[Settled]) -> Vec<&str> {
    settled.iter().map(|claim| claim.user.as_str()).collect()
}

async fn settling_credits_each_claim_once(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    take(&bench, &key, &[("bob", 10, Priority::Normal), ("carol", 20, Priority::Large)]).await;
    let expected = [settled(&key, "carol", 20, Priority::Large), settled(&key, "bob", 10, Priority::Normal)];
    assert_eq!(bench.settle(10).await, expected);
    assert_eq!(bench.settle(10).await, [], "asked again, there is nothing");
    assert_eq!((bench.balance("bob").await, bench.balance("carol").await), (10, 20));
    bench.take(&key, &[("bob's brother", 70)]).await;
    assert_eq!(bench.settle(10).await.len(), 1);
    assert_eq!((bench.balance("bob").await, bench.balance("carol").await), (10, 20));
}

async fn large_claims_are_settled_first_and_then_in_order(bench: Bench) {
    let (first, second) = (bench.sent(1, 100, 9).await, bench.sent(2, 100, 9).await);
    take(&bench, &second, &[("n1", 9, Priority::Normal), ("l1", 1, Priority::Large)]).await;
    take(&bench, &first, &[("n2", 1, Priority::Normal)]).await;
    take(&bench, &first, &[("l2", 9, Priority::Large), ("n3", 5, Priority::Normal)]).await;
    take(&bench, &second, &[("l3", 5, Priority::Large)]).await;
    let settled = bench.settle(10).await;
    assert_eq!(names(&settled), ["l1", "l2", "l3", "n1", "n2", "n3"]);
}

async fn a_large_claim_that_comes_later_still_goes_first(bench: Bench) {
    let key = bench.sent(1, 100, 9).await;
    take(&bench, &key, &[("n1", 1, Priority::Normal), ("n2", 1, Priority::Normal)]).await;
    assert_eq!(names(&bench.settle(1).await), ["n1"]);
    take(&bench, &key, &[("n3", 1, Priority::Normal), ("l1", 1, Priority::Large)]).await;
    assert_eq!(names(&bench.settle(10).await), ["l1", "n2", "n3"]);
}

async fn no_more_claims_are_settled_than_asked_for(bench: Bench) {
    let key = bench.sent(1, 100, 5).await;
    bench.take(&key, &[("a", 1), ("b", 2), ("c", 3), ("d", 4), ("e", 90)]).await;
    assert_eq!(bench.settle(0).await, []);
    assert_eq!(names(&bench.settle(2).await), ["a", "b"]);
    assert_eq!(bench.balance("c").await, 0);
    assert_eq!(bench.audit().await.unsettled, 97);
    assert_eq!(names(&bench.settle(u32::MAX).await), ["c", "d", "e"]);
}

async fn claims_of_every_tenant_are_settled(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    let (key, other) = (bench.sent(1, 100, 2).await, elsewhere.sent(1, 100, 2).await);
    elsewhere.take(&other, &[("bob", 7)]).await;
    bench.take(&key, &[("bob", 5)]).await;
    let normal = Priority::Normal;
    let expected = [settled(&other, "bob", 7, normal), settled(&key, "bob", 5, normal)];
    assert_eq!(bench.settle(10).await, expected);
    assert_eq!((bench.balance("bob").await, elsewhere.balance("bob").await), (5, 7));
}

async fn settling_moves_money_from_escrow_to_wallets(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.take(&key, &[("bob", 10), ("alice", 20)]).await;
    bench.settle(10).await;
    let expected = Audit {
        funded: 100,
        sent: 100,
        claimed: 30,
        remaining: 70,
        wallets: 30,
        escrow: 70,
        packets: 1,
        claims: 2,
        movements: 4,
        ..Audit::default()
    };
    assert_eq!(bench.audit().await, expected);
    assert_eq!(bench.balance("alice").await, 20, "a sender may win a share of their own");
}

/// Bob's wallet is full, and he claims 1 of alice's packet of 100, as the first of all.
async fn with_a_full_wallet(bench: &Bench) -> PacketKey {
    let key = bench.sent(1, 100, 3).await;
    bench.fund("bob", Amount::MAX.get()).await;
    take(bench, &key, &[("bob", 1, Priority::Large)]).await;
    key
}

async fn a_claim_that_no_wallet_can_hold_is_parked_and_reported(bench: Bench) {
    with_a_full_wallet(&bench).await;
    assert_eq!(bench.discrepancies().await, [], "nothing is wrong before anybody tries");
    assert_eq!(bench.settle(10).await, []);
    assert_eq!(bench.balance("bob").await, Amount::MAX.get());
    let found = bench.discrepancies().await;
    let told: Vec<_> = found.iter().map(|found| (found.rule, found.expected, found.found)).collect();
    assert_eq!(told, [(PARKED, 1, 0)]);
    assert!(found.iter().all(|found| found.subject.contains("bob")), "whose it is: {found:?}");
    assert_eq!(bench.of("elsewhere").discrepancies().await, [], "no other tenant is told");
}

async fn a_parked_claim_does_not_stand_in_the_way(bench: Bench) {
    let key = with_a_full_wallet(&bench).await;
    bench.take(&key, &[("carol", 2), ("dave", 97)]).await;
    assert_eq!(names(&bench.settle(1).await), ["carol"], "a parked claim does not count as settled");
    assert_eq!(names(&bench.settle(1).await), ["dave"]);
    assert_eq!(bench.settle(1).await, []);
    assert_eq!((bench.balance("carol").await, bench.balance("dave").await), (2, 97));
}

async fn a_parked_claim_stays_parked_and_conserved(bench: Bench) {
    let key = with_a_full_wallet(&bench).await;
    for _ in 0..3 {
        assert_eq!(bench.settle(10).await, []);
    }
    assert_eq!(bench.discrepancies().await.len(), 1, "told once, however often it was tried");
    bench.expire(&key, 99).await;
    let audit = bench.audit().await;
    assert_eq!((audit.unsettled, audit.escrow), (1, 1), "its money waits in escrow");
    assert_eq!(bench.claims(&key).await, [claim("bob", 1, 1)], "and the claim stands");
}
