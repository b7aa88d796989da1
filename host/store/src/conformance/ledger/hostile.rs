//! Claims that a plugin should never make. The ledger refuses each by itself, whole, and
//! nothing moves.

use super::*;

checks! { Bench of Ledger:
    more_than_is_left_is_refused,
    too_little_for_the_others_is_refused,
    a_last_share_of_less_than_the_rest_is_refused,
    a_last_share_of_more_than_the_rest_is_refused,
    an_amount_of_nothing_is_refused,
    no_shares_at_all_are_refused,
    more_shares_than_are_left_are_refused,
    the_same_user_twice_in_a_claim_is_refused,
    a_second_claim_of_a_user_is_refused,
    a_user_outside_an_exclusive_audience_is_refused,
    a_sender_who_may_not_claim_is_refused,
    one_wrong_share_refuses_the_whole_claim,
    a_finished_packet_takes_no_claim,
    a_packet_at_the_end_of_its_time_takes_no_claim,
    a_refunded_packet_takes_no_claim,
    amounts_near_the_largest_do_not_wrap_around,
    a_packet_of_another_tenant_is_not_found,
}

async fn more_than_is_left_is_refused(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.refuses(&key, &[("bob", 101)], Refusal::TooMuch).await;
    bench.refuses(&key, &[("bob", 60), ("carol", 60)], Refusal::TooMuch).await;
    bench.take(&key, &[("dave", 90)]).await;
    bench.refuses(&key, &[("bob", 11)], Refusal::TooMuch).await;
}

async fn too_little_for_the_others_is_refused(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.refuses(&key, &[("bob", 100)], Refusal::TooMuch).await;
    bench.refuses(&key, &[("bob", 99)], Refusal::TooMuch).await;
    bench.refuses(&key, &[("bob", 50), ("carol", 50)], Refusal::TooMuch).await;
    bench.take(&key, &[("bob", 98)]).await;
    bench.take(&key, &[("carol", 1), ("dave", 1)]).await;
}

async fn a_last_share_of_less_than_the_rest_is_refused(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    bench.refuses(&key, &[("bob", 50), ("carol", 49)], Refusal::Remainder).await;
    bench.take(&key, &[("bob", 40)]).await;
    bench.refuses(&key, &[("carol", 1)], Refusal::Remainder).await;
    bench.refuses(&key, &[("carol", 59)], Refusal::Remainder).await;
    bench.take(&key, &[("carol", 60)]).await;
}

async fn a_last_share_of_more_than_the_rest_is_refused(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    bench.refuses(&key, &[("bob", 50), ("carol", 51)], Refusal::TooMuch).await;
    bench.take(&key, &[("bob", 40)]).await;
    bench.refuses(&key, &[("carol", 61)], Refusal::TooMuch).await;
}

async fn an_amount_of_nothing_is_refused(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.refuses(&key, &[("bob", 0)], Refusal::ZeroAmount).await;
    bench.refuses(&key, &[("bob", 10), ("carol", 0)], Refusal::ZeroAmount).await;
    bench.refuses(&key, &[("bob", 50), ("carol", 50), ("dave", 0)], Refusal::ZeroAmount).await;
}

async fn no_shares_at_all_are_refused(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.refuses(&key, &[], Refusal::WrongCount).await;
}

async fn more_shares_than_are_left_are_refused(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    bench.refuses(&key, &[("bob", 1), ("carol", 1), ("dave", 98)], Refusal::WrongCount).await;
    bench.take(&key, &[("erin", 10)]).await;
    bench.refuses(&key, &[("bob", 45), ("carol", 45)], Refusal::WrongCount).await;
}

async fn the_same_user_twice_in_a_claim_is_refused(bench: Bench) {
    let key = bench.sent(1, 100, 5).await;
    bench.refuses(&key, &[("bob", 10), ("bob", 10)], Refusal::Twice).await;
    bench.refuses(&key, &[("bob", 10), ("carol", 5), ("bob", 20)], Refusal::Twice).await;
}

async fn a_second_claim_of_a_user_is_refused(bench: Bench) {
    let key = bench.sent(1, 100, 5).await;
    bench.take(&key, &[("bob", 10)]).await;
    bench.refuses(&key, &[("bob", 10)], Refusal::Twice).await;
    bench.refuses(&key, &[("carol", 10), ("bob", 1)], Refusal::Twice).await;
    bench.settle(10).await;
    bench.refuses(&key, &[("bob", 10)], Refusal::Twice).await;
    let other = bench.sent(2, 100, 5).await;
    assert_eq!(bench.take(&other, &[("bob", 10)]).await, 1, "another packet is another matter");
}

async fn a_user_outside_an_exclusive_audience_is_refused(bench: Bench) {
    let audience = Audience::Only(users(&["bob", "carol"]).into());
    let key = bench.send(1, Order { audience, ..order("key", 100, 2) }).await;
    for outsider in ["dave", "alice", "bo", "bobby", "Bob"] {
        bench.refuses(&key, &[(outsider, 10)], Refusal::NotEligible).await;
    }
    bench.refuses(&key, &[("bob", 50), ("dave", 50)], Refusal::NotEligible).await;
    bench.take(&key, &[("carol", 50), ("bob", 50)]).await;
}

async fn a_sender_who_may_not_claim_is_refused(bench: Bench) {
    let audience = Audience::EveryoneBut(user("alice"));
    let key = bench.send(1, Order { audience, ..order("key", 100, 2) }).await;
    bench.refuses(&key, &[("alice", 10)], Refusal::NotEligible).await;
    bench.refuses(&key, &[("bob", 10), ("alice", 90)], Refusal::NotEligible).await;
    bench.take(&key, &[("bob", 10)]).await;
}

async fn one_wrong_share_refuses_the_whole_claim(bench: Bench) {
    let key = bench.sent(1, 100, 5).await;
    bench.take(&key, &[("bob", 10)]).await;
    bench.refuses(&key, &[("carol", 10), ("dave", 10), ("bob", 10)], Refusal::Twice).await;
    assert_eq!(bench.take(&key, &[("carol", 10), ("dave", 10)]).await, 2, "the others have no claim yet");
}

async fn a_finished_packet_takes_no_claim(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    bench.take(&key, &[("bob", 60), ("carol", 40)]).await;
    for minor in [0, 1, 40] {
        bench.refuses(&key, &[("dave", minor)], Refusal::WrongCount).await;
    }
}

async fn a_packet_at_the_end_of_its_time_takes_no_claim(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    for now in [LIFE, LIFE + 1, 10 * LIFE] {
        bench.answers(&key, &[("bob", 10)], now, Claimed::Closed).await;
    }
    assert_eq!(bench.claim(&key, 0, &[("bob", 10)], LIFE).await, Claimed::Closed, "at any version");
    bench.take(&key, &[("carol", 10)]).await;
    bench.answers(&key, &[("bob", 90)], LIFE, Claimed::Closed).await;
}

async fn a_refunded_packet_takes_no_claim(bench: Bench) {
    let key = bench.sent(1, 100, 2).await;
    bench.take(&key, &[("carol", 10)]).await;
    bench.expire(&key, 90).await;
    // A host whose clock is behind still finds it closed.
    for now in [0, LIFE - 1, LIFE, 2 * LIFE] {
        bench.answers(&key, &[("bob", 90)], now, Claimed::Closed).await;
    }
}

async fn amounts_near_the_largest_do_not_wrap_around(bench: Bench) {
    let largest = Amount::MAX.get();
    let small = bench.sent(1, 100, 3).await;
    bench.refuses(&small, &[("bob", largest), ("carol", largest)], Refusal::TooMuch).await;
    let filling = [("bob", largest), ("carol", largest), ("dave", 102)];
    bench.refuses(&small, &filling, Refusal::TooMuch).await;
    let large = bench.send(2, Order { sender: user("zoe"), ..order("key", largest, 3) }).await;
    bench.refuses(&large, &[("bob", largest)], Refusal::TooMuch).await;
    bench.refuses(&large, &[("bob", largest - 1)], Refusal::TooMuch).await;
    bench.refuses(&large, &[("bob", largest), ("carol", 1)], Refusal::TooMuch).await;
    bench.refuses(&large, &[("bob", largest), ("carol", largest), ("dave", 2)], Refusal::TooMuch).await;
    bench.take(&large, &[("bob", largest - 2)]).await;
    bench.refuses(&large, &[("carol", largest)], Refusal::TooMuch).await;
    bench.take(&large, &[("carol", 1), ("dave", 1)]).await;
}

async fn a_packet_of_another_tenant_is_not_found(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    let key = bench.sent(1, 100, 2).await;
    bench.take(&key, &[("bob", 10)]).await;
    let (audit, version) = (bench.audit().await, bench.standing(&key).await.version);
    let stolen = elsewhere.packet(1);
    assert_eq!(elsewhere.load(&stolen, &["bob"]).await, None);
    assert_eq!(elsewhere.claims(&stolen).await, []);
    let claimed = elsewhere.claim(&stolen, version, &[("mallory", 90)], 0).await;
    assert_eq!(claimed, Claimed::Refused(Refusal::NotFound));
    assert_eq!(elsewhere.close(&stolen, version, LIFE).await, Closed::NotFound);
    assert_eq!(bench.audit().await, audit);
    assert_eq!(bench.standing(&key).await.version, version);
    assert_eq!(elsewhere.audit().await, Audit::default());
}
