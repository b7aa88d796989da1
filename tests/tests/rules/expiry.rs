//! Expiry: a packet past its time gives no more, and what is left of it goes back once.

use std::sync::Arc;

use futures::future::Either;
use hongbao_host::domain::{Grabbed, Opened, Status};
use hongbao_host::runtime::Refunds;
use hongbao_tests::chat::request;

use crate::stage::{
    DAY_MS, FUNDED, at_once, both, by, chat, equal, filed, fund, funded, grabs, lasting, later,
    opened_before, people, refund, refunded, sent, share, take,
};

#[tokio::test]
async fn a_packet_past_its_time_gives_no_more_but_remembers() {
    let chat = chat().await;
    let packet = sent(&chat, lasting(equal(300, 3), 1_000)).await;
    take(&chat, packet, "bob").await;
    assert_eq!(chat.grab(packet, "carol").await, Grabbed::Admitted);
    later(&chat, 999).await;
    assert_eq!(chat.grab(packet, "dave").await, Grabbed::Admitted);
    later(&chat, 1).await;
    for name in ["carol", "dave", "erin"] {
        assert_eq!(chat.grab(packet, name).await, Grabbed::Expired);
        assert_eq!(chat.open(packet, name).await, Opened::Expired);
    }
    assert_eq!(chat.grab(packet, "bob").await, opened_before(100));
    assert_eq!(chat.open(packet, "bob").await, Opened::AlreadyOpened(share(100, 1)));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn what_nobody_took_goes_back_to_the_sender_once() {
    let chat = chat().await;
    let packet = sent(&chat, lasting(request(1_000, 10), 10_000)).await;
    let taken = take(&chat, packet, "bob").await + take(&chat, packet, "carol").await;
    assert_eq!(chat.balance("alice").await, 999_000);
    assert_eq!(refunded(&chat, 9_999).await, []);
    assert_eq!(refunded(&chat, 1).await, [refund(packet, 1_000 - taken)]);
    assert_eq!(chat.balance("alice").await, FUNDED - taken);
    assert_eq!(refunded(&chat, DAY_MS).await, []);
    assert_eq!(chat.balance("alice").await, FUNDED - taken);
    let shown = chat.details(packet).await.packet;
    assert_eq!((shown.status, shown.refunded.get()), (Status::Expired, 1_000 - taken));
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_packet_that_nobody_touched_goes_back_whole() {
    let chat = chat().await;
    let first = sent(&chat, lasting(equal(700, 7), 1)).await;
    let second = sent(&chat, lasting(equal(300, 3), 2)).await;
    assert_eq!(refunded(&chat, 2).await, [refund(first, 700), refund(second, 300)]);
    assert_eq!(chat.balance("alice").await, FUNDED);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_finished_packet_refunds_nothing() {
    let chat = chat().await;
    let packet = sent(&chat, lasting(equal(100, 1), 1_000)).await;
    take(&chat, packet, "bob").await;
    assert_eq!(refunded(&chat, 1_000).await, []);
    assert_eq!(chat.details(packet).await.packet.status, Status::Finished);
    assert_eq!(chat.balance("alice").await, 999_900);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_later_host_refunds_what_an_earlier_one_sent_and_no_other_does_again() {
    let directory = tempfile::tempdir().unwrap();
    let packet = {
        let first = funded(filed(directory.path())).await;
        let packet = sent(&first, equal(300, 3)).await;
        take(&first, packet, "bob").await;
        packet
    };
    {
        let second = filed(directory.path());
        assert_eq!(refunded(&second, DAY_MS).await, [refund(packet, 200)]);
        assert_eq!(second.balance("alice").await, 999_900);
        second.assert_conserved().await;
    }
    let last = filed(directory.path());
    assert_eq!(refunded(&last, DAY_MS).await, []);
    last.assert_conserved().await;
}

#[tokio::test]
async fn a_refund_that_cannot_be_posted_is_named_and_holds_up_no_other() {
    const MAX: u64 = i64::MAX as u64;
    let (_directory, chats) = both();
    for chat in chats {
        fund(&chat, "alice", MAX).await;
        let first = sent(&chat, lasting(equal(100, 1), 1_000)).await;
        // Now the refund finds no room in the wallet.
        fund(&chat, "alice", 100).await;
        fund(&chat, "bob", 100).await;
        let second = sent(&chat, lasting(by(equal(100, 1), "bob"), 2_000)).await;
        let (_, Refunds { refunded, failed }) = later(&chat, 2_000).await;
        assert_eq!(refunded, [refund(second, 100)]);
        let [(key, error)] = &failed[..] else { panic!("{failed:?}") };
        assert_eq!(key.packet, first);
        assert!(error.to_string().contains("no room for the refund"), "{error}");
        assert_eq!((chat.balance("bob").await, chat.balance("alice").await), (100, MAX));
        assert!(chat.tenant.audit().await.unwrap().is_conserved());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn opens_that_race_with_the_end_of_a_packet_take_or_leave_but_never_both() {
    let names = people(50);
    for round in 0..5 {
        let chat = Arc::new(chat().await);
        let packet = sent(&chat, lasting(request(5_000, 50), 1_000)).await;
        let seats = grabs(&chat, packet, &names).await;
        assert!(seats.iter().all(|seat| matches!(seat, Ok(Grabbed::Admitted))), "{seats:?}");
        // The end comes among the opens, later in each round.
        let mut acts: Vec<Option<String>> = names.iter().cloned().map(Some).collect();
        acts.insert(5 * round, None);
        let told = at_once(acts.into_iter().map(|act| {
            let chat = Arc::clone(&chat);
            async move {
                match act {
                    Some(name) => Either::Left(chat.open(packet, &name).await),
                    None => Either::Right(refunded(&chat, 1_000).await),
                }
            }
        }))
        .await;
        let (mut opened, mut expired, mut refunds) = (Vec::new(), 0, Vec::new());
        for told in told {
            match told {
                Either::Left(Opened::Opened(share)) => opened.push(share.amount.get()),
                Either::Left(Opened::Expired) => expired += 1,
                Either::Left(other) => panic!("{other:?}"),
                Either::Right(swept) => refunds.extend(swept),
            }
        }
        assert_eq!(opened.len() + expired, names.len());
        // What the sweep may have missed by a moment, the next one finds.
        refunds.extend(refunded(&chat, 0).await);
        let left = 5_000 - opened.iter().sum::<u64>();
        assert_eq!(refunds, if left > 0 { vec![refund(packet, left)] } else { Vec::new() });
        assert_eq!(chat.balance("alice").await, 995_000 + left);
        chat.assert_conserved().await;
    }
}
