//! Shares that are taken as they should be.

use super::*;

checks! { Bench of Ledger:
    claims_commit_in_order,
    a_claim_raises_the_version_and_leaves_the_rest,
    the_last_share_finishes_the_packet,
    a_packet_of_one_share_goes_to_one_user,
    all_shares_may_be_claimed_at_once,
    a_claim_may_come_until_the_last_millisecond,
    loading_gives_the_claims_of_those_who_were_asked_for,
    claims_are_read_in_pages,
    a_stale_claim_tells_what_stands_and_moves_nothing,
    a_claim_repeated_after_a_lost_reply_finds_itself,
    claiming_does_not_credit_wallets_yet,
    the_whole_of_the_largest_packet_can_be_claimed,
}

async fn claims_commit_in_order(bench: Bench) {
    let key = bench.sent(1, 100, 4).await;
    let version = bench.standing(&key).await.version;
    let committed = bench.claim(&key, version, &[("bob", 10), ("carol", 20)], 5).await;
    assert_eq!(committed, Claimed::Committed(1));
    assert_eq!(bench.take(&key, &[("alice", 30)]).await, 3, "the sequence goes on");
    let at_five = |line| Claim { claimed_at_ms: START + 5, ..line };
    let expected = [at_five(claim("bob", 10, 1)), at_five(claim("carol", 20, 2)), claim("alice", 30, 3)];
    assert_eq!(bench.claims(&key).await, expected);
}

async fn a_claim_raises_the_version_and_leaves_the_rest(bench: Bench) {
    let key = bench.sent(1, 100, 4).await;
    let before = bench.standing(&key).await;
    bench.take(&key, &[("bob", 10), ("carol", 20)]).await;
    let after = bench.standing(&key).await;
    assert!(after.version > before.version, "{} is above {}", after.version, before.version);
    let (claimed_amount, version) = (amount(30), after.version);
    assert_eq!(after, Packet { claimed_amount, claimed_shares: 2, version, ..before });
    assert_eq!(after.remaining(), amount(70));
    let audit = bench.audit().await;
    assert_eq!((audit.claimed, audit.remaining, audit.unsettled, audit.claims), (30, 70, 30, 2));
}

async fn the_last_share_finishes_the_packet(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.take(&key, &[("bob", 10), ("carol", 20)]).await;
    assert_eq!(bench.standing(&key).await.status, Status::Open);
    bench.take(&key, &[("dave", 70)]).await;
    let standing = bench.standing(&key).await;
    assert_eq!((standing.status, standing.remaining()), (Status::Finished, Amount::ZERO));
}

async fn a_packet_of_one_share_goes_to_one_user(bench: Bench) {
    let key = bench.sent(1, 1, 1).await;
    assert_eq!(bench.take(&key, &[("bob", 1)]).await, 1);
    assert_eq!(bench.standing(&key).await.status, Status::Finished);
}

async fn all_shares_may_be_claimed_at_once(bench: Bench) {
    let key = bench.sent(1, 4, 3).await;
    assert_eq!(bench.take(&key, &[("bob", 1), ("carol", 2), ("dave", 1)]).await, 1);
    assert_eq!(bench.standing(&key).await.status, Status::Finished);
}

async fn a_claim_may_come_until_the_last_millisecond(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    let version = bench.standing(&key).await.version;
    assert_eq!(bench.claim(&key, version, &[("bob", 10)], LIFE - 1).await, Claimed::Committed(1));
}

async fn loading_gives_the_claims_of_those_who_were_asked_for(bench: Bench) {
    let key = bench.sent(1, 100, 5).await;
    bench.take(&key, &[("bob", 10), ("carol", 20), ("dave", 30)]).await;
    let loaded = bench.loaded(&key, &["dave", "nobody", "bob"]).await;
    assert_eq!(loaded.claims, [claim("bob", 10, 1), claim("dave", 30, 3)], "in the order of claiming");
    assert_eq!(loaded.packet.claimed_shares, 3);
    assert_eq!(bench.loaded(&key, &[]).await.claims, []);
    assert_eq!(bench.loaded(&key, &["nobody"]).await.claims, []);
    assert_eq!(bench.loaded(&key, &["bob", "bob"]).await.claims, [claim("bob", 10, 1)], "each claim once");
}

async fn claims_are_read_in_pages(bench: Bench) {
    let key = bench.sent(1, 100, 5).await;
    bench.sent(2, 100, 5).await;
    bench.take(&bench.packet(2), &[("erin", 1)]).await;
    bench.take(&key, &[("dave", 10), ("carol", 20), ("bob", 30)]).await;
    let all = [claim("dave", 10, 1), claim("carol", 20, 2), claim("bob", 30, 3)];
    let [dave, carol, bob] = all.clone();
    let pages = [
        ((0, u32::MAX), all.to_vec()),
        ((0, 2), vec![dave, carol.clone()]),
        ((1, 1), vec![carol]),
        ((2, 2), vec![bob]),
        ((3, 2), vec![]),
        ((u32::MAX, u32::MAX), vec![]),
        ((0, 0), vec![]),
    ];
    for ((cursor, limit), expected) in pages {
        let page = bench.ledger.claims(&key, cursor, limit).await.expect("claims answers");
        assert_eq!(page, expected, "after {cursor}, at most {limit}");
    }
}

async fn a_stale_claim_tells_what_stands_and_moves_nothing(bench: Bench) {
    let key = bench.sent(1, 100, 5).await;
    let first = bench.standing(&key).await.version;
    bench.take(&key, &[("bob", 10), ("carol", 20)]).await;
    let (present, audit) = (bench.standing(&key).await, bench.audit().await);
    for version in [first, present.version + 1, 0, u64::MAX >> 1] {
        let shares = [("dave", 10), ("carol", 5)];
        let stale = Loaded { packet: present.clone(), claims: vec![claim("carol", 20, 2)] };
        assert_eq!(bench.claim(&key, version, &shares, 0).await, Claimed::Stale(stale), "at {version}");
    }
    assert_eq!(bench.standing(&key).await, present);
    assert_eq!(bench.audit().await, audit);
}

async fn a_claim_repeated_after_a_lost_reply_finds_itself(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    let version = bench.standing(&key).await.version;
    assert_eq!(bench.claim(&key, version, &[("bob", 60), ("carol", 40)], 0).await, Claimed::Committed(1));
    let audit = bench.audit().await;
    let again = bench.claim(&key, version, &[("bob", 60), ("carol", 40)], 0).await;
    let expected = Loaded {
        packet: bench.standing(&key).await,
        claims: vec![claim("bob", 60, 1), claim("carol", 40, 2)],
    };
    assert_eq!(again, Claimed::Stale(expected), "the users see their claims, though the packet is finished");
    assert_eq!(bench.audit().await, audit);
}

async fn claiming_does_not_credit_wallets_yet(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    bench.take(&key, &[("bob", 60)]).await;
    assert_eq!(bench.balance("bob").await, 0);
    assert_eq!(bench.audit().await.escrow, 100, "it is settled later");
}

async fn the_whole_of_the_largest_packet_can_be_claimed(bench: Bench) {
    let largest = Amount::MAX.get();
    let key = bench.sent(1, largest, 2).await;
    bench.take(&key, &[("bob", largest - 1), ("carol", 1)]).await;
    assert_eq!(bench.settle(10).await.len(), 2);
    assert_eq!((bench.balance("bob").await, bench.balance("carol").await), (largest - 1, 1));
}
