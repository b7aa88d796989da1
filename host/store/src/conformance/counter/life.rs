//! How a counter begins and ends, and what keeps it apart from others.

use super::*;

checks! { Bench of Counter:
    a_counter_that_is_missing_answers_so,
    nothing_but_opening_makes_a_counter,
    a_new_counter_has_a_slot_for_each_share,
    opening_again_leaves_everything_as_it_is,
    a_card_comes_back_whole,
    a_rebuilt_counter_knows_the_claims_it_starts_with,
    a_counter_rebuilt_from_every_claim_is_finished,
    seats_are_lenient_until_exactly_their_time,
    an_entry_ends_exactly_at_its_time,
    an_entry_that_ended_makes_room_for_a_new_one,
    forgetting_one_counter_leaves_the_others,
    clearing_forgets_every_counter,
    a_sweep_tells_how_many_leases_ended,
    a_sweep_leaves_what_has_not_ended,
    tenants_do_not_share_counters,
    packets_do_not_share_a_counter,
    a_counter_of_another_history_is_missing,
    what_is_finished_in_another_history_is_not,
    clearing_forgets_what_was_counted_in_every_history,
    counters_can_be_read,
}

async fn counters_can_be_read(bench: Bench) {
    bench.counter.check().await.expect("no counters can be read");
    let bench = bench.with_slots(1).await;
    bench.counter.check().await.expect("and so can some");
    assert_eq!(bench.slots(0).await, 1, "asking changes nothing");
}

/// A history that the bench's counter follows.
fn followed(bench: &Bench) -> History {
    let history = History::default();
    history.goes_on_as("one");
    bench.counter.follow(history.clone());
    history
}

async fn a_counter_of_another_history_is_missing(bench: Bench) {
    let history = followed(&bench);
    let bench = bench.with_slots(2).await;
    bench.take(&["alice"], 0).await;
    assert_eq!(bench.slots(0).await, 1);
    history.goes_on_as("two");
    assert_eq!(bench.load(&["alice"], 1).await, None);
    assert_eq!(bench.seating(&["alice"], 1).await, None);
    assert_eq!(bench.reading(1).await, None);
    assert_eq!(bench.swap(1, &["bob"], 1).await, Swapped::Missing);
    bench.confirm(&[("alice", 5)], 1).await;
    bench.close(1).await;
    assert_eq!(bench.load(&["alice"], 1).await, None);
    bench.open(opening(3), 1).await;
    assert_eq!((bench.slots(1).await, bench.holders(&["alice"], 1).await), (3, Vec::new()));
}

async fn what_is_finished_in_another_history_is_not(bench: Bench) {
    let history = followed(&bench);
    bench.open(Opening { opened: opened(&[("alice", 5)]), ..opening(1) }, 0).await;
    for _ in 0..2 {
        assert!(bench.view(&["alice"], 0).await.finished);
    }
    history.goes_on_as("two");
    assert_eq!(bench.load(&["alice"], 0).await, None);
    bench.open(opening(1), 0).await;
    assert!(!bench.view(&["alice"], 0).await.finished);
}

async fn clearing_forgets_what_was_counted_in_every_history(bench: Bench) {
    let history = followed(&bench);
    bench.open(opening(1), 0).await;
    history.goes_on_as("two");
    bench.open(opening(2), 0).await;
    bench.counter.clear().await.expect("clear answers");
    assert_eq!(bench.load(&[], 0).await, None);
    history.goes_on_as("one");
    assert_eq!(bench.load(&[], 0).await, None);
}

async fn a_counter_that_is_missing_answers_so(bench: Bench) {
    assert_eq!(bench.load(&["alice"], 0).await, None);
    assert_eq!(bench.seating(&["alice"], 0).await, None);
    assert_eq!(bench.reading(0).await, None);
    assert_eq!(bench.swap(1, &["alice"], 0).await, Swapped::Missing);
}

async fn nothing_but_opening_makes_a_counter(bench: Bench) {
    bench.admit(&["alice"], 0).await;
    bench.confirm(&[("alice", 5)], 0).await;
    bench.close(0).await;
    bench.forget().await;
    assert_eq!(bench.load(&["alice"], 0).await, None);
    let bench = bench.with_slots(2).await;
    assert_eq!(bench.slots(0).await, 2, "nothing was kept for a counter to come");
    assert_eq!(bench.holders(&["alice"], 0).await, []);
}

async fn a_new_counter_has_a_slot_for_each_share(bench: Bench) {
    let bench = bench.with_slots(3).await;
    let view = bench.view(&["alice"], 0).await;
    assert_eq!((view.slots, view.finished, view.holders), (3, false, Vec::new()));
    let state = CounterState { slots: 3, leased: 0, opened: Vec::new(), closed: false };
    assert_eq!(bench.state(0).await, state);
    let seating = bench.seating(&["alice"], 0).await;
    assert_eq!(seating, Some(Seating { holders: Vec::new(), lenient: false }));
}

async fn opening_again_leaves_everything_as_it_is(bench: Bench) {
    let bench = bench.with_slots(3).await;
    bench.take(&["alice"], 0).await;
    let (view, state) = (bench.view(&["alice"], 1).await, bench.state(1).await);
    let other_card = Card { audience: Audience::EveryoneBut(user("bob")), expires_at_ms: START + 1 };
    let lenient_until_ms = START + KEPT;
    let other = Opening { card: other_card, opened: opened(&[("bob", 9)]), lenient_until_ms, ..opening(9) };
    bench.open(other, 1).await;
    assert_eq!(bench.view(&["alice"], 1).await, view);
    assert_eq!(bench.state(1).await, state);
    assert_eq!(bench.seating(&["bob"], 1).await, Some(Seating { holders: Vec::new(), lenient: false }));
}

async fn a_card_comes_back_whole(bench: Bench) {
    let longest = "x".repeat(256);
    let exclusive = Audience::Only(users(&["bob", "小明", "it's \"quoted\", and: split", &longest]).into());
    let audiences = [Audience::Everyone, Audience::EveryoneBut(user("alice")), exclusive];
    for (number, audience) in (10..).zip(audiences) {
        let bench = bench.at(packet("here", number));
        let card = Card { audience, expires_at_ms: START + number };
        bench.open(Opening { card: card.clone(), ..opening(1) }, 0).await;
        assert_eq!(*bench.view(&[], 0).await.card, card);
        let Swapped::Stale(view) = bench.swap(u64::MAX >> 1, &["bob"], 0).await else {
            panic!("a swap at a version that never was is stale");
        };
        assert_eq!(*view.card, card, "a stale answer carries the card too");
    }
}

async fn a_rebuilt_counter_knows_the_claims_it_starts_with(bench: Bench) {
    bench.open(Opening { opened: opened(&[("bob", 7), ("alice", 5)]), ..opening(3) }, 0).await;
    let view = bench.view(&["alice", "carol", "bob"], LEASE).await;
    assert_eq!((view.slots, view.finished), (1, false));
    assert_eq!(view.holders, open_seats(&[(0, 5), (2, 7)]));
    assert_eq!(bench.state(0).await.opened, opened(&[("alice", 5), ("bob", 7)]), "in the order of names");
    bench.refuses(view.version, &["alice"], LEASE).await;
    bench.take(&["carol"], LEASE).await;
    bench.adds_up(3, LEASE).await;
}

async fn a_counter_rebuilt_from_every_claim_is_finished(bench: Bench) {
    bench.open(Opening { opened: opened(&[("alice", 5), ("bob", 7)]), ..opening(2) }, 0).await;
    let view = bench.view(&["carol"], 0).await;
    assert_eq!((view.slots, view.finished), (0, true));
    bench.refuses(view.version, &["carol"], 0).await;
}

async fn seats_are_lenient_until_exactly_their_time(bench: Bench) {
    bench.open(Opening { lenient_until_ms: START + LEASE, ..opening(1) }, 0).await;
    let mut lenient = Vec::new();
    for now in [0, LEASE - 1, LEASE, LEASE + 1] {
        lenient.push(bench.seating(&["alice"], now).await.map(|seating| seating.lenient));
    }
    assert_eq!(lenient, [Some(true), Some(true), Some(false), Some(false)]);
}

async fn an_entry_ends_exactly_at_its_time(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.confirm(&[("alice", 5)], 0).await;
    assert_eq!(bench.slots(KEPT - 1).await, 1);
    assert_eq!(bench.load(&["alice"], KEPT).await, None);
    assert_eq!(bench.seating(&["alice"], KEPT).await, None);
    assert_eq!(bench.reading(KEPT).await, None);
    assert_eq!(bench.swap(1, &["alice"], KEPT).await, Swapped::Missing);
}

async fn an_entry_that_ended_makes_room_for_a_new_one(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.confirm(&[("alice", 5)], 0).await;
    bench.close(0).await;
    // The call itself is the first to see the new time.
    bench.open(Opening { keep_until_ms: START + 2 * KEPT, ..opening(3) }, KEPT).await;
    let state = CounterState { slots: 3, leased: 0, opened: Vec::new(), closed: false };
    assert_eq!(bench.state(KEPT).await, state);
    assert_eq!(bench.holders(&["alice"], 2 * KEPT - 1).await, []);
}

async fn forgetting_one_counter_leaves_the_others(bench: Bench) {
    let bench = bench.with_slots(2).await;
    let others = [bench.at(packet("here", 2)), bench.at(packet("elsewhere", 1))];
    for other in &others {
        other.open(opening(2), 0).await;
        other.take(&["alice"], 0).await;
    }
    bench.take(&["alice"], 0).await;
    bench.forget().await;
    assert_eq!(bench.load(&["alice"], 0).await, None);
    for other in &others {
        assert_eq!(other.holders(&["alice"], 0).await, leased(&[0]));
    }
    let bench = bench.with_slots(2).await;
    assert_eq!(bench.holders(&["alice"], 0).await, [], "its seats are forgotten with it");
}

async fn clearing_forgets_every_counter(bench: Bench) {
    let all = [packet("here", 1), packet("here", 2), packet("elsewhere", 1)].map(|key| bench.at(key));
    for one in &all {
        one.open(opening(2), 0).await;
        one.take(&["alice"], 0).await;
        one.confirm(&[("bob", 5)], 0).await;
    }
    bench.counter.clear().await.expect("clear answers");
    for one in all {
        assert_eq!(one.load(&[], 0).await, None);
        let one = one.with_slots(2).await;
        assert_eq!(one.holders(&["alice", "bob"], 0).await, [], "seats are forgotten too");
    }
}

async fn a_sweep_tells_how_many_leases_ended(bench: Bench) {
    let bench = bench.with_slots(4).await;
    bench.take(&["alice", "bob"], 0).await;
    bench.take(&["carol"], 1).await;
    bench.confirm(&[("alice", 5)], 1).await;
    let mut ended = Vec::new();
    for now in [LEASE - 1, LEASE, LEASE, LEASE + 1] {
        ended.push(bench.counter.sweep(START + now).await.expect("sweep answers"));
    }
    assert_eq!(ended, [0, 1, 0, 1], "bob's lease ends, then carol's; alice's seat is no lease any more");
    bench.adds_up(4, LEASE + 1).await;
    assert_eq!(bench.slots(LEASE + 1).await, 3);
}

async fn a_sweep_leaves_what_has_not_ended(bench: Bench) {
    let bench = bench.with_slots(2).await;
    bench.take(&["alice"], 0).await;
    bench.confirm(&[("alice", 5)], 0).await;
    let brief = bench.at(packet("here", 2));
    brief.open(Opening { keep_until_ms: START + LEASE, ..opening(1) }, 0).await;
    let before = bench.view(&["alice"], LEASE).await;
    bench.counter.sweep(START + LEASE).await.expect("sweep answers");
    assert_eq!(bench.view(&["alice"], LEASE).await, before);
    assert_eq!(brief.load(&[], LEASE).await, None);
}

async fn tenants_do_not_share_counters(bench: Bench) {
    let bench = bench.with_slots(2).await;
    let elsewhere = bench.at(packet("elsewhere", 1));
    bench.take(&["alice"], 0).await;
    assert_eq!(elsewhere.load(&["alice"], 0).await, None);
    let elsewhere = elsewhere.with_slots(5).await;
    elsewhere.confirm(&[("bob", 5)], 0).await;
    assert_eq!(elsewhere.holders(&["alice", "bob"], 0).await, open_seats(&[(1, 5)]));
    elsewhere.close(0).await;
    assert_eq!(bench.holders(&["alice", "bob"], 0).await, leased(&[0]));
    assert_eq!(bench.slots(0).await, 1);
}

async fn packets_do_not_share_a_counter(bench: Bench) {
    let bench = bench.with_slots(2).await;
    let second = bench.at(packet("here", 2)).with_slots(3).await;
    second.take(&["alice", "bob"], 0).await;
    second.close(1).await;
    assert_eq!(bench.holders(&["alice", "bob"], 1).await, []);
    assert_eq!(bench.slots(1).await, 2);
}
