//! Buttons: one call for a batch, an answer for each in the own language.

use hongbao_guest::bindings::exports::hongbao::plugin::chat::{Emphasis, Reply, Theme};
use hongbao_guest::bindings::hongbao::plugin::policy::Limits;
use hongbao_guest::bindings::hongbao::plugin::types::Failure;
use hongbao_guest::chat::money::shown;

use crate::fake::{Fake, limits};
use crate::{actions, code, fields, mentioning, press, private, room_card, send};

const BOB: (&str, &str) = ("bob", "en");

#[test]
fn a_grab_gives_a_card_to_open() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    for _ in 0..2 {
        let replies = press(&host, id, "grab", &[BOB]);
        let card = private(&replies[0]);
        assert_eq!((card.theme, card.packet, &*card.body), (Theme::Sealed, Some(id), "hi"));
        assert_eq!(fields(card), [("alice", "From", "sent a red packet")]);
        assert_eq!(card.buttons[0].emphasis, Emphasis::Primary);
        assert_eq!((actions(card), &*card.buttons[0].label), (vec!["open"], "Open"));
    }
}

#[test]
fn an_open_shows_the_amount_and_so_does_whatever_is_pressed_again() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    press(&host, id, "grab", &[BOB]);
    let opened = press(&host, id, "open", &[BOB]);
    let card = private(&opened[0]);
    let amount = host.claims_of(id)[0].amount;
    assert_eq!((card.theme, &*card.title), (Theme::Opened, &*shown(amount, &limits())));
    assert_eq!(card.body, "hi\nIt is on its way to your wallet.");
    assert_eq!(actions(card), ["details"]);
    assert_eq!(press(&host, id, "open", &[BOB]), opened);
    assert_eq!(press(&host, id, "grab", &[BOB]), opened);
    assert_eq!(host.claims_of(id).len(), 1);
}

#[test]
fn a_batch_is_one_call_with_answers_in_order_each_in_its_language() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 5 hi");
    let by = [("a", "en"), ("b", "zh-CN"), ("c", "fr"), ("d", "zh")];
    host.calls.borrow_mut().clear();
    let grabbed = press(&host, id, "grab", &by);
    let labels: Vec<&str> = grabbed.iter().map(|replies| &*private(replies).buttons[0].label).collect();
    assert_eq!(labels, ["Open", "开", "Open", "开"]);
    assert_eq!(*host.calls.borrow(), ["counter.load", "counter.swap", "ledger.details"]);

    host.calls.borrow_mut().clear();
    let opened = press(&host, id, "open", &by);
    let claims = host.claims_of(id);
    let amounts: Vec<String> = claims.iter().map(|claim| shown(claim.amount, &limits())).collect();
    let titles: Vec<&str> = opened.iter().map(|replies| &*private(replies).title).collect();
    assert_eq!(titles, amounts);
    assert!(private(&opened[1]).body.ends_with("\n已存入零钱"));
    let calls = ["counter.seats", "ledger.load", "ledger.claim", "ledger.details"];
    assert_eq!(*host.calls.borrow(), calls, "and nothing more for the cards of all of them");

    host.calls.borrow_mut().clear();
    let details = press(&host, id, "details", &by);
    let titles: Vec<&str> = details.iter().map(|replies| &*private(replies).title).collect();
    assert_eq!(titles, ["Who got what", "领取详情", "Who got what", "领取详情"]);
    assert_eq!(*host.calls.borrow(), ["ledger.details with claims"]);
}

#[test]
fn whoever_takes_the_last_share_brings_the_room_its_card() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 2 hi");
    press(&host, id, "grab", &[("a", "en"), ("b", "zh"), ("c", "en")]);
    host.advance(8_390);
    let replies = press(&host, id, "open", &[("a", "en"), ("b", "zh"), ("c", "en")]);
    private(&replies[0]);
    let [Reply::Card(own), Reply::Card(room)] = &replies[1][..] else { panic!("{replies:?}") };
    assert!(own.private && !room.private);
    assert_eq!((own.theme, room.theme, room.packet), (Theme::Opened, Theme::Finished, Some(id)));
    assert_eq!((&*room.title, &*room.body), ("红包已被抢光", "hi"));
    let claims = host.claims_of(id);
    let best =
        claims.iter().reduce(|best, claim| if claim.amount > best.amount { claim } else { best }).unwrap();
    let luck = format!("{} · 手气最佳", shown(best.amount, &limits()));
    let expected = [
        ("alice", "发红包的人", "发了一个红包"),
        (&*best.user, "手气最佳", &*luck),
        ("", "个数", "2个，共¥10.00"),
        ("", "抢光用时", "8.3秒"),
    ];
    assert_eq!(fields(room), expected);
    assert_eq!(actions(room), ["details"]);
    // Whoever had no seat is told so; whoever was first brings nothing.
    assert_eq!(private(&replies[2]).theme, Theme::Sealed);
    assert_eq!(press(&host, id, "open", &[("a", "en")])[0].len(), 1);
    // The answer was lost: asked again, it is the same.
    assert_eq!(press(&host, id, "open", &[("b", "zh")])[0], replies[1]);
}

#[test]
fn nobody_is_lucky_where_all_shares_are_the_same() {
    let host = Fake::default();
    let id = send(&host, "/hongbao each 5 x 1 hi");
    press(&host, id, "grab", &[BOB]);
    host.advance(150_000);
    let replies = press(&host, id, "open", &[BOB]);
    let Reply::Card(room) = &replies[0][1] else { panic!("{replies:?}") };
    let expected = [
        ("alice", "From", "sent a red packet"),
        ("", "Shares", "1, ¥5.00 in all"),
        ("", "All taken in", "2 min"),
    ];
    assert_eq!(fields(room), expected);
}

#[test]
fn whoever_comes_too_late_is_told_without_asking_the_ledger() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 1 hi");
    press(&host, id, "grab", &[BOB]);
    host.calls.borrow_mut().clear();
    let replies = press(&host, id, "grab", &[("carol", "zh"), ("dave", "en")]);
    assert_eq!(*host.calls.borrow(), ["counter.load"]);
    let titles: Vec<&str> = replies.iter().map(|replies| &*private(replies).title).collect();
    assert_eq!(titles, ["手慢了，红包派完了", "Too late, every share is taken"]);
    let card = private(&replies[0]);
    assert_eq!((card.theme, actions(card)), (Theme::Finished, vec!["details"]));
    // Who never had a seat but opens may try again; who opens a finished packet is too late.
    let card = press(&host, id, "open", &[("carol", "zh")]);
    assert_eq!(private(&card[0]).body, "手慢了一步，再抢一次吧");
    assert_eq!(actions(private(&card[0])), ["grab"]);
    press(&host, id, "open", &[BOB]);
    host.counter_away.set(true);
    let replies = press(&host, id, "open", &[("carol", "en")]);
    assert_eq!(private(&replies[0]).theme, Theme::Finished);
}

#[test]
fn past_its_time_a_packet_says_so() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 2 hi");
    press(&host, id, "grab", &[BOB]);
    host.advance(86_400_000);
    for button in ["grab", "open"] {
        let replies = press(&host, id, button, &[BOB, ("carol", "zh")]);
        let themes =
            [0, 1].map(|index| (private(&replies[index]).theme, private(&replies[index]).title.clone()));
        let expected = [
            (Theme::Expired, "This red packet has expired".to_owned()),
            (Theme::Expired, "该红包已过期".to_owned()),
        ];
        assert_eq!(themes, expected);
        assert_eq!(actions(private(&replies[0])), ["details"]);
    }
}

#[test]
fn what_cannot_be_is_a_problem_with_a_code() {
    let host = Fake::new(Limits { sender_may_grab: false, ..limits() });
    let id = room_card(&host, &mentioning("/hongbao to @bob 5", &[("@bob", "bob")])).packet.unwrap();
    assert_eq!(code(&press(&host, id, "grab", &[("carol", "en")])[0]), "not-eligible");
    let everyone = send(&host, "/hongbao 5 2");
    assert_eq!(code(&press(&host, everyone, "grab", &[("alice", "en")])[0]), "not-eligible");
    let nowhere = 99;
    for button in ["grab", "open", "details"] {
        assert_eq!(code(&press(&host, nowhere, button, &[BOB])[0]), "not-found", "{button}");
    }
    for button in ["", "refund", "Grab", "grab ", "%0"] {
        let replies = press(&host, id, button, &[BOB, ("carol", "zh")]);
        assert_eq!(replies.len(), 2);
        assert!(replies.iter().all(|replies| code(replies) == "unknown-action"), "{button}");
    }
    let said = format!("{:?}", press(&host, id, "refund", &[BOB]));
    assert!(said.contains("There is no button “refund”."), "{said}");
}

#[test]
fn a_store_that_is_away_is_told_and_never_hides_an_answer() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    host.ledger_away.replace(Some(Failure::Unavailable));
    let replies = press(&host, id, "grab", &[BOB]);
    let card = private(&replies[0]);
    assert_eq!((actions(card), &*card.body), (vec!["open"], ""), "the greeting is all that is missing");
    for button in ["open", "details"] {
        assert_eq!(code(&press(&host, id, button, &[BOB])[0]), "unavailable");
    }
    host.ledger_away.replace(None);
    host.counter_away.set(true);
    assert_eq!(actions(private(&press(&host, id, "grab", &[BOB])[0])), ["open"], "the ledger decides");
    assert_eq!(private(&press(&host, id, "open", &[BOB])[0]).theme, Theme::Opened);
}

#[test]
fn a_cache_that_is_overloaded_is_busy_and_the_ledger_is_left_alone() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    press(&host, id, "grab", &[BOB]);
    host.counter_busy.set(true);
    host.calls.borrow_mut().clear();
    for button in ["grab", "open"] {
        assert_eq!(code(&press(&host, id, button, &[BOB])[0]), "busy", "{button}");
    }
    assert_eq!(*host.calls.borrow(), ["counter.load", "counter.seats"]);
    host.counter_busy.set(false);
    host.ledger_away.replace(Some(Failure::Busy));
    host.calls.borrow_mut().clear();
    assert_eq!(code(&press(&host, id, "open", &[BOB])[0]), "busy");
    assert_eq!(*host.calls.borrow(), ["counter.seats", "ledger.load"]);
    host.ledger_away.replace(None);
    assert_eq!(private(&press(&host, id, "open", &[BOB])[0]).theme, Theme::Opened, "the seat stayed");
}

#[test]
fn nobody_who_presses_gets_no_answer() {
    let host = Fake::default();
    let id = send(&host, "/hongbao 10 3 hi");
    host.calls.borrow_mut().clear();
    for button in ["grab", "open", "details", "nothing"] {
        assert_eq!(press(&host, id, button, &[]).len(), 0);
    }
    assert_eq!(host.calls.borrow().len(), 0);
}
