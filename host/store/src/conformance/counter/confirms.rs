//! Seats whose claims the ledger has, and the end of a counter.

use super::*;

checks! { Bench of Counter:
    a_confirmed_seat_survives_the_end_of_its_lease,
    confirming_a_leased_seat_keeps_the_slots,
    confirming_an_unknown_user_takes_a_slot,
    confirming_an_admitted_user_takes_a_slot,
    confirming_a_user_whose_lease_ended_takes_a_slot,
    confirming_twice_counts_once,
    confirming_where_no_slot_is_free_leaves_none,
    a_counter_is_finished_only_when_every_share_is_opened,
    no_slot_comes_back_once_every_share_is_opened,
    a_slot_given_twice_comes_back_once,
    closing_takes_every_slot,
    leases_that_end_after_closing_give_nothing_back,
    opened_seats_stay_known_after_closing,
    a_closed_counter_stays_closed,
    slots_leases_and_opened_seats_add_up_throughout,
}

async fn a_confirmed_seat_survives_the_end_of_its_lease(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["alice"], 0).await;
    bench.confirm(&[("alice", 5)], LEASE - 1).await;
    assert_eq!(bench.holders(&["alice"], LEASE - 1).await, open_seats(&[(0, 5)]));
    assert_eq!(bench.holders(&["alice"], 2 * LEASE).await, open_seats(&[(0, 5)]));
    assert_eq!(bench.slots(2 * LEASE).await, 1, "its slot is gone for good");
    assert_eq!(bench.state(2 * LEASE).await.opened, opened(&[("alice", 5)]));
}

async fn confirming_a_leased_seat_keeps_the_slots(bench: Bench) {
    let bench = bench.with_slots(5).await;
    bench.take(&["alice", "bob", "carol"], 0).await;
    bench.confirm(&[("carol", 7), ("alice", 5)], 0).await;
    let state = bench.state(0).await;
    assert_eq!((state.slots, state.leased), (2, 1));
    assert_eq!(state.opened, opened(&[("alice", 5), ("carol", 7)]), "in the order of names");
    assert_eq!(bench.slots(LEASE).await, 3, "bob's lease ends alone");
}

async fn confirming_an_unknown_user_takes_a_slot(bench: Bench) {
    let bench = bench.with_slots(3).await;
    bench.confirm(&[("alice", 5)], 0).await;
    assert_eq!(bench.slots(0).await, 2);
    assert_eq!(bench.holders(&["alice"], 2 * LEASE).await, open_seats(&[(0, 5)]));
    bench.adds_up(3, 2 * LEASE).await;
}

async fn confirming_an_admitted_user_takes_a_slot(bench: Bench) {
    let bench = bench.with_slots(3).await;
    bench.admit(&["alice"], 0).await;
    bench.confirm(&[("alice", 5)], 1).await;
    assert_eq!(bench.slots(1).await, 2);
    assert_eq!(bench.slots(2 * LEASE).await, 2);
    bench.adds_up(3, 2 * LEASE).await;
}

async fn confirming_a_user_whose_lease_ended_takes_a_slot(bench: Bench) {
    let bench = bench.with_slots(3).await;
    bench.take(&["alice"], 0).await;
    bench.confirm(&[("alice", 5)], LEASE).await;
    assert_eq!(bench.slots(LEASE).await, 2, "the slot that came back is taken again");
    bench.adds_up(3, LEASE).await;
}

async fn confirming_twice_counts_once(bench: Bench) {
    let bench = bench.with_slots(4).await;
    bench.take(&["alice"], 0).await;
    for _ in 0..3 {
        bench.confirm(&[("alice", 5), ("bob", 7), ("bob", 7)], 0).await;
    }
    let state = bench.state(0).await;
    assert_eq!((state.slots, state.leased), (2, 0));
    assert_eq!(state.opened, opened(&[("alice", 5), ("bob", 7)]));
    assert!(!bench.view(&[], 0).await.finished, "two of four shares are opened, however often it is said");
}

async fn confirming_where_no_slot_is_free_leaves_none(bench: Bench) {
    let bench = bench.with_slots(1).await;
    bench.take(&["alice"], 0).await;
    bench.confirm(&[("bob", 5)], 0).await;
    assert_eq!(bench.slots(0).await, 0);
    let mut expected = leased(&[0]);
    expected.extend(open_seats(&[(1, 5)]));
    assert_eq!(bench.holders(&["alice", "bob"], 0).await, expected);
}

async fn a_counter_is_finished_only_when_every_share_is_opened(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["alice", "bob"], 0).await;
    assert!(!bench.view(&[], 0).await.finished, "taken is not opened");
    bench.confirm(&[("alice", 5)], 0).await;
    assert!(!bench.view(&[], 0).await.finished, "one share of two is not opened");
    bench.confirm(&[("bob", 5)], 0).await;
    assert!(bench.view(&[], 0).await.finished);
    assert!(bench.view(&[], 2 * LEASE).await.finished);
}

async fn no_slot_comes_back_once_every_share_is_opened(bench: Bench) {
    let bench = bench.with_slots(1).await;
    bench.take(&["alice"], 0).await;
    bench.admit(&["bob"], 0).await;
    // Alice still holds the slot of the share that bob was faster to open.
    bench.confirm(&[("bob", 5)], 1).await;
    assert!(bench.view(&[], 1).await.finished);
    let view = bench.view(&["alice"], LEASE).await;
    assert_eq!((view.slots, view.finished), (0, true), "slots do not come back to a finished counter");
}

async fn a_slot_given_twice_comes_back_once(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["alice"], 0).await;
    bench.take(&["bob"], 1).await;
    bench.admit(&["carol"], 1).await;
    bench.confirm(&[("carol", 5)], 1).await;
    // One share is left, and both alice and bob hold a slot. The first end frees no share.
    assert_eq!(bench.slots(LEASE).await, 0, "bob holds the slot of the only share left");
    bench.adds_up(2, LEASE).await;
    assert_eq!(bench.slots(LEASE + 1).await, 1);
    bench.adds_up(2, LEASE + 1).await;
}

async fn closing_takes_every_slot(bench: Bench) {
    let bench = bench.with_slots(3).await;
    bench.take(&["alice"], 0).await;
    bench.close(1).await;
    let view = bench.view(&["bob"], 1).await;
    assert_eq!((view.slots, view.finished), (0, false), "closed is not finished: shares were left");
    assert!(bench.state(1).await.closed);
    bench.refuses(view.version, &["bob"], 1).await;
}

async fn leases_that_end_after_closing_give_nothing_back(bench: Bench) {
    let bench = bench.with_slots(3).await;
    bench.take(&["alice", "bob"], 0).await;
    bench.close(1).await;
    assert_eq!(bench.holders(&["alice"], LEASE).await, []);
    assert_eq!(bench.slots(LEASE).await, 0);
    let state = CounterState { slots: 0, leased: 0, opened: Vec::new(), closed: true };
    assert_eq!(bench.state(LEASE).await, state);
}

async fn opened_seats_stay_known_after_closing(bench: Bench) {
    let bench = bench.with_slots(3).await;
    bench.confirm(&[("alice", 5)], 0).await;
    bench.take(&["bob"], 0).await;
    bench.close(1).await;
    bench.confirm(&[("bob", 7)], 2).await;
    assert_eq!(bench.holders(&["alice", "bob"], 2 * LEASE).await, open_seats(&[(0, 5), (1, 7)]));
    assert_eq!(bench.slots(2 * LEASE).await, 0);
}

async fn a_closed_counter_stays_closed(bench: Bench) {
    let bench = bench.with_slots(3).await;
    bench.close(0).await;
    bench.close(1).await;
    let bench = bench.with_slots(3).await;
    assert_eq!(bench.slots(2).await, 0, "opening leaves a closed counter as it is");
    assert!(bench.state(2).await.closed);
}

async fn slots_leases_and_opened_seats_add_up_throughout(bench: Bench) {
    let bench = bench.with_slots(6).await;
    bench.adds_up(6, 0).await;
    bench.take(&["alice", "bob", "carol"], 0).await;
    bench.adds_up(6, 0).await;
    bench.confirm(&[("alice", 5), ("dave", 1)], 1).await;
    bench.adds_up(6, 1).await;
    bench.admit(&["erin", "frank"], 2).await;
    bench.adds_up(6, 2).await;
    bench.confirm(&[("erin", 5)], 3).await;
    bench.adds_up(6, 3).await;
    bench.adds_up(6, LEASE).await;
    bench.take(&["bob", "carol", "grace"], LEASE).await;
    bench.confirm(&[("bob", 1), ("carol", 2), ("grace", 3)], LEASE).await;
    bench.adds_up(6, LEASE).await;
    assert!(bench.view(&[], LEASE).await.finished);
}
