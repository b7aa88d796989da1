//! The seal: made once, and the same for everybody.

use super::*;

checks! { Bench of Registry:
    the_first_seal_that_is_proposed_stays,
    those_who_propose_at_the_same_time_are_told_the_same,
}

async fn the_first_seal_that_is_proposed_stays(bench: Bench) {
    assert_eq!(bench.seal(1).await, [1; 32]);
    for proposed in [2, 1, 3] {
        assert_eq!(bench.seal(proposed).await, [1; 32]);
    }
}

async fn those_who_propose_at_the_same_time_are_told_the_same(bench: Bench) {
    let seals = race(|racer| {
        let bench = bench.clone();
        async move { bench.seal(racer.try_into().expect("a byte is enough")).await }
    })
    .await;
    let kept = bench.seal(0xff).await;
    assert!(seals.iter().all(|seal| *seal == kept), "{seals:?}");
}
