//! Many callers at once.

use super::*;

checks! { Bench of Counter:
    racers_never_take_more_than_the_slots,
    one_user_racing_against_itself_holds_one_seat,
    racing_confirmations_count_each_seat_once,
    racing_openings_make_one_counter,
}

/// Swaps by version until it wins or no slot is left. Whether it won.
async fn grab(bench: &Bench, name: &str) -> bool {
    let mut version = bench.view(&[], 0).await.version;
    loop {
        match bench.swap(version, &[name], 0).await {
            Swapped::Won(_) => return true,
            Swapped::Stale(view) if view.slots == 0 || !view.holders.is_empty() => return false,
            Swapped::Stale(view) => version = view.version,
            Swapped::Missing => panic!("the counter is there"),
        }
    }
}

/// Grabs for many users in turn; gives those who won.
async fn grab_for_many(bench: Bench, racer: u32) -> Vec<UserId> {
    let mut won = Vec::new();
    for turn in 0..8 {
        let grabber = user(&format!("racer-{racer}-{turn}"));
        if grab(&bench, name(&grabber)).await {
            won.push(grabber);
        }
    }
    won
}

async fn racers_never_take_more_than_the_slots(bench: Bench) {
    const SLOTS: u32 = 50;
    let bench = bench.with_slots(SLOTS).await;
    let won = race(|racer| grab_for_many(bench.clone(), racer)).await.concat();
    assert_eq!(won.len(), SLOTS as usize, "every slot is taken, and none twice");
    let state = bench.state(0).await;
    assert_eq!((state.slots, state.leased), (0, SLOTS));
    let names: Vec<&str> = won.iter().map(name).collect();
    let seats = leased(&(0..SLOTS).collect::<Vec<_>>());
    assert_eq!(bench.holders(&names, 0).await, seats, "whoever won holds a seat");
}

async fn one_user_racing_against_itself_holds_one_seat(bench: Bench) {
    let bench = bench.with_slots(50).await;
    let racer = |_| {
        let bench = bench.clone();
        async move { grab(&bench, "alice").await }
    };
    let won = race(racer).await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
    assert_eq!(bench.slots(0).await, 49);
    bench.adds_up(50, 0).await;
}

async fn racing_confirmations_count_each_seat_once(bench: Bench) {
    let bench = bench.with_slots(10).await;
    bench.take(&["alice"], 0).await;
    let racer = |_| {
        let bench = bench.clone();
        async move { bench.confirm(&[("alice", 5), ("bob", 7)], 0).await }
    };
    race(racer).await;
    let state = bench.state(0).await;
    assert_eq!((state.slots, state.leased), (8, 0));
    assert_eq!(state.opened, opened(&[("alice", 5), ("bob", 7)]));
}

async fn racing_openings_make_one_counter(bench: Bench) {
    // Once would seldom meet the moment that matters.
    for number in 10..30 {
        let bench = bench.at(packet("here", number));
        let racer = |racer| {
            let bench = bench.clone();
            async move {
                let bench = bench.with_slots(3).await;
                u32::from(grab(&bench, name(&user(&format!("racer-{racer}")))).await)
            }
        };
        let won: u32 = race(racer).await.into_iter().sum();
        assert_eq!(won, 3, "no opening gives back a slot that was taken, for all {RACERS} racers");
        assert_eq!(bench.slots(0).await, 0);
    }
}
