//! What is told, and in which order.

use super::*;

checks! { Bench of two Events:
    every_kind_is_read_as_it_was_told,
    events_are_in_the_order_of_posting,
    a_place_is_made_from_the_callers_time,
    places_rise_when_the_clock_goes_back,
    no_place_is_that_of_the_beginning,
    an_earlier_state_of_a_packet_and_the_same_are_not_told,
    a_packet_is_known_after_its_events_are_dropped,
    in_another_history_of_the_ledger_versions_begin_anew,
    packets_and_rooms_have_versions_of_their_own,
    a_message_is_told_once,
    racing_versions_of_a_packet_only_rise,
    racing_messages_are_all_told_and_each_has_its_place,
    names_that_look_alike_are_rooms_of_their_own,
}

async fn every_kind_is_read_as_it_was_told(bench: Bench) {
    let finished = News::Finished {
        total: Amount::MAX,
        best: user("微信 {1}"),
        best_amount: amount(1),
        took_ms: u64::MAX,
    };
    let events = [
        Event::Message { id: text("{a}/b c"), sender: user("a:b"), text: "新年\n快乐 \"{}\"".into() },
        Event::Message { id: text("empty"), sender: user("bob"), text: String::new() },
        of(1, 1, News::Sent { expires_at_ms: START }),
        progress(1, 2),
        of(1, 3, finished),
        of(2, 7, News::Expired { refunded: Amount::ZERO }),
    ];
    let mut expected = Vec::new();
    for event in events {
        expected.push((bench.tell(event.clone(), 0).await, event));
    }
    assert_eq!(bench.all().await, expected);
    assert_eq!(bench.other_host().all().await, expected, "the other host reads the same");
}

async fn events_are_in_the_order_of_posting(bench: Bench) {
    let places = bench.chatter(50).await;
    assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
    let all = bench.all().await;
    assert!(all.iter().map(|(place, _)| place).eq(&places));
    for (number, (_, event)) in all.into_iter().enumerate() {
        assert_eq!(event, message(&format!("chatter {number}")));
    }
}

async fn a_place_is_made_from_the_callers_time(bench: Bench) {
    let places = [(0, START, 0), (0, START, 1), (5, START + 5, 0), (6, START + 6, 0), (6, START + 6, 1)];
    for (number, (now, ms, sequence)) in places.into_iter().enumerate() {
        let place = bench.tell(message(&number.to_string()), now).await;
        assert_eq!(place, EventId { ms, sequence });
    }
}

async fn places_rise_when_the_clock_goes_back(bench: Bench) {
    let first = bench.tell(progress(1, 1), 1_000).await;
    let second = bench.other_host().tell(progress(1, 2), 0).await;
    assert_eq!(second, EventId { ms: first.ms, sequence: 1 });
    let third = bench.tell(message("a"), 999).await;
    assert_eq!(third, EventId { ms: first.ms, sequence: 2 });
    assert_eq!(bench.latest().await, third);
    let fourth = bench.tell(message("b"), 1_001).await;
    assert_eq!(fourth, EventId { ms: first.ms + 1, sequence: 0 });
}

async fn no_place_is_that_of_the_beginning(bench: Bench) {
    let place =
        bench.here.post(&bench.room, message("a"), 0).await.expect("post answers").expect("it is news");
    assert!(place > BEGINNING);
    assert_eq!(bench.since(BEGINNING, 9).await.events, [(place, message("a"))]);
}

async fn an_earlier_state_of_a_packet_and_the_same_are_not_told(bench: Bench) {
    let told = bench.tell(progress(1, 5), 0).await;
    let there = bench.other_host();
    for version in [0, 1, 4, 5] {
        assert_eq!(bench.post(progress(1, version), 9).await, None, "version {version}");
        assert_eq!(there.post(progress(1, version), 9).await, None, "version {version}, from there");
    }
    assert_eq!(bench.all().await, [(told, progress(1, 5))]);
    assert_eq!(bench.latest().await, told);
    assert!(there.post(progress(1, 6), 9).await.is_some());
    assert_eq!(bench.post(of(1, 6, News::Expired { refunded: amount(1) }), 9).await, None);
    // As numbers and not as texts.
    assert!(bench.post(progress(1, 10), 9).await.is_some());
    assert_eq!(bench.post(progress(1, 9), 9).await, None);
    assert!(bench.post(progress(1, 1 << 40), 9).await.is_some());
    assert_eq!(bench.post(progress(1, (1 << 40) - 1), 9).await, None);
}

async fn a_packet_is_known_after_its_events_are_dropped(bench: Bench) {
    bench.tell(progress(1, 5), 0).await;
    bench.chatter(2 * KEPT_EVENTS).await;
    assert!(bench.all().await.iter().all(|(_, event)| matches!(event, Event::Message { .. })));
    assert_eq!(bench.post(progress(1, 5), 0).await, None);
    assert!(bench.post(progress(1, 6), 0).await.is_some());
}

async fn in_another_history_of_the_ledger_versions_begin_anew(bench: Bench) {
    let history = History::default();
    history.goes_on_as("one");
    for events in [&bench.here, &bench.there] {
        events.follow(history.clone());
    }
    let first = bench.tell(progress(1, 5), 0).await;
    assert_eq!(bench.other_host().post(progress(1, 4), 0).await, None);
    history.goes_on_as("two");
    let second = bench.tell(progress(1, 3), 0).await;
    assert_eq!(bench.other_host().post(progress(1, 3), 0).await, None);
    assert_eq!(bench.all().await, [(first, progress(1, 5)), (second, progress(1, 3))]);
}

async fn packets_and_rooms_have_versions_of_their_own(bench: Bench) {
    bench.tell(progress(1, 5), 0).await;
    bench.tell(progress(2, 1), 0).await;
    bench.at(room("here", "other")).tell(progress(1, 1), 0).await;
    bench.at(room("elsewhere", "room")).tell(progress(1, 1), 0).await;
    assert_eq!(bench.post(progress(2, 1), 0).await, None);
}

async fn a_message_is_told_once(bench: Bench) {
    let told = bench.tell(message("a"), 0).await;
    assert_eq!(bench.post(message("a"), 5).await, None, "a repeated call");
    assert_eq!(bench.other_host().post(message("a"), 5).await, None, "a repeated call to another host");
    assert_eq!(bench.all().await, [(told, message("a"))]);
    let by_bob = Event::Message { id: text("a"), sender: user("bob"), text: "mine".into() };
    assert!(bench.post(by_bob, 5).await.is_some(), "another sender's id is another's");
    assert!(bench.at(room("here", "other")).post(message("a"), 5).await.is_some());
    bench.chatter(KEPT_EVENTS / 2).await;
    assert_eq!(bench.post(message("a"), 5).await, None);
}

async fn racing_versions_of_a_packet_only_rise(bench: Bench) {
    const VERSIONS: u64 = 40;
    let racer = |racer: u32| {
        let bench = bench.of_racer(racer);
        async move {
            let mut told = Vec::new();
            for version in 1..=VERSIONS {
                // Each in an order of its own, so that stale ones come after later ones.
                let version = (version * 7 + u64::from(racer) * 3) % VERSIONS + 1;
                told.extend(bench.post(progress(1, version), 0).await);
            }
            told
        }
    };
    let mut told = race(racer).await.concat();
    told.sort_unstable();
    let all = bench.all().await;
    assert!(all.iter().map(|(place, _)| place).eq(&told), "what was told is what is read");
    let versions: Vec<u64> = all.iter().map(|(_, event)| version(event)).collect();
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    assert_eq!(versions.last(), Some(&VERSIONS));
}

async fn racing_messages_are_all_told_and_each_has_its_place(bench: Bench) {
    let racer = |racer: u32| {
        let bench = bench.of_racer(racer);
        async move {
            let mut places = Vec::new();
            for number in 0..10 {
                places.push(bench.tell(message(&format!("{racer} {number}")), number).await);
            }
            assert!(places.is_sorted_by(|one, next| one < next), "{places:?}");
            places
        }
    };
    let mut places = race(racer).await.concat();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), 10 * RACERS as usize);
    assert!(bench.all().await.iter().map(|(place, _)| place).eq(&places));
}

async fn names_that_look_alike_are_rooms_of_their_own(bench: Bench) {
    let names = [
        ("a", "b"),
        ("a", "b/c"),
        ("a/b", "c"),
        ("a", "B"),
        ("a", " b"),
        ("a", "b "),
        ("a", "b:told"),
        ("a:told", "b"),
        ("a", "{b}"),
        ("{a}", "b"),
        ("a}", "b"),
        ("a", "}b"),
        ("}", "}"),
        ("{", "{"),
        ("1:a", "b"),
        ("a", "*"),
        ("*", "b"),
        ("群", "家"),
        ("群/家", "家"),
        ("群", "家/家"),
        ("é", "b"),
        ("e\u{301}", "b"),
    ];
    let rooms = names.map(|(tenant, name)| bench.at(room(tenant, name)));
    for (number, room) in rooms.iter().enumerate() {
        room.tell(message(&number.to_string()), number as u64).await;
    }
    for (number, room) in rooms.iter().enumerate() {
        let place = EventId { ms: START + number as u64, sequence: 0 };
        assert_eq!(room.all().await, [(place, message(&number.to_string()))], "{:?}", room.room);
        assert_eq!(room.latest().await, place);
    }
}
