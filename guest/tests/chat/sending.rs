//! The room's card of a new packet.

use hongbao_guest::bindings::exports::hongbao::plugin::chat::{Emphasis, Reply, Theme};

use crate::fake::{Fake, limits};
use crate::{actions, fields, message, press, reply, room_card};

#[test]
fn the_card_shows_the_greeting_and_keeps_the_total_a_secret() {
    let host = Fake::default();
    let card = room_card(&host, &message("/hongbao 88.88 10 Happy new year", "en"));
    assert_eq!((card.theme, &*card.title, &*card.body), (Theme::Sealed, "Red packet 🧧", "Happy new year"));
    let expected = [("alice", "From", "sent a red packet"), ("", "Kind", "lucky draw"), ("", "Shares", "10")];
    assert_eq!(fields(&card), expected);
    let [button] = &*card.buttons else { panic!("{:?}", card.buttons) };
    assert_eq!((&*button.action, &*button.label, button.emphasis), ("grab", "Grab", Emphasis::Primary));
    assert!(!format!("{card:?}").contains("88"));
}

#[test]
fn the_card_is_in_the_senders_language() {
    let card = room_card(&Fake::default(), &message("/红包 每人 5 x 10", "zh-CN"));
    assert_eq!((&*card.title, &*card.body), ("红包 🧧", "恭喜发财，大吉大利"));
    let expected = [("alice", "发红包的人", "发了一个红包"), ("", "类型", "普通红包"), ("", "个数", "10")];
    assert_eq!(fields(&card), expected);
    assert_eq!(card.buttons[0].label, "抢红包");
}

#[test]
fn a_message_that_is_delivered_twice_sends_once_and_answers_the_same() {
    let host = Fake::default();
    for text in ["/hongbao 88.88 10", "/hongbao each 1 x 2 hi"] {
        let message = message(text, "zh");
        let first = reply(&host, &message);
        assert!(matches!(&first, Reply::Card(card) if card.packet.is_some()));
        assert_eq!(reply(&host, &message), first);
        host.advance(60_000);
        assert_eq!(reply(&host, &message), first);
    }
    assert_eq!(host.orders().len(), 2);
}

#[test]
fn two_messages_of_one_text_send_twice() {
    let host = Fake::default();
    let cards = [0, 1].map(|_| room_card(&host, &message("/hongbao 1 1", "en")));
    assert_ne!(cards[0].packet, cards[1].packet);
}

#[test]
fn a_message_that_is_delivered_late_does_not_seal_a_finished_packet_again() {
    let host = Fake::default();
    let message = message("/hongbao 1 1", "en");
    let id = room_card(&host, &message).packet.unwrap();
    press(&host, id, "grab", &[("bob", "en")]);
    let [replies] = &press(&host, id, "open", &[("bob", "en")])[..] else { panic!() };
    let again = room_card(&host, &message);
    assert_eq!(again.theme, Theme::Finished);
    assert_eq!(replies[1], Reply::Card(again));
}

#[test]
fn a_cache_that_is_away_stops_nobody_from_sending() {
    let host = Fake::default();
    host.counter_away.set(true);
    assert_eq!(actions(&room_card(&host, &message("/hongbao 1 1", "en"))), ["grab"]);
}

#[test]
fn a_card_names_a_hundred_people_and_counts_the_rest() {
    let host =
        Fake::new(hongbao_guest::bindings::hongbao::plugin::policy::Limits { max_shares: 200, ..limits() });
    let names: Vec<(String, String)> = (0..103).map(|n| (format!("@u{n}"), format!("user-{n}"))).collect();
    let text: Vec<&str> = names.iter().map(|(text, _)| &**text).collect();
    let mentions: Vec<(&str, &str)> = names.iter().map(|(text, user)| (&**text, &**user)).collect();
    let card = room_card(&host, &crate::mentioning(&format!("/hongbao to {} 2", text.join(" ")), &mentions));
    assert_eq!(host.order().shares, 103);
    assert_eq!(card.fields.len(), 3 + 100 + 1);
    assert_eq!(fields(&card)[102], ("user-99", "For", "may open it"));
    assert_eq!(fields(&card)[103], ("", "… and 3 more", ""));
}
