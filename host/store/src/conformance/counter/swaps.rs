//! Slots and seats, taken in one step or not at all.

use super::*;

checks! { Bench of Counter:
    a_swap_takes_a_slot_and_a_seat_for_each_user,
    holders_are_told_by_their_place_in_the_question,
    a_swap_of_nobody_changes_nothing,
    a_swap_at_another_version_is_stale,
    a_swap_with_a_user_who_holds_a_lease_is_stale,
    a_swap_with_a_user_who_has_opened_is_stale,
    a_swap_with_a_user_who_was_admitted_is_stale,
    a_swap_with_the_same_user_twice_is_stale,
    a_swap_of_more_users_than_slots_is_stale,
    a_swap_may_take_every_slot_and_then_none_is_left,
    every_change_of_the_slots_raises_the_version,
}

async fn a_swap_takes_a_slot_and_a_seat_for_each_user(bench: Bench) {
    let bench = bench.with_slots(5).await;
    let before = bench.view(&[], 0).await;
    assert_eq!(bench.swap(before.version, &["alice", "bob"], 0).await, Swapped::Won(3));
    let after = bench.view(&["alice", "bob", "carol"], 0).await;
    assert_eq!((after.slots, after.finished), (3, false));
    assert_eq!(after.holders, leased(&[0, 1]));
    let state = bench.state(0).await;
    assert_eq!((state.slots, state.leased), (3, 2));
    bench.adds_up(5, 0).await;
}

async fn holders_are_told_by_their_place_in_the_question(bench: Bench) {
    let bench = bench.with_slots(5).await;
    bench.take(&["alice", "bob"], 0).await;
    bench.confirm(&[("carol", 7)], 0).await;
    let mut expected = leased(&[1]);
    expected.extend(open_seats(&[(2, 7)]));
    expected.extend(leased(&[4]));
    assert_eq!(bench.holders(&["dave", "bob", "carol", "erin", "alice"], 0).await, expected);
    assert_eq!(bench.holders(&[], 0).await, []);
    assert_eq!(bench.holders(&["dave"], 0).await, []);
}

async fn a_swap_of_nobody_changes_nothing(bench: Bench) {
    let bench = bench.with_slots(2).await;
    let before = bench.view(&[], 0).await;
    assert_eq!(bench.swap(before.version, &[], 0).await, Swapped::Won(2));
    assert_eq!(bench.slots(0).await, 2);
}

async fn a_swap_at_another_version_is_stale(bench: Bench) {
    let bench = bench.with_slots(5).await;
    let first = bench.view(&[], 0).await.version;
    bench.take(&["alice"], 0).await;
    let present = bench.view(&[], 0).await.version;
    for version in [first, present + 1, present + 1000] {
        bench.refuses(version, &["bob"], 0).await;
    }
    bench.take(&["bob"], 0).await;
}

async fn a_swap_with_a_user_who_holds_a_lease_is_stale(bench: Bench) {
    let bench = bench.with_slots(5).await;
    bench.take(&["bob"], 0).await;
    let version = bench.view(&[], 0).await.version;
    for batch in [&["bob"][..], &["alice", "bob"], &["bob", "carol"], &["alice", "bob", "carol"]] {
        bench.refuses(version, batch, 0).await;
    }
    assert_eq!(bench.holders(&["alice", "bob", "carol"], 0).await, leased(&[1]));
}

async fn a_swap_with_a_user_who_has_opened_is_stale(bench: Bench) {
    let bench = bench.with_slots(5).await;
    bench.take(&["bob"], 0).await;
    bench.confirm(&[("bob", 5)], 0).await;
    let version = bench.view(&[], 2 * LEASE).await.version;
    bench.refuses(version, &["alice", "bob"], 2 * LEASE).await;
}

async fn a_swap_with_a_user_who_was_admitted_is_stale(bench: Bench) {
    let bench = bench.with_slots(5).await;
    bench.admit(&["bob"], 0).await;
    let version = bench.view(&[], 0).await.version;
    bench.refuses(version, &["alice", "bob"], 0).await;
}

async fn a_swap_with_the_same_user_twice_is_stale(bench: Bench) {
    let bench = bench.with_slots(5).await;
    let version = bench.view(&[], 0).await.version;
    for batch in [&["alice", "alice"][..], &["alice", "bob", "alice"], &["bob", "alice", "alice"]] {
        bench.refuses(version, batch, 0).await;
    }
    bench.take(&["alice", "bob"], 0).await;
}

async fn a_swap_of_more_users_than_slots_is_stale(bench: Bench) {
    let bench = bench.with_slots(2).await;
    let version = bench.view(&[], 0).await.version;
    bench.refuses(version, &["alice", "bob", "carol"], 0).await;
    bench.take(&["alice"], 0).await;
    let version = bench.view(&[], 0).await.version;
    bench.refuses(version, &["bob", "carol"], 0).await;
}

async fn a_swap_may_take_every_slot_and_then_none_is_left(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["alice", "bob"], 0).await;
    let view = bench.view(&["carol"], 0).await;
    assert_eq!((view.slots, view.finished), (0, false), "nothing is opened, so slots may come back");
    bench.refuses(view.version, &["carol"], 0).await;
}

async fn every_change_of_the_slots_raises_the_version(bench: Bench) {
    let bench = bench.with_slots(6).await;
    let mut versions = vec![bench.view(&[], 0).await.version];
    bench.take(&["alice", "bob"], 0).await;
    versions.push(bench.view(&[], 0).await.version);
    bench.take(&["carol"], 1).await;
    versions.push(bench.view(&[], 1).await.version);
    bench.confirm(&[("dave", 5)], 1).await;
    versions.push(bench.view(&[], 1).await.version);
    versions.push(bench.view(&[], LEASE).await.version);
    versions.push(bench.view(&[], LEASE + 1).await.version);
    bench.close(LEASE + 2).await;
    versions.push(bench.view(&[], LEASE + 2).await.version);
    assert!(versions.is_sorted_by(|before, after| before < after), "each is above the last: {versions:?}");
}
