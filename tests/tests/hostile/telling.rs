//! Guests that tell of money that was not there.

use hongbao_host::domain::{Opened, Request, SendError, Sent};
use hongbao_tests::chat::{amount, request, user};

use crate::stage::{Stage, bob};

const NO_SHARE: &str = "the plugin told of a share that nobody has";

#[tokio::test]
async fn nobody_is_told_of_a_share_that_they_do_not_have() {
    let stage = Stage::new("false_shares").await;
    let answer = stage.evil.grab(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, NO_SHARE).await;
    for name in ["opened", "already"] {
        let answer = stage.evil.open(stage.packet, user(name)).await;
        stage.assert_stopped(answer, NO_SHARE).await;
    }
}

#[tokio::test]
async fn a_packet_is_sent_only_if_the_ledger_says_so() {
    let stage = Stage::new("false_receipts").await;
    let answer = stage.evil.send(request(100, 10)).await;
    stage.assert_stopped(answer, "the plugin told of a packet that was not sent").await;
}

#[tokio::test]
async fn what_the_ledger_did_is_told_whatever_the_plugin_says() {
    let stage = Stage::new("false_refusals").await;
    let request = request(100, 10);
    let Ok(Sent::Sent(packet)) = stage.evil.send(request.clone()).await.unwrap() else { panic!() };
    assert_eq!(stage.evil.send(request).await.unwrap(), Ok(Sent::Replayed(packet)));
    assert!(stage.evil.grab(packet, user("bob")).await.unwrap().may_open());
    let Opened::Opened(share) = stage.evil.open(packet, user("bob")).await.unwrap() else { panic!() };
    assert_eq!(stage.evil.open(packet, user("bob")).await.unwrap(), Opened::AlreadyOpened(share));
    // What it says of somebody who has no share is its word.
    assert_eq!(stage.evil.open(packet, user("carol")).await.unwrap(), Opened::Exhausted);
    let poor = Request { sender: user("erin"), ..hongbao_tests::chat::request(100, 10) };
    let nothing = SendError::InsufficientFunds(amount(0));
    assert_eq!(stage.evil.send(poor).await.unwrap(), Err(nothing));
    stage.chat.settle_all().await;
    assert_eq!(stage.balance("bob").await, share.amount.get());
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test]
async fn everybody_gets_one_answer() {
    let stage = Stage::new("wrong_counts").await;
    for (name, given) in [("few", 0), ("many", 2)] {
        let why = format!("the plugin gave {given} answers to 1 users");
        let answer = stage.evil.grab(stage.packet, user(name)).await;
        stage.assert_stopped(answer, &why).await;
        let answer = stage.evil.open(stage.packet, user(name)).await;
        stage.assert_stopped(answer, &why).await;
        let answer = stage.evil.action(stage.packet, name.into(), bob()).await;
        stage.assert_stopped(answer, &why).await;
        let answer = stage.evil.grab_batch(vec![(stage.packet, vec![user(name)])]).await;
        stage.assert_stopped(answer, &why).await;
        let answer = stage.evil.open_batch(vec![(stage.packet, vec![user(name)])]).await;
        stage.assert_stopped(answer, &why).await;
    }
}

#[tokio::test]
async fn sending_again_is_told_as_sending_again() {
    let stage = Stage::new("false_shares").await;
    let request = request(100, 10);
    let Ok(Sent::Sent(first)) = stage.evil.send(request.clone()).await.unwrap() else { panic!() };
    assert_eq!(stage.evil.send(request).await.unwrap().unwrap(), Sent::Replayed(first));
}
