//! Lists: answers in their order, each element by itself.

use super::*;

checks! { Bench of Counter:
    many_counters_are_read_in_the_order_of_the_questions,
    many_counters_are_swapped_each_by_itself,
    many_counters_are_admitted_to_and_confirmed_each_by_itself,
    lists_of_nothing_are_answered_with_nothing,
}

/// Counters of three packets with this many slots each; the second is missing.
async fn three(bench: &Bench, shares: u32) -> [Bench; 3] {
    let of = |number| bench.at(packet("here", number));
    [of(1).with_slots(shares).await, of(2), of(3).with_slots(shares).await]
}

async fn many_counters_are_read_in_the_order_of_the_questions(bench: Bench) {
    let [one, two, three] = three(&bench, 3).await;
    one.take(&["alice"], 0).await;
    three.take(&["bob"], 0).await;
    three.confirm(&[("bob", 5)], 0).await;
    let both = users(&["alice", "bob"]);
    let lookups = [&three, &two, &one].map(|bench| Lookup { key: &bench.key, users: &both });
    let views = bench.counter.load_all(&lookups, START).await;
    let views: Vec<_> = views.into_iter().map(|view| view.expect("load answers")).collect();
    let expected = [three.load(&["alice", "bob"], 0).await, None, one.load(&["alice", "bob"], 0).await];
    assert_eq!(views, expected);
    let holders: Vec<_> = views.into_iter().map(|view| view.map(|view| view.holders)).collect();
    assert_eq!(holders, [Some(open_seats(&[(1, 5)])), None, Some(leased(&[0]))]);
    let seatings = bench.counter.seats_all(&lookups, START).await;
    let seated = seatings.into_iter().map(|seating| seating.expect("seats answers"));
    let seated: Vec<_> = seated.map(|seating| seating.map(|seating| seating.holders)).collect();
    assert_eq!(seated, holders);
}

async fn many_counters_are_swapped_each_by_itself(bench: Bench) {
    let [one, two, three] = three(&bench, 3).await;
    three.take(&["dave"], 0).await;
    let (many, few) = (users(&["alice", "bob", "carol"]), users(&["alice"]));
    let swap = |bench: &Bench, version, take| (bench.key.clone(), version, take);
    let wanted = [swap(&one, 1, &many), swap(&two, 1, &few), swap(&three, 1, &few)];
    let swaps: Vec<_> =
        wanted.iter().map(|(key, version, take)| Swap { key, version: *version, take }).collect();
    let swapped = bench.counter.swap_all(&swaps, lease(0)).await;
    let swapped: Vec<_> = swapped.into_iter().map(|swapped| swapped.expect("swap answers")).collect();
    let stale = Swapped::Stale(three.view(&["alice"], 0).await);
    assert_eq!(swapped, [Swapped::Won(0), Swapped::Missing, stale]);
    assert_eq!(three.slots(0).await, 2, "what is stale takes nothing");
    one.adds_up(3, 0).await;
}

async fn many_counters_are_admitted_to_and_confirmed_each_by_itself(bench: Bench) {
    let [one, two, three] = three(&bench, 2).await;
    let both = users(&["alice", "bob"]);
    let groups = [&one, &two, &three].map(|bench| Lookup { key: &bench.key, users: &both });
    let admitted = bench.counter.admit_all(&groups, lease(0)).await;
    assert!(admitted.iter().all(Result::is_ok), "nobody is admitted where there is no counter: {admitted:?}");
    assert_eq!(one.holders(&["alice", "bob"], 0).await, leased(&[0, 1]));
    assert_eq!(three.slots(0).await, 2, "who is admitted takes no slot");
    let [first, last] = [opened(&[("alice", 5)]), opened(&[("alice", 6), ("bob", 7)])];
    let confirmations = [(&one, &first), (&two, &last), (&three, &last)]
        .map(|(bench, opened)| Confirmation { key: &bench.key, opened });
    let confirmed = bench.counter.confirm_all(&confirmations, START).await;
    assert!(confirmed.iter().all(Result::is_ok), "{confirmed:?}");
    assert_eq!(one.state(0).await.opened, first);
    assert_eq!(three.state(0).await.opened, last);
    assert!(two.reading(0).await.is_none(), "a confirmation starts no counter");
}

async fn lists_of_nothing_are_answered_with_nothing(bench: Bench) {
    assert_eq!(bench.counter.load_all(&[], START).await.len(), 0);
    assert_eq!(bench.counter.swap_all(&[], lease(0)).await.len(), 0);
    assert_eq!(bench.counter.admit_all(&[], lease(0)).await.len(), 0);
    assert_eq!(bench.counter.seats_all(&[], START).await.len(), 0);
    assert_eq!(bench.counter.confirm_all(&[], START).await.len(), 0);
}
