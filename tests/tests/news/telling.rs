//! What rooms are told when nothing goes wrong.

use std::time::{Duration, Instant};

use hongbao_host::domain::{News, PacketEvent};
use tokio::time::sleep;

use crate::bench::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_is_told_of_from_its_sending_to_its_end() {
    let bench = Bench::new();
    let rooms = bench.rooms();
    let packet = bench.send(1, 100, 4).await;
    rooms.until(1, is_sent).await;
    bench.claim(&packet, "bob", 10).await;
    rooms.until(1, |event| event.claimed_shares == 1).await;
    for (name, minor, later) in [("carol", 35, 1_000), ("dave", 35, 1_000), ("erin", 20, 5)] {
        bench.clock.advance(later);
        bench.claim(&packet, name, minor).await;
    }
    rooms.until(1, is_finished).await;
    let of = |version, claimed_shares, news| PacketEvent {
        packet: packet.packet,
        version,
        sender: user("alice"),
        shares: 4,
        claimed_shares,
        news,
    };
    let told = bench.stop().await.of(1).await;
    let (first, rest) = told.split_first().unwrap();
    assert_eq!(*first, of(1, 0, News::Sent { expires_at_ms: NOW + LIFE_MS }));
    let (last, between) = rest.split_last().unwrap();
    assert_eq!(between[0], of(2, 1, News::Progress));
    assert!(between.iter().all(|event| event.news == News::Progress), "{between:?}");
    // Of the two who were equally lucky, the first.
    let (best, best_amount) = (user("carol"), amount(35));
    let finished = News::Finished { total: amount(100), best, best_amount, took_ms: 2_005 };
    assert_eq!(*last, of(5, 4, finished));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_of_a_packet_goes_back_and_the_room_is_told() {
    let bench = Bench::new();
    let (touched, untouched) = (bench.send(1, 100, 4).await, bench.send(2, 50, 5).await);
    bench.claim(&touched, "bob", 30).await;
    bench.expire(&touched).await;
    bench.expire(&untouched).await;
    for (number, refunded, claimed_shares) in [(1, 70, 1), (2, 50, 0)] {
        let is_expired = |event: &PacketEvent| event.news == News::Expired { refunded: amount(refunded) };
        let last = bench.rooms().until(number, is_expired).await;
        assert_eq!(last.claimed_shares, claimed_shares);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_packet_is_told_of_ten_times_a_second_and_its_end_for_sure() {
    let bench = Bench::new();
    let packet = bench.send(1, 500, 500).await;
    let started = Instant::now();
    for number in 0..500 {
        bench.claim(&packet, &format!("user {number}"), 1).await;
        sleep(Duration::from_millis(1)).await;
    }
    let rooms = bench.rooms();
    rooms.until(1, is_finished).await;
    let most = started.elapsed().as_millis() / 100 + 2;
    let told = rooms.of(1).await;
    assert!((4..=most).contains(&(told.len() as u128)), "{} events, of {most} at most", told.len());
    assert!(told.is_sorted_by(|one, next| one.version < next.version));
    assert!(told.is_sorted_by_key(|event| event.claimed_shares));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_that_is_over_at_once_was_sent_before_that() {
    let bench = Bench::new();
    let packet = bench.send(1, 10, 1).await;
    bench.claim(&packet, "bob", 10).await;
    let last = bench.rooms().until(1, is_finished).await;
    assert_eq!((last.version, last.claimed_shares), (2, 1));
    let told = bench.rooms().of(1).await;
    assert!(told.len() == 2 && is_sent(&told[0]) && told[0].claimed_shares == 0, "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_luckiest_of_a_thousand_is_found_wherever_it_stands() {
    for lucky in [0, 511, 512, 1_199] {
        let bench = Bench::new();
        let packet = bench.send(1, 1_201, 1_200).await;
        for number in 0..1_200 {
            bench.claim(&packet, &format!("user {number}"), 1 + u64::from(number == lucky)).await;
        }
        let News::Finished { best, best_amount, .. } = bench.rooms().until(1, is_finished).await.news else {
            panic!("it is finished");
        };
        assert_eq!((best, best_amount), (user(&format!("user {lucky}")), amount(2)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thousands_of_packets_are_each_told_to_their_end() {
    const PACKETS: u128 = 3_000;
    let bench = Bench::new();
    for number in 0..PACKETS {
        let packet = bench.send(number, 10, 2).await;
        bench.claim(&packet, "bob", 5).await;
        if number % 2 == 0 {
            bench.claim(&packet, "carol", 5).await;
        } else {
            bench.expire(&packet).await;
        }
    }
    assert_eq!(bench.dropped(), 0);
    let rooms = bench.rooms();
    for number in 0..PACKETS {
        let last = rooms.until(number, |event| event.version == 3).await;
        assert_eq!(is_finished(&last), number % 2 == 0, "{last:?}");
        assert!(is_sent(&rooms.of(number).await[0]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hosts_tell_one_room_and_nothing_goes_back() {
    let here = Bench::new();
    let there = here.neighbour();
    let packet = here.send(1, 400, 400).await;
    here.rooms().until(1, is_sent).await;
    for number in 0..400 {
        let host = if number % 2 == 0 { &here } else { &there };
        host.claim(&packet, &format!("user {number}"), 1).await;
        sleep(Duration::from_millis(1)).await;
    }
    here.rooms().until(1, is_finished).await;
    here.stop().await;
    let told = there.stop().await.of(1).await;
    assert!(told.is_sorted_by(|one, next| one.version < next.version), "{told:?}");
    assert!(told.iter().filter(|event| is_finished(event)).count() == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_tells_what_waits() {
    for _ in 0..20 {
        let bench = Bench::new();
        let packet = bench.send(1, 3, 3).await;
        bench.rooms().until(1, is_sent).await;
        // It rests now, and would be told of a tenth of a second later.
        for name in ["bob", "carol", "dave"] {
            bench.claim(&packet, name, 1).await;
        }
        let started = Instant::now();
        let rooms = bench.stop().await;
        assert!(started.elapsed() < Duration::from_secs(2));
        assert!(is_finished(rooms.of(1).await.last().unwrap()));
    }
}
