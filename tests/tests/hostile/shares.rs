//! Guests that ask the ledger for what they were not told to: amounts, orders, users.

use hongbao_host::domain::{Mention, Message, Policy, Reply, Request, SendError, Strategy};
use hongbao_tests::chat::{amount, request, user};

use crate::stage::{Stage, message};

const NO_SHARE: &str = "the plugin told of a share that nobody has";
const NO_ORDER: &str = "the plugin reached for an order that nobody gave";
const NOBODY: &str = "the plugin reached for a user whom nobody named";
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
    let answer = stage.evil.open_batch(vec![(stage.packet, eleven)]).await;
    stage.assert_stopped(answer, NO_SHARE).await;
    // Ten would be as many as there are, but ten times 1 is not the whole packet.
    let ten = (0..10).map(|number| user(&format!("user-{number}"))).collect();
    let answer = stage.evil.open_batch(vec![(stage.packet, ten)]).await;
    stage.assert_stopped(answer, NO_SHARE).await;
}

#[tokio::test]
async fn an_order_is_recorded_as_it_was_given_or_not_at_all() {
    let stage = Stage::new("wrong_orders").await;
    let named = ["total", "nothing", "shares", "strategy", "life", "greeting"];
    for greeting in named {
        let request = Request {
            greeting: greeting.into(),
            strategy: Some(Strategy::LINE_CUT),
            expires_in_ms: Some(60_000),
            ..request(100, 10)
        };
        let answer = stage.evil.send(request).await;
        stage.assert_stopped(answer, NO_ORDER).await;
    }
    let stranger = Request { greeting: "audience".into(), ..request(100, 10) };
    let answer = stage.evil.send(stranger).await;
    stage.assert_stopped(answer, NOBODY).await;
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
            matches!(sent, Err(SendError::InvalidArgument(_) | SendError::Refused(_))),
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
    let answer = stage.evil.command(message("/audience")).await;
    stage.assert_stopped(answer, NOBODY).await;
    // Had there been eight mentions, mallory could have been meant.
    let mallory = |number| Mention { text: "@mallory".into(), user: user(&format!("mallory-{number}")) };
    let mentioning = Message { mentions: (0..8).map(mallory).collect(), ..message("/audience") };
    assert!(stage.evil.command(mentioning).await.is_ok());
    for (text, why) in [("/cap", "a share is at most 20000"), ("/strategy", "there is no strategy no-such")] {
        let [Reply::Notice(told)] = &stage.evil.command(message(text)).await.unwrap()[..] else { panic!() };
        assert!(told.contains(why), "{told}");
    }
    let answer = stage.evil.command(message("/no-strategy")).await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        "the plugin failed: the plugin reached for a strategy that is none"
    );
    let answer = stage.evil.command(message("/twice")).await;
    assert_eq!(answer.unwrap_err().to_string(), "the plugin failed: the plugin reached for a second packet");
    // A message sends; it takes no share, not even its sender's own.
    let answer = stage.evil.command(message("/claim")).await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        "the plugin failed: the plugin reached for a user who did not ask"
    );
    assert_eq!(stage.evil.audit().await.unwrap().claims, 0);
    assert_eq!(stage.balance("alice").await, 100_000 - 1000 - 10 - 10 - 10);
    stage.assert_others_go_on().await;
    stage.assert_conserved().await;
}

#[tokio::test]
async fn what_is_not_in_the_call_cannot_be_named() {
    let stage = Stage::new("other_places").await;
    let packet = "the plugin reached for a packet that the call is not about";
    let user_ = "the plugin reached for a user who did not ask";
    let mut cases: Vec<_> = ["load", "details", "claim", "look", "take", "admit", "seats", "names"]
        .into_iter()
        .flat_map(|deed| [(deed, 1, packet), (deed, u32::MAX, packet)])
        .collect();
    for deed in ["user", "guest", "share"] {
        cases.extend([(deed, 1, user_), (deed, u32::MAX, user_)]);
    }
    let count = "the plugin reached for more or fewer users than it says";
    cases.extend([("more", 0, count), ("fewer", 0, count)]);
    cases.push(("twice", 0, "the plugin reached for packets out of order"));
    for (deed, place, why) in cases {
        let answer = stage.evil.grab(stage.packet, user(&format!("{deed}:{place}"))).await;
        stage.assert_stopped(answer, why).await;
    }
}

#[tokio::test]
async fn a_share_has_its_own_randomness_and_no_other() {
    let stage = Stage::new("free_draws").await;
    let why = "the plugin reached for numbers that belong to no share";
    let answer = stage.evil.grab(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, why).await;
    let answer = stage.evil.open(stage.packet, user("bob")).await;
    stage.assert_stopped(answer, why).await;
    let answer = stage.evil.send(request(100, 10)).await;
    stage.assert_stopped(answer, "the plugin reached for the numbers of shares where none is opened").await;
}
