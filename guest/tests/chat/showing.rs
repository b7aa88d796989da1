//! The room's card, asked for at any time and in any language.

use hongbao_guest::bindings::exports::hongbao::plugin::chat::{Card, Reply, Theme};
use hongbao_guest::bindings::hongbao::plugin::policy::Limits;
use hongbao_guest::bindings::hongbao::plugin::types::Failure;

use crate::fake::{Fake, limits};
use crate::{actions, code, fields, mentioning, message, press, room_card, send};

fn take(host: &Fake, id: u32, user: &str) -> Vec<Reply> {
    press(host, id, "grab", &[(user, "en")]);
    press(host, id, "open", &[(user, "en")]).remove(0)
}

/// The room's card as it is shown to somebody who reads this language.
fn shown(host: &Fake, id: u32, language: &str) -> Card {
    match &press(host, id, "show", &[("zoe", language)])[0][..] {
        [Reply::Card(card)] if !card.private => card.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_packet_with_shares_left_is_shown_as_when_it_was_sent() {
    let host = Fake::new(Limits { max_shares: 200, ..limits() });
    let names: Vec<(String, String)> = (0..103).map(|n| (format!("@u{n}"), format!("user-{n}"))).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|(text, user)| (&**text, &**user)).collect();
    let text: Vec<&str> = many.iter().map(|(text, _)| *text).collect();
    for message in [
        message("/hongbao 88.88 10 Happy new year", "en"),
        message("/红包 每人 5 x 10", "zh-CN"),
        mentioning("/hongbao to @bob 6 for you", &[("@bob", "bob")]),
        mentioning(&format!("/hongbao to {} 2", text.join(" ")), &many),
    ] {
        let card = room_card(&host, &message);
        assert_eq!(shown(&host, card.packet.unwrap(), &message.language), card, "{}", message.text);
    }
}

#[test]
fn an_open_packet_keeps_its_amounts_secret_and_asks_for_no_claims() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    let before = shown(&host, id, "en");
    take(&host, id, "bob");
    take(&host, id, "carol");
    host.calls.borrow_mut().clear();
    let card = shown(&host, id, "en");
    assert_eq!(*host.calls.borrow(), ["ledger.details"]);
    assert_eq!((&card, actions(&card)), (&before, vec!["grab"]));
    let text = format!("{card:?}");
    assert!(!text.contains('¥') && !text.contains("bob"), "{text}");
}

#[test]
fn a_batch_reads_the_packet_once_and_each_in_the_own_language() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    host.calls.borrow_mut().clear();
    let replies = press(&host, id, "show", &[("a", "en"), ("b", "zh"), ("c", "fr")]);
    let titles: Vec<&str> = replies
        .iter()
        .map(|replies| match &replies[..] {
            [Reply::Card(card)] => &*card.title,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(titles, ["Red packet 🧧", "红包 🧧", "Red packet 🧧"]);
    assert_eq!(*host.calls.borrow(), ["ledger.details"]);
}

#[test]
fn a_finished_packet_is_shown_as_whoever_took_the_last_share_brought_it() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 2 hi");
    take(&host, id, "bob");
    host.advance(8_390);
    let last = take(&host, id, "carol");
    // Also when its time is over: nothing went back.
    for _ in 0..2 {
        assert_eq!(last[1], Reply::Card(shown(&host, id, "en")));
        host.advance(86_400_000);
    }
    assert_eq!(shown(&host, id, "zh").title, "红包已被抢光");
}

#[test]
fn a_packet_past_its_time_says_what_goes_back() {
    let host = Fake::default();
    let id = send(&host, "/hongbao each 5 x 2 hi");
    take(&host, id, "bob");
    host.advance(86_399_999);
    assert_eq!(shown(&host, id, "en").theme, Theme::Sealed);
    host.advance(1);
    let card = shown(&host, id, "en");
    assert_eq!((card.theme, card.packet), (Theme::Expired, Some(id)));
    assert_eq!(&*card.title, "This red packet has expired");
    assert_eq!(card.body, "hi\n¥5.00 is going back to the sender");
    assert_eq!(fields(&card), [("alice", "From", "sent a red packet")]);
    assert_eq!(actions(&card), ["details"]);
    host.refund(id);
    assert_eq!(shown(&host, id, "en").body, "hi\n¥5.00 went back to the sender");
    let card = shown(&host, id, "zh-TW");
    assert_eq!((&*card.title, &*card.body), ("该红包已过期", "hi\n已退回¥5.00"));
}

#[test]
fn what_cannot_be_shown_is_a_problem() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    let nowhere = 99;
    assert_eq!(code(&press(&host, nowhere, "show", &[("bob", "en")])[0]), "not-found");
    let errors = [
        (Failure::Busy, "busy"),
        (Failure::Unavailable, "unavailable"),
        (Failure::Other("torn".into()), "internal"),
    ];
    for (error, expected) in errors {
        host.ledger_away.replace(Some(error));
        assert_eq!(code(&press(&host, id, "show", &[("bob", "en")])[0]), expected);
    }
    host.ledger_away.replace(None);
    assert_eq!(press(&host, id, "show", &[]).len(), 0);
}
