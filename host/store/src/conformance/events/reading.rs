//! What is read, and what is known of what is missing.

use super::*;

checks! { Bench of two Events:
    a_room_of_which_nobody_told_is_empty,
    reading_goes_on_after_a_place_in_pages,
    the_latest_place_is_that_of_the_last_event,
    events_of_other_rooms_are_not_read,
    enough_is_kept_and_what_is_dropped_is_a_gap,
    a_place_that_the_room_never_gave_out_is_a_gap,
}

async fn a_room_of_which_nobody_told_is_empty(bench: Bench) {
    assert_eq!(bench.latest().await, BEGINNING);
    assert_eq!(bench.since(BEGINNING, 9).await, Since::default());
    let _listener = bench.asleep().await;
    assert_eq!(bench.latest().await, BEGINNING, "listening tells nothing");
    assert_eq!(bench.since(BEGINNING, 9).await, Since::default());
}

async fn reading_goes_on_after_a_place_in_pages(bench: Bench) {
    bench.chatter(10).await;
    bench.tell(progress(1, 1), 7).await;
    let all = bench.all().await;
    assert_eq!(all.len(), 11);
    for limit in [1, 2, 3, 10, 11, 100] {
        let (mut read, mut place) = (Vec::new(), BEGINNING);
        loop {
            let Since { events, is_gap } = bench.since(place, limit).await;
            assert!(!is_gap, "nothing was dropped");
            assert!(events.len() <= limit as usize, "{} events, not {limit}", events.len());
            let Some((last, _)) = events.last() else { break };
            place = *last;
            read.extend(events);
        }
        assert_eq!(read, all, "in pages of {limit}");
    }
    assert_eq!(bench.since(BEGINNING, 0).await, Since::default());
    assert_eq!(bench.since(bench.latest().await, 9).await, Since::default());
}

async fn the_latest_place_is_that_of_the_last_event(bench: Bench) {
    for number in 0..5 {
        let place = bench.tell(message(&number.to_string()), number / 2).await;
        assert_eq!(bench.latest().await, place);
        assert_eq!(bench.other_host().latest().await, place);
    }
}

async fn events_of_other_rooms_are_not_read(bench: Bench) {
    bench.tell(message("a"), 0).await;
    for other in [room("here", "other"), room("elsewhere", "room")] {
        let other = bench.at(other);
        assert_eq!(other.latest().await, BEGINNING);
        assert_eq!(other.all().await, []);
    }
}

async fn enough_is_kept_and_what_is_dropped_is_a_gap(bench: Bench) {
    let places = bench.chatter(4 * KEPT_EVENTS).await;
    let from_the_beginning = bench.since(BEGINNING, u32::MAX).await;
    assert!(from_the_beginning.is_gap);
    let kept = from_the_beginning.events.len();
    assert!((KEPT_EVENTS..2 * KEPT_EVENTS).contains(&kept), "{kept} are kept");
    let (dropped, kept) = places.split_at(places.len() - kept);
    assert!(from_the_beginning.events.iter().map(|(place, _)| place).eq(kept));

    let [first_dropped, .., before_last, last_dropped] = dropped else { panic!("many are dropped") };
    assert!(bench.is_gap(*first_dropped).await);
    assert!(bench.is_gap(*before_last).await, "the next was dropped");
    assert!(!bench.is_gap(*last_dropped).await, "everything after it is kept");
    for place in kept.iter().step_by(50) {
        assert!(!bench.is_gap(*place).await, "everything after {place} is kept");
    }
    assert!(!bench.is_gap(bench.latest().await).await);
    let read = bench.since(*last_dropped, 3).await;
    assert!(read.events.iter().map(|(place, _)| place).eq(kept.iter().take(3)));
}

async fn a_place_that_the_room_never_gave_out_is_a_gap(bench: Bench) {
    let before = EventId { ms: START, sequence: 0 };
    assert!(bench.is_gap(before).await, "nothing is known of this room");
    let place = bench.tell(message("a"), 10).await;
    assert!(bench.is_gap(before).await, "from a life of the room before this one");
    assert_eq!(bench.since(before, 9).await.events, [(place, message("a"))]);
    assert!(!bench.is_gap(place).await);
    for after in [
        EventId { sequence: place.sequence + 1, ..place },
        EventId { ms: place.ms + 1, sequence: 0 },
        EventId { ms: u64::MAX, sequence: u64::MAX },
    ] {
        let Since { events, is_gap } = bench.since(after, 9).await;
        assert!(is_gap && events.is_empty(), "after {after}");
    }
}
