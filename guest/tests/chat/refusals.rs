//! What `send` refuses, in the sender's own words and money.

use hongbao_guest::bindings::hongbao::plugin::policy::Limits;
use hongbao_guest::bindings::hongbao::plugin::types::Failure;

use crate::fake::{Fake, limits};
use crate::{mentioning, message, problem, refusal};

fn invalid(limits: Limits, text: &str, english: &str, chinese: &str) {
    let host = Fake::new(limits);
    for (language, said) in [("en", english), ("zh", chinese)] {
        let mut message = mentioning(text, &[("@alice", "alice"), ("@bob", "b"), ("@carol", "c")]);
        message.language = language.into();
        let problem = refusal(&host, &message);
        assert_eq!((&*problem.code, &*problem.message), ("invalid-argument", said), "{text}");
    }
    assert!(host.orders().is_empty());
}

#[test]
fn a_total_that_does_not_fit_its_shares_is_refused() {
    let little = "¥0.09 is too little for 10 shares: the least is ¥0.10.";
    invalid(limits(), "/hongbao 0.09 10", little, "¥0.09不够10个人分，最少¥0.10");
    let large = "¥400.01 is too much for 2 shares: the most is ¥400.00.";
    invalid(limits(), "/hongbao 400.01 2", large, "¥400.01发给2个人太多了，最多¥400.00");
    let limits = Limits { max_share: u64::MAX, ..limits() };
    let large =
        "¥92,233,720,368,547,758.08 is too much for 1 shares: the most is ¥92,233,720,368,547,758.07.";
    invalid(
        limits,
        "/hongbao 92233720368547758.08 1",
        large,
        "¥92,233,720,368,547,758.08发给1个人太多了，最多¥92,233,720,368,547,758.07",
    );
}

#[test]
fn a_total_that_does_not_divide_is_refused_where_shares_are_equal_by_default() {
    let limits = Limits { default_strategy: "equal".into(), ..limits() };
    let english = "¥1.00 cannot be divided equally into 18 shares.";
    invalid(limits, "/hongbao 1 18", english, "¥1.00不能平均分成18份");
}

#[test]
fn more_people_than_shares_may_be_are_refused() {
    let limits = Limits { max_shares: 2, ..limits() };
    let english = "3 shares are too many: the most is 2.";
    invalid(limits, "/hongbao to @alice @bob @carol 6", english, "3个太多了，最多2个");
}

#[test]
fn nobody_sends_to_themselves_where_senders_may_not_grab() {
    let limits = Limits { sender_may_grab: false, ..limits() };
    let english = "You cannot take a share of your own red packet. Name others.";
    invalid(limits, "/hongbao to @alice 6", english, "不能领自己发的红包，请点别人的名");
}

#[test]
fn a_greeting_is_short_and_on_one_line() {
    let long = format!("/hongbao 1 2 {}", "福".repeat(201));
    let english = "The greeting is too long: the most is 200 characters.";
    invalid(limits(), &long, english, "祝福语太长了，最多200个字");
    for greeting in ["a\nb", "a\tb", "a\u{7}b", "a\u{9b}b", "a\0b"] {
        let text = format!("/hongbao 1 2 {greeting}");
        let english = "The greeting must be one line of plain text.";
        invalid(limits(), &text, english, "祝福语只能是一行普通文字");
    }
}

#[test]
fn a_wallet_that_holds_too_little_is_told_what_it_holds() {
    let host = Fake::default();
    host.balance.set(500);
    let english = problem(&host, "/hongbao 5.01 2", "en");
    assert_eq!(english.code, "insufficient-funds");
    assert_eq!(english.message, "Your wallet holds ¥5.00, which is not enough for ¥5.01.");
    assert_eq!(problem(&host, "/hongbao 5.01 2", "zh").message, "零钱只有¥5.00，不够发¥5.01");
}

#[test]
fn a_message_that_says_something_else_than_before_sends_nothing() {
    let host = Fake::default();
    let mut message = message("/hongbao 1 2", "en");
    crate::room_card(&host, &message);
    message.text = "/hongbao 1 3".into();
    assert_eq!(refusal(&host, &message).code, "key-reused");
    assert_eq!(host.order().shares, 2);
}

#[test]
fn without_the_ledger_nobody_is_told_to_send_again_blindly() {
    let host = Fake::default();
    host.ledger_away.replace(Some(Failure::Unavailable));
    let problem = problem(&host, "/hongbao 1 2", "en");
    assert_eq!(problem.code, "unavailable");
    let said =
        "The server does not answer. Your red packet may have been sent: look with /hongbao best first.";
    assert_eq!(problem.message, said);
}

#[test]
fn a_packet_that_an_overloaded_ledger_refused_was_not_sent_and_is_told_so() {
    let host = Fake::default();
    host.ledger_away.replace(Some(Failure::Busy));
    let problem = problem(&host, "/hongbao 1 2", "en");
    assert_eq!(problem.code, "busy");
    assert!(problem.message.contains("was not sent"), "{}", problem.message);
    assert_eq!(host.calls.borrow().len(), 1, "one question, and none in its place");
}

#[test]
fn what_users_can_do_nothing_about_is_told_the_operator() {
    let host = Fake::default();
    host.ledger_away.replace(Some(Failure::Other("the disk is full".into())));
    for text in ["/hongbao 1 2", "/hongbao best"] {
        let problem = problem(&host, text, "en");
        assert_eq!((&*problem.code, &*problem.message), ("internal", "Something went wrong here."));
    }
    assert_eq!(*host.logged.borrow(), ["the disk is full", "the disk is full"]);
}
