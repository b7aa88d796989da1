//! Many at once.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::Either;
use hongbao_host::domain::{Grabbed, Opened, OpenedShare, PacketId, SendError, Sent, Status};
use hongbao_host::runtime::CallError;
use hongbao_tests::chat::{Chat, request, user};

use crate::stage::{at_once, both, chat, equal, fund, funded, grabs, opens, people, sent, settle};

fn share_of(opened: &Result<Opened, CallError>) -> Option<OpenedShare> {
    match opened {
        Ok(Opened::Opened(share)) => Some(*share),
        _ => None,
    }
}

/// A hundred and fifty users on ten shares.
async fn storm(chat: &Chat) {
    let packet = sent(chat, request(1_000, 10)).await;
    let names = people(150);
    let seats = grabs(chat, packet, &names).await;
    let count = |wanted| seats.iter().filter(|seat| matches!(seat, Ok(seat) if *seat == wanted)).count();
    assert_eq!((count(Grabbed::Admitted), count(Grabbed::Exhausted)), (10, 140), "{seats:?}");
    let mut told = BTreeMap::new();
    for ((name, seat), opened) in names.iter().zip(&seats).zip(opens(chat, packet, &names).await) {
        match (seat, opened) {
            (Ok(Grabbed::Admitted), Ok(Opened::Opened(share))) => {
                assert_eq!(told.insert(share.sequence, (name.as_str(), share.amount)), None);
            }
            (Ok(Grabbed::Exhausted), Ok(Opened::NotGrabbed)) => {}
            other => panic!("{name}: {other:?}"),
        }
    }
    assert!(told.keys().copied().eq(1..=10), "{told:?}");
    assert_eq!(told.values().map(|(_, amount)| amount.get()).sum::<u64>(), 1_000);
    let shown = chat.details(packet).await;
    assert_eq!(shown.packet.status, Status::Finished);
    let claims = shown.claims.iter().map(|claim| (claim.sequence, (claim.user.as_str(), claim.amount)));
    assert!(claims.eq(told), "what users were told is what the books say: {shown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exactly_as_many_as_there_are_shares_open_at_once() {
    let (_directory, chats) = both();
    for chat in chats {
        let chat = funded(chat).await;
        storm(&chat).await;
        assert_eq!(settle(&chat).await.len(), 10);
        assert_eq!(chat.tenant.audit().await.unwrap().claimed, 1_000);
        chat.assert_conserved().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_with_many_thumbs_gets_one_share() {
    let chat = chat().await;
    let packet = sent(&chat, equal(1_000, 10)).await;
    let thumbs: Vec<String> = people(5).into_iter().cycle().take(120).collect();
    let seats = grabs(&chat, packet, &thumbs).await;
    let count = |wanted| seats.iter().filter(|seat| matches!(seat, Ok(seat) if *seat == wanted)).count();
    assert_eq!((count(Grabbed::Admitted), count(Grabbed::AlreadyGrabbed)), (5, 115), "{seats:?}");
    let opened = opens(&chat, packet, &thumbs).await;
    assert_eq!(opened.iter().filter_map(share_of).count(), 5);
    for number in 0..5 {
        let own = opened.iter().skip(number).step_by(5);
        let own: Vec<OpenedShare> = own
            .map(|opened| match opened {
                Ok(Opened::Opened(share) | Opened::AlreadyOpened(share)) => *share,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(own.len(), 24);
        assert!(own.iter().all(|share| *share == own[0] && share.amount.get() == 100), "{own:?}");
    }
    chat.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn grabs_and_opens_of_several_packets_may_come_all_at_once() {
    let chat = chat().await;
    let mut packets: Vec<PacketId> = Vec::new();
    for _ in 0..4 {
        packets.push(sent(&chat, request(500, 20)).await);
    }
    let mut told = BTreeSet::new();
    // People tap until they know: each round is grabs and opens of everybody, in any order.
    for _ in 0..6 {
        let taps = people(100).into_iter().zip(packets.iter().copied().cycle());
        let acts = taps.flat_map(|(name, packet)| [false, true].map(|seat| (name.clone(), packet, seat)));
        let answers = at_once(acts.map(|(name, packet, seat)| {
            let tenant = chat.tenant.clone();
            async move {
                match seat {
                    true => tenant.grab(packet, user(&name)).await.map(|_| None).unwrap(),
                    false => share_of(&tenant.open(packet, user(&name)).await).map(|_| (packet, name)),
                }
            }
        }))
        .await;
        for one in answers.into_iter().flatten() {
            assert!(told.insert(one.clone()), "twice: {one:?}");
        }
    }
    assert_eq!(told.len(), 80);
    for packet in packets {
        let shown = chat.details(packet).await.packet;
        assert_eq!((shown.status, shown.claimed_amount.get()), (Status::Finished, 500));
    }
    chat.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sends_at_once_never_spend_more_than_there_is() {
    let chat = Chat::default();
    fund(&chat, "alice", 1_000).await;
    let sends = at_once((0..50).map(|_| {
        let tenant = chat.tenant.clone();
        async move { tenant.send(request(100, 5)).await.unwrap() }
    }))
    .await;
    let paid = sends.iter().filter(|sent| matches!(sent, Ok(Sent::Sent(_)))).count();
    let poor = sends.iter().filter(|sent| matches!(sent, Err(SendError::InsufficientFunds(_)))).count();
    assert_eq!((paid, poor), (10, 40), "{sends:?}");
    assert_eq!(chat.balance("alice").await, 0);
    chat.assert_conserved().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cache_lost_in_the_middle_of_a_storm_costs_nothing() {
    let chat = chat().await;
    let packet = sent(&chat, request(1_000, 50)).await;
    let names = people(100);
    for _ in 0..4 {
        // Ten taps and ten opens, then the cache is lost, again and again.
        let acts = names.chunks(10).flat_map(|names| {
            let taps = names.iter().flat_map(|name| [(name, false), (name, true)]);
            std::iter::once(Either::Left(()))
                .chain(taps.map(|(name, open)| Either::Right((name.clone(), open))))
        });
        at_once(acts.map(|act| {
            let (host, tenant) = (chat.host.clone(), chat.tenant.clone());
            async move {
                match act {
                    Either::Left(()) => host.lose_cache().await.unwrap(),
                    Either::Right((name, false)) => drop(tenant.grab(packet, user(&name)).await.unwrap()),
                    Either::Right((name, true)) => drop(tenant.open(packet, user(&name)).await.unwrap()),
                }
            }
        }))
        .await;
    }
    // Whoever holds a seat that nobody opened may keep others out; they open now.
    for name in &names {
        chat.open(packet, name).await;
    }
    let shown = chat.details(packet).await.packet;
    assert_eq!((shown.status, shown.claimed_shares), (Status::Finished, 50));
    assert_eq!(shown.claimed_amount.get(), 1_000);
    assert_eq!(chat.grab(packet, "late").await, Grabbed::Exhausted);
    chat.assert_conserved().await;
}

/// Whom the host had no room for, of those who asked; all others must have one of the answers.
fn busy<T: std::fmt::Debug>(
    names: Vec<String>,
    told: &[Result<T, CallError>],
    is_answer: impl Fn(&T) -> bool,
) -> Vec<String> {
    let again = names.into_iter().zip(told).filter(|(name, told)| match told {
        Ok(answer) => {
            assert!(is_answer(answer), "{name}: {answer:?}");
            false
        }
        Err(CallError::Busy | CallError::Overloaded) => true,
        Err(other) => panic!("{name}: {other}"),
    });
    again.map(|(name, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_past_the_queue_is_told_so_and_asks_again() {
    const CROWD: usize = 15_000;
    let chat = chat().await;
    let packet = sent(&chat, equal(100, 100)).await;
    let mut waiting = people(CROWD);
    while !waiting.is_empty() {
        let told = grabs(&chat, packet, &waiting).await;
        waiting = busy(waiting, &told, |seat| matches!(seat, Grabbed::Admitted | Grabbed::Exhausted));
    }
    let mut waiting = people(CROWD);
    while !waiting.is_empty() {
        let told = opens(&chat, packet, &waiting).await;
        waiting = busy(waiting, &told, |opened| matches!(opened, Opened::Opened(_) | Opened::NotGrabbed));
    }
    let shown = chat.details(packet).await.packet;
    assert_eq!((shown.status, shown.claimed_amount.get()), (Status::Finished, 100));
    chat.assert_conserved().await;
}
