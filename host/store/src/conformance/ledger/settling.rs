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
    a_claim_that_fails_is_tried_again_later_and_not_before,
    a_failing_claim_does_not_stand_in_the_way,
    a_parked_claim_does_not_stand_in_the_way,
    a_parked_claim_stays_parked_and_conserved,
    a_parked_claim_that_is_put_back_is_settled,
    an_old_normal_claim_goes_before_a_large_one,
    the_backlog_is_counted_by_class,
    settlements_that_race_credit_each_claim_once,
}

/// Claims with priorities, at the present version.
async fn take(bench: &Bench, key: &PacketKey, shares: &[(&str, u64, Priority)]) {
    let version = bench.standing(key).await.version;
    let wanted = shares.iter().map(|(name, minor, priority)| share(name, *minor, *priority)).collect();
    let claimed = bench.packets.claim(key, version, wanted, START).await.expect("claim answers");
    assert!(matches!(claimed, Claimed::Committed(_)), "{claimed:?}");
}

fn settled(key: &PacketKey, name: &str, minor: u64, priority: Priority) -> Settled {
    Settled { key: key.clone(), user: user(name), amount: amount(minor), priority, claimed_at_ms: START }
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

/// Settles at each time that a failing claim is tried; gives the last of them.
async fn until_parked(bench: &Bench) -> u64 {
    let mut now = 0;
    for after in [0].into_iter().chain(RETRY_MS) {
        now += after;
        assert_eq!(bench.settle_at(10, now).await, [], "nothing is credited after {now} ms");
    }
    now
}

async fn a_claim_that_no_wallet_can_hold_is_parked_and_reported(bench: Bench) {
    let key = with_a_full_wallet(&bench).await;
    assert_eq!(bench.discrepancies().await, [], "nothing is wrong before anybody tries");
    until_parked(&bench).await;
    assert_eq!(bench.balance("bob").await, Amount::MAX.get());
    let found = bench.discrepancies().await;
    let told: Vec<_> = found.iter().map(|found| (found.rule, found.expected, found.found)).collect();
    assert_eq!(told, [(PARKED, 1, 0)]);
    assert!(found.iter().all(|found| found.subject.contains("bob")), "whose it is: {found:?}");
    assert_eq!(bench.of("elsewhere").discrepancies().await, [], "no other tenant is told");
    let parked = bench.ledger.parked(10).await.expect("parked answers");
    let claim = settled(&key, "bob", 1, Priority::Large);
    assert_eq!(parked, [Parked { claim, attempts: RETRY_MS.len() as u32 + 1 }]);
    assert_eq!(bench.ledger.parked(0).await.expect("parked answers"), []);
}

async fn a_claim_that_fails_is_tried_again_later_and_not_before(bench: Bench) {
    with_a_full_wallet(&bench).await;
    assert_eq!(bench.settle_at(10, 0).await, []);
    bench.spend("bob", 2, Amount::MAX.get()).await;
    assert_eq!(bench.settle_at(10, RETRY_MS[0] - 1).await, [], "its time has not come");
    assert_eq!(names(&bench.settle_at(10, RETRY_MS[0]).await), ["bob"]);
    assert_eq!(bench.balance("bob").await, 1);
}

async fn a_parked_claim_does_not_stand_in_the_way(bench: Bench) {
    let key = with_a_full_wallet(&bench).await;
    let last = until_parked(&bench).await;
    bench.take(&key, &[("carol", 2), ("dave", 97)]).await;
    assert_eq!(names(&bench.settle_at(1, last).await), ["carol"], "a parked claim does not count as settled");
    assert_eq!(names(&bench.settle_at(1, last).await), ["dave"]);
    assert_eq!(bench.settle_at(1, u64::MAX >> 2).await, []);
    assert_eq!((bench.balance("carol").await, bench.balance("dave").await), (2, 97));
}

async fn a_failing_claim_does_not_stand_in_the_way(bench: Bench) {
    let key = with_a_full_wallet(&bench).await;
    bench.take(&key, &[("carol", 2), ("dave", 97)]).await;
    assert_eq!(names(&bench.settle(1).await), ["carol"], "what fails makes room for the next");
    assert_eq!(names(&bench.settle(1).await), ["dave"]);
    assert_eq!(bench.settle(1).await, []);
}

async fn a_parked_claim_stays_parked_and_conserved(bench: Bench) {
    let key = with_a_full_wallet(&bench).await;
    let last = until_parked(&bench).await;
    for _ in 0..3 {
        assert_eq!(bench.settle_at(10, last).await, []);
    }
    assert_eq!(bench.discrepancies().await.len(), 1, "told once, however often it was tried");
    bench.expire(&key, 99).await;
    let audit = bench.audit().await;
    assert_eq!((audit.unsettled, audit.escrow), (1, 1), "its money waits in escrow");
    assert_eq!(bench.claims(&key).await, [claim("bob", 1, 1)], "and the claim stands");
}

async fn a_parked_claim_that_is_put_back_is_settled(bench: Bench) {
    with_a_full_wallet(&bench).await;
    let last = until_parked(&bench).await;
    bench.spend("bob", 2, Amount::MAX.get()).await;
    assert_eq!(bench.settle_at(10, last).await, [], "it waits for a person");
    assert_eq!(bench.ledger.unpark().await.expect("unpark answers"), 1);
    assert_eq!(bench.ledger.unpark().await.expect("unpark answers"), 0);
    assert_eq!(names(&bench.settle_at(10, last).await), ["bob"]);
    assert_eq!(bench.discrepancies().await, []);
}

async fn an_old_normal_claim_goes_before_a_large_one(bench: Bench) {
    let key = bench.sent(1, 100, 9).await;
    for (name, priority, at) in [
        ("old", Priority::Normal, 0),
        ("younger", Priority::Normal, 1),
        ("large", Priority::Large, LARGE_HEAD_START_MS),
    ] {
        let version = bench.standing(&key).await.version;
        let wanted = vec![share(name, 1, priority)];
        let claimed = bench.packets.claim(&key, version, wanted, START + at).await.expect("claim answers");
        assert!(matches!(claimed, Claimed::Committed(_)), "{claimed:?}");
    }
    assert_eq!(names(&bench.settle(10).await), ["old", "large", "younger"]);
}

async fn the_backlog_is_counted_by_class(bench: Bench) {
    let key = bench.sent(1, 100, 9).await;
    assert_eq!(bench.backlog().await, Backlog::default());
    take(&bench, &key, &[("a", 1, Priority::Normal), ("b", 1, Priority::Large)]).await;
    let version = bench.standing(&key).await.version;
    bench.claim(&key, version, &[("c", 1), ("d", 1)], 7).await;
    let large = Queue { claims: 1, oldest_ms: Some(START) };
    let normal = Queue { claims: 3, oldest_ms: Some(START) };
    assert_eq!(bench.backlog().await, Backlog { large, normal, ..Backlog::default() });
    bench.settle(2).await;
    let normal = Queue { claims: 2, oldest_ms: Some(START + 7) };
    assert_eq!(bench.backlog().await, Backlog { normal, ..Backlog::default() });
    bench.settle(2).await;
    bench.fund("bob", Amount::MAX.get()).await;
    bench.take(&key, &[("bob", 1)]).await;
    until_parked(&bench).await;
    assert_eq!(bench.backlog().await, Backlog { parked: 1, ..Backlog::default() });
}

async fn settlements_that_race_credit_each_claim_once(bench: Bench) {
    let key = bench.sent(1, 1000, 60).await;
    let everybody: Vec<String> = (0..50).map(|number| format!("user {number}")).collect();
    let wanted: Vec<_> = everybody.iter().map(|name| (name.as_str(), 3)).collect();
    bench.take(&key, &wanted).await;
    let racer = |_| {
        let bench = bench.clone();
        async move {
            let mut settled = Vec::new();
            loop {
                let batch = bench.settle(7).await;
                if batch.is_empty() && bench.backlog().await.normal.claims == 0 {
                    break settled;
                }
                settled.extend(batch.into_iter().map(|claim| claim.user.into_string()));
            }
        }
    };
    let mut settled = race(racer).await.concat();
    settled.sort_unstable();
    let mut expected = everybody.clone();
    expected.sort_unstable();
    assert_eq!(settled, expected);
    for name in &everybody {
        assert_eq!(bench.balance(name).await, 3, "{name} is credited once");
    }
}
