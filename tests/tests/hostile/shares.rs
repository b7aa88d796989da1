//! Guests that ask the ledger for what they were not told to: amounts, orders, users.

use hongbao_host::domain::{Mention, Message, Policy, Request, SendError, Strategy};
use hongbao_host::store::Parked;
use hongbao_tests::chat::{amount, plugin, request, user};

use crate::stage::{Stage, message};

const NO_SHARE: &str = "the plugin told of a share that nobody has";
const NO_ORDER: &str = "the plugin reached for an order that nobody gave";
const NO_AMOUNT: &str = "the plugin used an amount that is none: ";

#[tokio::test]
async fn shares_that_break_the_books_are_not_claimed() {
    let stage = Stage::new("wrong_amounts").await;
    for name in ["nothing", "too-much"] {
        let answer = stage.evil.open(stage.packet, user(name)).await;
        stage.assert_stopped(answer, NO_SHARE).await;
    }
    let answer = stage.evil.open(stage.packet, user("below-zero")).await;
    let error = answer.as_ref().unwrap_err().to_string();
    assert!(error.contains(NO_AMOUNT), "{error}");
    let why = error.strip_prefix("the plugin failed: ").unwrap().to_owned();
    stage.assert_stopped(answer, &why).await;
}

#[tokio::test]
async fn more_claims_than_shares_are_none() {
    let stage = Stage::new("wrong_amounts").await;
    let eleven = (0..11).map(|number| user(&format!("user-{number}"))).collect();
    let answer = stage.evil.open_batch(stage.packet, eleven).await;
    stage.assert_stopped(answer, NO_SHARE).await;
    // Ten would be as many as there are, but ten times 1 is not the whole packet.
    let ten = (0..10).map(|number| user(&format!("user-{number}"))).collect();
    let answer = stage.evil.open_batch(stage.packet, ten).await;
    stage.assert_stopped(answer, NO_SHARE).await;
    let twice = vec![user("bob"), user("bob")];
    let answer = stage.evil.open_batch(stage.packet, twice).await;
    stage.assert_stopped(answer, NO_SHARE).await;
}

#[tokio::test]
async fn an_order_is_recorded_as_it_was_given_or_not_at_all() {
    let stage = Stage::new("wrong_orders").await;
    let named =
        ["total", "nothing", "shares", "key", "sender", "room", "strategy", "life", "audience", "greeting"];
    for greeting in named {
        let request = Request {
            greeting: greeting.into(),
            strategy: Some(Strategy::LineCut),
            expires_in_ms: Some(60_000),
            ..request(100, 10)
        };
        let answer = stage.evil.send(request).await;
        stage.assert_stopped(answer, NO_ORDER).await;
    }
    let below = Request { greeting: "below zero".into(), ..request(100, 10) };
    let error = stage.evil.send(below).await.unwrap_err().to_string();
    assert!(error.contains(NO_AMOUNT), "{error}");
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn a_rule_that_the_plugin_does_not_check_holds_all_the_same() {
    let stage = Stage::new("wrong_orders").await;
    let policy = Policy::default();
    let too_much = policy.max_share.get() * 10 + 1;
    for (total, shares) in [(0, 1), (9, 10), (100, 0), (1000, 101), (too_much, 10)] {
        let sent = stage.evil.send(request(total, shares)).await.unwrap();
        assert!(
            matches!(sent, Err(SendError::Other(_) | SendError::Refused(_))),
            "{total} in {shares}: {sent:?}"
        );
    }
    let long = Request { greeting: "x".repeat(201), ..request(100, 10) };
    assert!(stage.evil.send(long).await.unwrap().is_err());
    let poor = Request { sender: user("bob"), ..request(100, 10) };
    let nothing = SendError::InsufficientFunds(amount(0));
    assert_eq!(stage.evil.send(poor).await.unwrap(), Err(nothing));
    stage.assert_unharmed().await;
}

#[tokio::test]
async fn one_request_sends_one_packet() {
    let stage = Stage::new("second_packet").await;
    let answer = stage.evil.send(request(100, 10)).await;
    assert_eq!(answer.as_ref().unwrap_err().code(), "plugin-failed");
    let said = "the plugin failed: the plugin reached for a second packet";
    assert_eq!(answer.unwrap_err().to_string(), said);
    // The first stands, since it was asked for: whoever asks again with its key is told of it.
    assert_eq!(stage.balance("alice").await, 100_000 - 1000 - 100);
    assert_eq!(stage.evil.audit().await.unwrap().packets, 3);
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test]
async fn a_message_sends_its_senders_money_alone_and_to_whom_it_names() {
    let stage = Stage::new("wrong_messages").await;
    for text in ["/audience", "/nobody", "/sender", "/key", "/room"] {
        let answer = stage.evil.command(message(text)).await;
        stage.assert_stopped(answer, NO_ORDER).await;
    }
    // Had it been mentioned, mallory could have been meant.
    let mallory = Mention { text: "@mallory".into(), user: user("mallory") };
    let mentioning = Message { mentions: vec![mallory], ..message("/audience") };
    assert!(stage.evil.command(mentioning).await.is_ok());
    let answer = stage.evil.command(message("/twice")).await;
    assert_eq!(answer.unwrap_err().to_string(), "the plugin failed: the plugin reached for a second packet");
    // A message sends; it takes no share, not even its sender's own.
    let answer = stage.evil.command(message("/claim")).await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        "the plugin failed: the plugin reached for more users than asked"
    );
    assert_eq!(stage.evil.audit().await.unwrap().claims, 0);
    assert_eq!(stage.balance("alice").await, 100_000 - 1000 - 10 - 10 - 10);
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test]
async fn nobody_takes_for_somebody_who_did_not_ask() {
    let stage = Stage::new("other_users").await;
    let why = "the plugin reached for a user who did not ask";
    for name in ["swap", "seats", "admit"] {
        let answer = stage.evil.grab(stage.packet, user(name)).await;
        stage.assert_stopped(answer, why).await;
    }
    let answer = stage.evil.open(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, why).await;
    assert_eq!(stage.balance("mallory").await, 0);
}

#[tokio::test]
async fn another_packet_is_out_of_reach_whosever_it_is() {
    let stage = Stage::new("other_packets").await;
    let foreign = stage.chat.lucky(100, 10).await;
    for packet in [stage.other, foreign] {
        for deed in ["load", "claims", "claim", "close", "look", "take", "end"] {
            let answer = stage.evil.grab(stage.packet, user(&format!("{deed}:{packet}"))).await;
            let why = "the plugin reached for a packet that the call is not about";
            stage.assert_stopped(answer, why).await;
        }
    }
    assert_eq!(stage.chat.details(foreign).await.claimed_shares, 0);
    assert!(stage.chat.grab(foreign, "bob").await.may_open());
    stage.evil.upgrade(plugin()).await.unwrap();
    assert!(stage.evil.grab(stage.other, user("bob")).await.unwrap().may_open());
}

#[tokio::test]
async fn a_claim_is_large_if_the_policy_says_so_and_not_the_plugin() {
    let stage = Stage::new("all_large").await;
    stage.evil.open(stage.packet, user("bob")).await.unwrap();
    stage.chat.settle_all().await;
    let settled = stage.chat.host.settlements();
    assert_eq!((settled.large.claims, settled.normal.claims), (0, 1));
    assert_eq!(stage.chat.host.parked(1).await.unwrap(), Vec::<Parked>::new());
    assert_eq!(stage.balance("bob").await, 1);
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}
