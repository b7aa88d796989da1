//! Mentions: money goes to exactly the people who were named, or nowhere.

use hongbao_guest::bindings::hongbao::plugin::ledger::Audience;

use crate::fake::Fake;
use crate::{fields, mentioning, refusal, room_card};

const BOBS: [(&str, &str); 2] = [("@Bob Smith", "smith"), ("@Bob", "bob")];

/// Whom a text names, and the greeting.
fn named(text: &str, mentions: &[(&str, &str)]) -> (Vec<String>, String) {
    let host = Fake::default();
    room_card(&host, &mentioning(text, mentions));
    let order = host.order();
    assert!(matches!(order.audience, Audience::Only(_)), "{text}: {:?}", order.audience);
    let users = host.to();
    assert_eq!((order.total, order.shares as usize), (2000, users.len()), "{text}");
    (users, order.greeting)
}

#[test]
fn several_people_get_as_many_shares() {
    let people = [("@bob", "b"), ("@carol", "c"), ("@戴夫", "d")];
    let texts = [
        "/hongbao to @bob @carol @戴夫 20 hi",
        "/hongbao to @bob, @carol,@戴夫 20 hi",
        "/红包 发给@bob、@carol，@戴夫\u{2005}20 hi",
    ];
    for text in texts {
        assert_eq!(
            named(text, &people),
            (["b", "c", "d"].map(String::from).to_vec(), "hi".to_owned()),
            "{text}"
        );
    }
}

#[test]
fn a_mention_may_hold_spaces() {
    assert_eq!(
        named("/hongbao to @Bob Smith 20 hi", &BOBS[..1]),
        (vec!["smith".to_owned()], "hi".to_owned())
    );
    let both = vec!["smith".to_owned(), "bob".to_owned()];
    assert_eq!(named("/hongbao to @Bob Smith @Bob 20", &BOBS).0, both);
    // WeChat's own mentions end with a space of a quarter of an em.
    assert_eq!(named("/红包 给 @bob\u{2005}20", &[("@bob\u{2005}", "b")]).0, ["b"]);
    assert_eq!(named("/hongbao to <@U1> 20", &[("<@U1>", "u1")]).0, ["u1"]);
}

#[test]
fn people_of_one_name_are_told_apart_by_their_turn() {
    let twins = [("@Bob", "first"), ("@Bob", "second")];
    assert_eq!(named("/hongbao to @Bob @Bob 20", &twins).0, ["first", "second"]);
    let (users, greeting) = named("/hongbao to @Bob 20 from @Bob", &twins);
    assert_eq!((users, &*greeting), (vec!["first".to_owned()], "from @Bob"));
}

#[test]
fn out_of_turn_the_longest_name_is_meant() {
    let mixed = [("@zoe", "zoe"), BOBS[1], BOBS[0]];
    assert_eq!(named("/hongbao to @Bob Smith @zoe 20", &mixed).0, ["smith", "zoe"]);
}

#[test]
fn nobody_is_named_twice() {
    for mentions in [&[("@bob", "b"), ("@bob", "b")][..], &[("@bob", "b")]] {
        let host = Fake::default();
        let problem = refusal(&host, &mentioning("/hongbao to @bob @bob 20", mentions));
        assert_eq!((&*problem.code, &*problem.message), ("repeated-mention", "“@bob” is named twice."));
        assert!(host.orders().is_empty());
    }
}

#[test]
fn who_is_not_known_is_told_and_nothing_is_sent() {
    let cases = [
        ("/hongbao to @dave 20", "@dave"),
        ("/hongbao to @bobby 20", "@bobby"),
        ("/hongbao to @bob @dave 20", "@dave"),
        ("/hongbao to dave 20", "dave"),
        ("/hongbao to 20 @bob", "20"),
        ("/hongbao to ＠bob 20", "＠bob"),
    ];
    for (text, name) in cases {
        let host = Fake::default();
        let mut message = mentioning(text, &[("@bob", "b")]);
        let problem = refusal(&host, &message);
        assert_eq!(problem.code, "unknown-mention", "{text}");
        assert_eq!(
            problem.message,
            format!("I do not know “{name}”. Pick people from the list that @ opens.")
        );
        message.language = "zh-Hans".into();
        let said = refusal(&host, &message).message;
        assert_eq!(said, format!("不认识“{name}”，请用 @ 从列表里选人"));
        assert!(host.orders().is_empty());
    }
}

#[test]
fn half_a_name_is_nobody() {
    // `@Bob` is known, `@Bob Smith` is not: what follows is no amount.
    let host = Fake::default();
    let problem = refusal(&host, &mentioning("/hongbao to @Bob Smith 20", &BOBS[1..]));
    assert_eq!(problem.message, "“Smith” is not an amount. Write one like 88.88.");
}

#[test]
fn what_is_missing_is_told() {
    let host = Fake::default();
    let problem = refusal(&host, &mentioning("/hongbao to", &[]));
    assert_eq!(problem.code, "unknown-mention");
    assert_eq!(problem.message, "The people are missing. Name them with @, before the amount.");
    let problem = refusal(&host, &mentioning("/hongbao to @bob", &[("@bob", "b")]));
    assert_eq!(problem.message, "The amount is missing. Write one like 88.88.");
    let nameless = refusal(&host, &mentioning("/hongbao to 5", &[("", "b")]));
    assert_eq!(nameless.code, "unknown-mention", "a mention of no text stands nowhere");
}

#[test]
fn a_mention_elsewhere_is_only_text() {
    let host = Fake::default();
    let card = room_card(&host, &mentioning("/hongbao 20 2 thanks to @bob", &[("@bob", "b")]));
    assert_eq!(card.body, "thanks to @bob");
    assert_eq!(host.order().audience, Audience::Everyone);
    assert_eq!(fields(&card).len(), 3);
}
