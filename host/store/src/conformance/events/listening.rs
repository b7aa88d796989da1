//! Who is woken.

use super::*;

checks! { Bench of two Events:
    a_listener_is_woken_by_either_host,
    everybody_who_listens_to_a_room_is_woken,
    who_comes_after_all_have_left_is_woken,
    who_follows_misses_nothing,
}

async fn a_listener_is_woken_by_either_host(bench: Bench) {
    let mut listener = bench.asleep().await;
    for number in 0..5 {
        listener.mark_unchanged();
        bench.tell(message(&format!("here {number}")), 0).await;
        assert!(is_woken(&mut listener).await, "by its own host");
        listener.mark_unchanged();
        bench.other_host().tell(message(&format!("there {number}")), 0).await;
        assert!(is_woken(&mut listener).await, "by the other host");
    }
}

async fn everybody_who_listens_to_a_room_is_woken(bench: Bench) {
    let other = bench.at(room("elsewhere", "room {}"));
    let there = bench.other_host();
    let mut listeners =
        vec![bench.asleep().await, bench.asleep().await, there.asleep().await, bench.asleep().await];
    let mut elsewhere = vec![other.asleep().await, other.other_host().asleep().await];
    // One that left keeps nobody from being woken.
    drop(listeners.pop());
    bench.tell(message("a"), 0).await;
    for listener in &mut listeners {
        assert!(is_woken(listener).await);
    }
    other.tell(message("a"), 0).await;
    for listener in &mut elsewhere {
        assert!(is_woken(listener).await);
    }
}

async fn who_comes_after_all_have_left_is_woken(bench: Bench) {
    for number in 0..3 {
        let mut listener = bench.asleep().await;
        bench.other_host().tell(message(&number.to_string()), 0).await;
        assert!(is_woken(&mut listener).await);
        drop(listener);
        // Meanwhile a subscription may have been ended.
        tokio::time::sleep(QUIET * 5).await;
    }
}

/// Reads whatever is new each time that it is woken, until it has read so many.
async fn follow(bench: Bench, events: usize) -> Vec<EventId> {
    let mut listener = bench.listen().await;
    let (mut read, mut place) = (Vec::new(), BEGINNING);
    loop {
        let since = bench.since(place, 7).await;
        assert!(!since.is_gap);
        if let Some((last, _)) = since.events.last() {
            place = *last;
            read.extend(since.events.into_iter().map(|(place, _)| place));
            continue;
        }
        if read.len() >= events {
            return read;
        }
        assert!(is_woken(&mut listener).await, "woken for the rest after {}", read.len());
    }
}

async fn who_follows_misses_nothing(bench: Bench) {
    const EACH: usize = KEPT_EVENTS / RACERS as usize;
    let there = bench.other_host();
    let readers = [&bench, &there].map(|bench| tokio::spawn(follow(bench.clone(), EACH * RACERS as usize)));
    let racer = |racer: u32| {
        let bench = bench.of_racer(racer);
        async move {
            for number in 0..EACH {
                bench.tell(message(&format!("{racer} {number}")), number as u64).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    race(racer).await;
    let all: Vec<EventId> = bench.all().await.into_iter().map(|(place, _)| place).collect();
    for reader in readers {
        assert_eq!(reader.await.expect("the reader ends"), all);
    }
}
