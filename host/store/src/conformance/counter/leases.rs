//! Seats end by time alone, at their millisecond.

use super::*;

checks! { Bench of Counter:
    a_lease_ends_exactly_at_its_time,
    a_lease_that_ended_raises_the_version,
    leases_end_one_by_one,
    all_seats_of_one_swap_end_together,
    a_user_whose_lease_ended_may_take_a_seat_again,
    a_version_read_before_a_lease_ended_wins_nothing,
    an_admitted_user_holds_a_seat_and_no_slot,
    the_end_of_an_admitted_seat_returns_no_slot,
    admitting_does_not_lengthen_a_lease,
    an_admitted_seat_is_not_lengthened_either,
    admitting_leaves_an_opened_seat_as_it_is,
    a_user_whose_lease_ended_is_admitted_anew,
    seats_may_be_given_where_no_slot_is_free,
    who_was_let_through_may_open_until_the_lease_ends,
    a_finished_packet_lets_through_as_well,
}

async fn a_lease_ends_exactly_at_its_time(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["alice"], 10).await;
    assert_eq!(bench.holders(&["alice"], LEASE + 9).await, leased(&[0]));
    assert_eq!(bench.slots(LEASE + 9).await, 1, "not one millisecond early");
    assert_eq!(bench.holders(&["alice"], LEASE + 10).await, []);
    assert_eq!(bench.slots(LEASE + 10).await, 2, "its slot is free without any sweep");
    assert_eq!(bench.state(LEASE + 10).await.leased, 0);
}

async fn a_lease_that_ended_raises_the_version(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["alice"], 0).await;
    let before = bench.view(&[], LEASE - 1).await.version;
    assert!(bench.view(&[], LEASE).await.version > before);
}

async fn leases_end_one_by_one(bench: Bench) {
    let bench = bench.with_slots(3).await;
    bench.take(&["alice"], 0).await;
    bench.take(&["bob"], 5).await;
    bench.take(&["carol"], 9).await;
    let names = ["alice", "bob", "carol"];
    assert_eq!(bench.holders(&names, LEASE).await, leased(&[1, 2]));
    assert_eq!(bench.holders(&names, LEASE + 5).await, leased(&[2]));
    assert_eq!(bench.slots(LEASE + 8).await, 2);
    bench.adds_up(3, LEASE + 8).await;
    assert_eq!(bench.slots(LEASE + 9).await, 3);
    bench.adds_up(3, LEASE + 9).await;
}

async fn all_seats_of_one_swap_end_together(bench: Bench) {
    let bench = bench.with_slots(5).await;
    bench.take(&["alice", "bob", "carol"], 0).await;
    assert_eq!(bench.slots(LEASE - 1).await, 2);
    assert_eq!(bench.slots(LEASE).await, 5);
    assert_eq!(bench.holders(&["alice", "bob", "carol"], LEASE).await, []);
}

async fn a_user_whose_lease_ended_may_take_a_seat_again(bench: Bench) {
    let bench = bench.with_slots(1).await;
    bench.take(&["alice"], 0).await;
    bench.take(&["alice"], LEASE).await;
    assert_eq!(bench.holders(&["alice"], 2 * LEASE - 1).await, leased(&[0]));
    bench.take(&["bob"], 2 * LEASE).await;
    assert_eq!(bench.holders(&["alice", "bob"], 2 * LEASE).await, leased(&[1]));
}

async fn a_version_read_before_a_lease_ended_wins_nothing(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["alice"], 0).await;
    let version = bench.view(&[], LEASE - 1).await.version;
    // The swap itself is the first to see the new time.
    let Swapped::Stale(view) = bench.swap(version, &["bob"], LEASE).await else {
        panic!("the end of a lease raises the version, seen or not");
    };
    assert_eq!((view.slots, view.holders.as_slice()), (2, [].as_slice()));
    assert_eq!(bench.swap(view.version, &["bob"], LEASE).await, Swapped::Won(1));
}

async fn an_admitted_user_holds_a_seat_and_no_slot(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.admit(&["alice", "bob"], 0).await;
    assert_eq!(bench.holders(&["alice", "bob"], LEASE - 1).await, leased(&[0, 1]));
    let state = bench.state(LEASE - 1).await;
    assert_eq!((state.slots, state.leased), (2, 0));
}

async fn the_end_of_an_admitted_seat_returns_no_slot(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["carol"], 1).await;
    bench.admit(&["alice", "bob"], 0).await;
    assert_eq!(bench.holders(&["alice", "bob", "carol"], LEASE).await, leased(&[2]));
    assert_eq!(bench.slots(LEASE).await, 1);
    assert_eq!(bench.slots(LEASE + 1).await, 2);
}

async fn admitting_does_not_lengthen_a_lease(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["alice"], 0).await;
    bench.admit(&["alice"], LEASE / 2).await;
    assert_eq!(bench.holders(&["alice"], LEASE - 1).await, leased(&[0]));
    assert_eq!(bench.holders(&["alice"], LEASE).await, []);
    assert_eq!(bench.slots(LEASE).await, 2, "the slot was still the lease's, and comes back");
}

async fn an_admitted_seat_is_not_lengthened_either(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.admit(&["alice"], 0).await;
    bench.admit(&["alice"], LEASE / 2).await;
    assert_eq!(bench.holders(&["alice"], LEASE).await, []);
    bench.admit(&["alice"], LEASE).await;
    assert_eq!(bench.holders(&["alice"], 2 * LEASE - 1).await, leased(&[0]), "an ended one begins anew");
}

async fn admitting_leaves_an_opened_seat_as_it_is(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.confirm(&[("alice", 5)], 0).await;
    bench.admit(&["alice"], 0).await;
    assert_eq!(bench.holders(&["alice"], 2 * LEASE).await, open_seats(&[(0, 5)]));
    bench.adds_up(2, 2 * LEASE).await;
}

async fn a_user_whose_lease_ended_is_admitted_anew(bench: Bench) {
    let bench = bench.with_slots(1).await;
    bench.take(&["alice"], 0).await;
    // The call itself is the first to see the new time.
    bench.admit(&["alice"], LEASE).await;
    assert_eq!(bench.holders(&["alice"], 2 * LEASE - 1).await, leased(&[0]));
    assert_eq!(bench.slots(2 * LEASE - 1).await, 1, "the slot she had is free");
}

async fn seats_may_be_given_where_no_slot_is_free(bench: Bench) {
    let bench = bench.with_slots(1).await;
    bench.take(&["alice"], 0).await;
    bench.admit(&["bob"], 0).await;
    assert_eq!(bench.holders(&["alice", "bob"], 0).await, leased(&[0, 1]));
    assert_eq!(bench.slots(0).await, 0);
    bench.adds_up(1, 0).await;
}

async fn who_was_let_through_may_open_until_the_lease_ends(bench: Bench) {
    let other = bench.at(packet("here", 2)).with_slots(1).await;
    let bench = bench.with_slots(1).await;
    let is_lenient = async |bench: &Bench, now| {
        let seating = bench.seating(&["alice"], now).await.expect("the counter is there");
        assert_eq!(seating.holders, [], "nobody has a seat by it");
        seating.lenient
    };
    assert!(!is_lenient(&bench, 0).await);
    bench.counter.let_through(&bench.key, lease(10));
    assert!(is_lenient(&bench, 10).await);
    assert!(is_lenient(&bench, LEASE + 9).await);
    assert!(!is_lenient(&bench, LEASE + 10).await, "not one millisecond longer");
    assert!(!is_lenient(&other, 10).await, "another packet is as it was");
    assert_eq!(bench.slots(10).await, 1, "no slot is taken by it");
    bench.counter.let_through(&bench.key, lease(20));
    bench.counter.let_through(&bench.key, Lease { now_ms: START + 30, until_ms: START + 40 });
    assert!(is_lenient(&bench, LEASE + 19).await, "a shorter one takes nothing back");
    assert!(!is_lenient(&bench, LEASE + 20).await);
}

async fn a_finished_packet_lets_through_as_well(bench: Bench) {
    let bench = bench.with_slots(1).await;
    bench.confirm(&[("bob", 5)], 0).await;
    // Read twice: what is remembered of a finished packet must not say that nobody else may come.
    bench.view(&["alice"], 0).await;
    bench.counter.let_through(&bench.key, lease(0));
    bench.view(&["alice"], 1).await;
    let seating = bench.seating(&["alice"], 1).await.expect("the counter is there");
    assert!(seating.lenient, "the ledger says that it is finished, and not that she was not let through");
}
