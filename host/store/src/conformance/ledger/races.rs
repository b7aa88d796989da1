//! Many callers at once.

use std::collections::BTreeSet;

use super::*;

checks! { Bench of Ledger:
    racing_claimers_never_exceed_the_packet,
    one_user_racing_against_itself_has_one_claim,
    the_same_order_racing_is_recorded_once,
    one_wallet_racing_is_never_overdrawn,
    racing_closes_refund_once,
    a_claim_and_the_close_do_not_both_get_the_money,
    racing_settlers_credit_each_claim_once,
    racing_fundings_are_all_counted,
}

/// Claims one share for a user, by versions, with the smallest amount that the rules allow.
/// False when the packet is over or the user has a claim already.
async fn open(bench: &Bench, key: &PacketKey, name: &str, now: u64) -> bool {
    loop {
        let Loaded { packet, claims } = bench.loaded(key, &[name]).await;
        if packet.status != Status::Open || !claims.is_empty() {
            return false;
        }
        let is_last = packet.order.shares - packet.claimed_shares == 1;
        let minor = if is_last { packet.remaining().get() } else { 1 };
        match bench.claim(key, packet.version, &[(name, minor)], now).await {
            Claimed::Committed(_) => return true,
            Claimed::Stale(_) => {}
            Claimed::Closed => return false,
            Claimed::Refused(refusal) => panic!("a claim by the rules is not refused: {refusal:?}"),
        }
    }
}

async fn racing_claimers_never_exceed_the_packet(bench: Bench) {
    const SHARES: u32 = 40;
    let key = bench.sent(1, 1000, SHARES).await;
    let racer = |racer| {
        let (bench, key) = (bench.clone(), key.clone());
        async move {
            let mut won = 0;
            for turn in 0..5 {
                won += u32::from(open(&bench, &key, &format!("racer {racer} {turn}"), 0).await);
            }
            won
        }
    };
    let won: u32 = race(racer).await.into_iter().sum();
    assert_eq!(won, SHARES, "{RACERS} racers opened every share, and no more");
    let claims = bench.claims(&key).await;
    let sequences: Vec<u32> = claims.iter().map(|claim| claim.sequence).collect();
    assert_eq!(sequences, (1..=SHARES).collect::<Vec<_>>(), "without a gap or a twin");
    let sum: u128 = claims.iter().map(|claim| claim.amount).sum();
    assert_eq!(sum, 1000);
    assert_eq!(bench.standing(&key).await.status, Status::Finished);
}

async fn one_user_racing_against_itself_has_one_claim(bench: Bench) {
    let key = bench.sent(1, 1000, 40).await;
    let racer = |_| {
        let (bench, key) = (bench.clone(), key.clone());
        async move { open(&bench, &key, "bob", 0).await }
    };
    let won = race(racer).await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    assert_eq!(bench.claims(&key).await, [claim("bob", 1, 1)]);
}

async fn the_same_order_racing_is_recorded_once(bench: Bench) {
    bench.fund("alice", 1000).await;
    let racer = |number| {
        let bench = bench.clone();
        async move { bench.record(u64::from(number), order("key", 100, 3), 0).await }
    };
    let mut receipts = Vec::new();
    let mut recorded = 0;
    for answer in race(racer).await {
        match answer {
            Recorded::Recorded(receipt) => {
                recorded += 1;
                receipts.push(receipt);
            }
            Recorded::Replayed(receipt) => receipts.push(receipt),
            other => panic!("the same order is recorded or replayed, not {other:?}"),
        }
    }
    assert_eq!(recorded, 1);
    let ids: BTreeSet<PacketId> = receipts.iter().map(|receipt| receipt.id).collect();
    assert_eq!(ids.len(), 1, "all are told of the same packet");
    assert_eq!((bench.balance("alice").await, bench.audit().await.packets), (900, 1));
}

async fn one_wallet_racing_is_never_overdrawn(bench: Bench) {
    bench.fund("alice", 59).await;
    let racer = |number| {
        let bench = bench.clone();
        async move { bench.record(u64::from(number), order(&format!("key {number}"), 10, 3), 0).await }
    };
    let answers = race(racer).await;
    let recorded = answers.iter().filter(|answer| matches!(answer, Recorded::Recorded(_))).count();
    let refused = answers.iter().filter(|answer| **answer == Recorded::InsufficientFunds(amount(9))).count();
    assert_eq!((recorded, refused), (5, RACERS as usize - 5));
    assert_eq!(bench.balance("alice").await, 9);
}

async fn racing_closes_refund_once(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    let version = bench.standing(&key).await.version;
    let racer = |_| {
        let (bench, key) = (bench.clone(), key.clone());
        async move { bench.close(&key, version, LIFE).await }
    };
    let answers = race(racer).await;
    let count = |answer| answers.iter().filter(|found| **found == answer).count();
    let (refunded, already) = (count(Closed::Refunded(amount(100))), count(Closed::Already(amount(100))));
    assert_eq!((refunded, already), (1, RACERS as usize - 1));
    assert_eq!(bench.balance("alice").await, 100);
}

async fn a_claim_and_the_close_do_not_both_get_the_money(bench: Bench) {
    let key = bench.sent(1, 1000, 40).await;
    // Hosts whose clocks do not agree: half of them see the packet alive, half see its end.
    let racer = |number: u32| {
        let (bench, key) = (bench.clone(), key.clone());
        async move {
            if number.is_multiple_of(2) {
                open(&bench, &key, &format!("racer {number}"), LIFE - 1).await;
                return;
            }
            while let Closed::Stale = bench.close(&key, bench.standing(&key).await.version, LIFE).await {}
        }
    };
    race(racer).await;
    let standing = bench.standing(&key).await;
    let claimed: u128 = bench.claims(&key).await.iter().map(|claim| claim.amount).sum();
    assert_eq!(standing.status, Status::Expired);
    assert_eq!(claimed + u128::from(standing.refunded.get()), 1000);
    assert_eq!(bench.balance("alice").await, standing.refunded.get());
}

async fn racing_settlers_credit_each_claim_once(bench: Bench) {
    let key = bench.sent(1, 40, 40).await;
    let winners: Vec<String> = (0..40).map(|number| format!("winner {number:02}")).collect();
    let shares: Vec<(&str, u64)> = winners.iter().map(|name| (name.as_str(), 1)).collect();
    bench.take(&key, &shares).await;
    let racer = |_| {
        let bench = bench.clone();
        async move { [bench.settle(2).await, bench.settle(1).await].concat() }
    };
    let mut settled = race(racer).await.concat();
    // A settler may pass over what another one holds at that moment, so the rest comes now.
    settled.extend(bench.settle(u32::MAX).await);
    let mut names: Vec<&str> = settled.iter().map(|claim| claim.user.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, winners, "every claim is settled, and none twice");
    let audit = bench.audit().await;
    assert_eq!((audit.unsettled, audit.escrow, audit.wallets), (0, 0, 40));
}

async fn racing_fundings_are_all_counted(bench: Bench) {
    let racer = |_| {
        let bench = bench.clone();
        async move { bench.fund("alice", 3).await }
    };
    let balances: BTreeSet<u64> = race(racer).await.into_iter().collect();
    assert_eq!(balances.len(), RACERS as usize, "each is told another balance");
    assert_eq!(bench.balance("alice").await, u64::from(3 * RACERS));
}
