//! Events of money: all of them, each once, in order, and readable from any of them on.

use std::time::{Duration, Instant};

use super::*;
use hongbao_domain::{MoneyEvent, MoneyEventId, MoneyEventKind, Terms};

checks! { Bench of Ledger:
    a_packet_is_told_from_its_sending_to_its_refund,
    reading_goes_on_after_every_event_in_parts_of_any_size,
    what_was_refused_or_repeated_is_no_event,
    tenants_hear_nothing_of_each_other,
    an_event_that_was_never_given_is_nowhere_to_go_on_from,
    readers_miss_nothing_and_hear_nothing_twice_while_writers_race,
}

/// Other users of the same server may have transactions under way, which what comes after them waits for.
const SOON: Duration = Duration::from_secs(20);

impl Bench {
    async fn told_after(&self, after: Option<MoneyEventId>, limit: u32) -> Option<Vec<MoneyEvent>> {
        self.ledger.money_events(&self.tenant, after, limit).await.expect("events answer")
    }

    async fn last_told(&self) -> Option<MoneyEventId> {
        self.ledger.last_money_event(&self.tenant).await.expect("the last event answers")
    }

    /// All events, of which there must soon be so many.
    async fn told(&self, count: usize) -> Vec<MoneyEvent> {
        let begun = Instant::now();
        loop {
            let told = self.told_after(None, u32::MAX).await.expect("all is told");
            if told.len() >= count || begun.elapsed() > SOON {
                assert_eq!(told.len(), count, "{told:?}");
                assert!(told.is_sorted_by(|one, other| one.id < other.id), "{told:?}");
                return told;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn funded(name: &str, minor: u64) -> MoneyEventKind {
    MoneyEventKind::Funded { user: user(name), amount: amount(minor) }
}

fn claimed(key: &PacketKey, name: &str, minor: u64, sequence: u32) -> MoneyEventKind {
    MoneyEventKind::Claimed { packet: key.packet, user: user(name), amount: amount(minor), sequence }
}

fn settled(key: &PacketKey, name: &str, minor: u64) -> MoneyEventKind {
    MoneyEventKind::Settled { packet: key.packet, user: user(name), amount: amount(minor) }
}

fn what(told: &[MoneyEvent]) -> Vec<MoneyEventKind> {
    told.iter().map(|event| event.what.clone()).collect()
}

async fn a_packet_is_told_from_its_sending_to_its_refund(bench: Bench) {
    assert_eq!((bench.last_told().await, bench.told(0).await), (None, Vec::new()));
    let key = bench.sent(1, 100, 3).await;
    bench.take(&key, &[("bob", 20), ("carol", 30)]).await;
    assert_eq!(bench.settle_at(10, 7).await.len(), 2);
    bench.expire(&key, 50).await;
    let terms =
        Terms { room: text("room"), shares: 3, expires_at_ms: START + LIFE, greeting: "恭喜发财".into() };
    let (packet, alice) = (key.packet, user("alice"));
    let mut told = bench.told(7).await;
    let (_, settled_on) = told.split_at_mut(4);
    let (settlements, _) = settled_on.split_at_mut(2);
    // In whichever order.
    settlements.sort_by_key(|event| event.what.user().clone());
    let expected = [
        (funded("alice", 100), 0),
        (MoneyEventKind::Sent { packet, sender: alice.clone(), total: amount(100), terms }, 0),
        (claimed(&key, "bob", 20, 1), 0),
        (claimed(&key, "carol", 30, 2), 0),
        (settled(&key, "bob", 20), 7),
        (settled(&key, "carol", 30), 7),
        (MoneyEventKind::Refunded { packet, sender: alice, amount: amount(50) }, LIFE),
    ];
    let found: Vec<_> = told.into_iter().map(|event| (event.what, event.at_ms - START)).collect();
    assert_eq!(found, expected);
}

async fn reading_goes_on_after_every_event_in_parts_of_any_size(bench: Bench) {
    // Of each kind many in one transaction, where the ledger has such.
    let mut packets = Vec::new();
    for number in 1..=12 {
        packets.push(bench.sent(number, 100, 3).await);
    }
    let shares = [("bob", 20), ("carol", 30)];
    let attempts =
        packets.iter().map(|key| Attempt { key: key.clone(), version: 1, shares: wanted(&shares) });
    let answers = bench.packets.claim_all(attempts.collect(), START).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Claimed::Committed(1)))), "{answers:?}");
    assert_eq!(bench.settle(100).await.len(), 24);
    let all = bench.told(24 + 24 + 24).await;
    assert_eq!(bench.last_told().await, all.last().map(|last| last.id));
    for key in &packets {
        let own: Vec<_> = all.iter().filter(|event| event.what.packet() == Some(key.packet)).collect();
        let names: Vec<_> = own.iter().map(|event| event.what.name()).collect();
        let claimed = ["packet.sent", "share.claimed", "share.claimed"];
        assert_eq!(names, [&claimed[..], &["share.settled"; 2]].concat());
        let sequence = |event: &MoneyEvent| match event.what {
            MoneyEventKind::Claimed { sequence, .. } => sequence,
            _ => 0,
        };
        assert_eq!(own.iter().map(|event| sequence(event)).collect::<Vec<_>>(), [0, 1, 2, 0, 0]);
    }
    for (index, event) in all.iter().enumerate() {
        for limit in [1, 5, 100] {
            let told = bench.told_after(Some(event.id), limit).await.expect("it goes on");
            let rest: Vec<_> = all.iter().skip(index + 1).take(limit as usize).cloned().collect();
            assert_eq!(told, rest, "{limit} after {index}");
        }
    }
    for limit in [1, 7] {
        let (mut read, mut after) = (Vec::new(), None);
        loop {
            let told = bench.told_after(after, limit).await.expect("it goes on");
            let Some(last) = told.last() else { break };
            after = Some(last.id);
            read.extend(told);
        }
        assert_eq!(read, all, "by {limit}");
    }
    assert_eq!(bench.told_after(None, 0).await, Some(Vec::new()));
}

async fn what_was_refused_or_repeated_is_no_event(bench: Bench) {
    assert!(bench.try_fund("alice", Amount::ZERO, None).await.is_err());
    bench.try_fund("alice", amount(100), Some("key")).await.expect("fund answers");
    bench.try_fund("alice", amount(100), Some("key")).await.expect("fund answers");
    bench.try_fund("alice", amount(7), Some("key")).await.expect("fund answers");
    let poor = bench.record(1, order("a", 101, 2), 0).await;
    assert_eq!(poor, Recorded::InsufficientFunds(amount(100)));
    for _ in 0..2 {
        bench.record(1, order("b", 60, 2), 0).await;
    }
    let key = bench.packet(1);
    bench.take(&key, &[("bob", 10)]).await;
    for shares in [&[("bob", 10)][..], &[("carol", 60)], &[("carol", 0)], &[("carol", 1), ("carol", 1)]] {
        let answer = bench.claim(&key, 2, shares, 0).await;
        assert!(matches!(answer, Claimed::Refused(_)), "{answer:?}");
    }
    assert!(matches!(bench.claim(&key, 1, &[("carol", 5)], 0).await, Claimed::Stale(_)));
    assert_eq!(bench.close(&key, 2, LIFE - 1).await, Closed::NotDue);
    bench.expire(&key, 50).await;
    assert!(matches!(bench.close(&key, 3, LIFE).await, Closed::Already(_)));
    assert_eq!(bench.settle(10).await.len(), 1);
    assert_eq!(bench.settle(10).await.len(), 0);
    let names: Vec<_> = bench.told(5).await.iter().map(|event| event.what.name()).collect();
    let expected = ["wallet.funded", "packet.sent", "share.claimed", "packet.refunded", "share.settled"];
    assert_eq!(names, expected);
}

async fn tenants_hear_nothing_of_each_other(bench: Bench) {
    let elsewhere = bench.of("elsewhere");
    for minor in 1..=3 {
        bench.fund("alice", minor).await;
        elsewhere.fund("alice", 10 * minor).await;
    }
    let (here, there) = (bench.told(3).await, elsewhere.told(3).await);
    assert_eq!(what(&here), [1, 2, 3].map(|minor| funded("alice", minor)));
    assert_eq!(what(&there), [10, 20, 30].map(|minor| funded("alice", minor)));
    assert_eq!(
        bench.told_after(there.last().map(|event| event.id), 10).await,
        None,
        "another tenant's is no event here"
    );
    assert_eq!(bench.of("nobody").told(0).await, []);
}

async fn an_event_that_was_never_given_is_nowhere_to_go_on_from(bench: Bench) {
    let key = bench.sent(1, 100, 3).await;
    bench.take(&key, &[("bob", 20)]).await;
    let told = bench.told(3).await;
    for MoneyEvent { id, .. } in &told {
        let text = id.to_string();
        let (place, check) = text.rsplit_once('-').expect("an id has parts");
        let (number, within) = place.split_once('-').expect("an id has parts");
        let check = u32::from_str_radix(check, 16).expect("a checksum is a number") ^ 1;
        let forged = [
            // As another history would have given the same place.
            format!("{place}-{check:08x}"),
            format!("{number}-c99-00000000"),
            format!("{}-{within}-{check:08x}", u64::MAX),
            format!("{}-{within}-{check:08x}", i64::MAX),
            format!("0-{within}-{check:08x}"),
        ];
        for forged in forged {
            let id = forged.parse().expect("it looks like an id");
            assert_eq!(bench.told_after(Some(id), 10).await, None, "{forged}");
        }
    }
}

async fn readers_miss_nothing_and_hear_nothing_twice_while_writers_race(bench: Bench) {
    const TURNS: u64 = 6;
    let packet = bench.sent(1, 10_000, 1_000).await;
    let all = 2 + u64::from(RACERS) * (3 + 2 * TURNS);
    let reader = |limit: u32| {
        let bench = bench.clone();
        tokio::spawn(async move {
            let (mut read, mut after, begun) = (Vec::new(), None, Instant::now());
            while (read.len() as u64) < all && begun.elapsed() < SOON {
                let told = bench.told_after(after, limit).await.expect("it goes on");
                after = told.last().map(|last| last.id).or(after);
                read.extend(told);
                tokio::task::yield_now().await;
            }
            read
        })
    };
    let readers = [1, 3, 50].map(reader);
    let racer = |racer: u32| {
        let (bench, packet) = (bench.clone(), packet.clone());
        async move {
            let sender = format!("sender {racer}");
            bench.fund(&sender, 10).await;
            let own = Order { sender: user(&sender), ..order("own", 10, 1) };
            assert!(matches!(bench.record(100 + u64::from(racer), own, 0).await, Recorded::Recorded(_)));
            bench.expire(&bench.packet(100 + u64::from(racer)), 10).await;
            for turn in 0..TURNS {
                let name = format!("racer {racer} {turn}");
                loop {
                    let version = bench.standing(&packet).await.version;
                    if let Claimed::Committed(_) = bench.claim(&packet, version, &[(&name, 5)], 0).await {
                        break;
                    }
                }
                bench.settle(2).await;
            }
        }
    };
    race(racer).await;
    while !bench.settle(1_000).await.is_empty() {}
    let expected = bench.told(all as usize).await;
    for reader in readers {
        let read = reader.await.expect("a reader ends without a panic");
        assert_eq!(read, expected, "what was read while it happened is what there is");
    }
    let sequences: Vec<_> = expected
        .iter()
        .filter_map(|event| match event.what {
            MoneyEventKind::Claimed { sequence, .. } => Some(u64::from(sequence)),
            _ => None,
        })
        .collect();
    assert_eq!(sequences, (1..=u64::from(RACERS) * TURNS).collect::<Vec<_>>());
}
