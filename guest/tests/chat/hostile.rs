//! Whatever is typed is answered, shortly, and moves no money by accident.

use hongbao_guest::bindings::exports::hongbao::plugin::chat::Reply;

use crate::fake::Fake;
use crate::{command, mentioning, message, problem};

#[test]
fn what_was_typed_is_named_in_a_few_characters() {
    let host = Fake::default();
    let long = "9".repeat(10_000);
    for text in
        [format!("/hongbao {long} 10"), format!("/hongbao 5 {long}"), format!("/hongbao to @{long} 5")]
    {
        for language in ["en", "zh"] {
            let problem = problem(&host, &text, language);
            assert!(problem.message.chars().count() < 150, "{}", problem.message);
            assert!(problem.message.contains("999…”"), "{}", problem.message);
        }
    }
    let exactly = format!("/hongbao {} 10", "x9".repeat(16));
    assert!(problem(&host, &exactly, "en").message.contains("x9x9”"));
}

#[test]
fn marks_of_direction_and_control_characters_do_not_reach_a_sentence() {
    let host = Fake::default();
    let text = "/hongbao \u{202e}5\u{2066}\u{7}x\u{200f}\u{1b}[31m 10";
    let problem = problem(&host, text, "en");
    assert_eq!(problem.message, "“5x[31m” is not an amount. Write one like 88.88.");
}

#[test]
fn what_is_written_from_right_to_left_is_kept_apart_from_the_sentence() {
    let host = Fake::default();
    let english = problem(&host, "/hongbao ٣5 10", "en").message;
    let said = "can be read in two ways. Write digits alone, with a point before the decimals, like 88.88.";
    assert_eq!(english, format!("“\u{2068}٣5\u{2069}” {said}"));
    let chinese = problem(&host, "/hongbao to @\u{202e}דנה 5", "zh").message;
    assert_eq!(chinese, "不认识“\u{2068}@דנה\u{2069}”，请用 @ 从列表里选人");
}

#[test]
fn marks_of_direction_in_a_greeting_are_sent_and_not_shown() {
    let host = Fake::default();
    let typed = "新年\u{202e}快乐\u{2066}!";
    let card = crate::room_card(&host, &message(&format!("/hongbao 10 1 {typed}"), "en"));
    assert_eq!((&*host.order().greeting, &*card.body), (typed, "新年快乐!"));
    let id = card.packet.unwrap();
    for (button, body) in [
        ("grab", "新年快乐!"),
        ("open", "新年快乐!\nIt is on its way to your wallet."),
        ("details", "新年快乐!\n1/1 shares opened, ¥10.00/¥10.00"),
        ("show", "新年快乐!"),
    ] {
        let replies = crate::press(&host, id, button, &[("bob", "en")]);
        let Reply::Card(card) = &replies[0][0] else { panic!("{replies:?}") };
        assert_eq!(card.body, body, "{button}");
    }
}

#[test]
fn parts_of_a_sentence_are_not_looked_into() {
    let said = problem(&Fake::default(), "/hongbao %1%0%9%5 10", "en").message;
    assert_eq!(said, "“%1%0%9%5” is not an amount. Write one like 88.88.");
}

#[test]
fn a_long_greeting_is_refused_and_the_longest_is_sent() {
    let host = Fake::default();
    assert_eq!(
        problem(&host, &format!("/hongbao 1 2 {}", "x".repeat(10_000)), "en").code,
        "invalid-argument"
    );
    let longest = "𠮷".repeat(200);
    crate::room_card(&host, &message(&format!("/hongbao 1 2 {longest}"), "en"));
    assert_eq!(host.order().greeting, longest);
}

/// Texts put together at random out of what the parser looks for, and worse.
#[test]
fn no_text_at_all_makes_it_panic_or_answer_twice() {
    let pieces: Vec<&str> = "5|10|88.88|0|.|-|x|×|*|each|each 5x|to|to @bob|best|每人|给|发给|手气|@bob|@Bob Smith|@|＠|¥\
        |￥|元|块钱|个|%0|%|\u{202e}|\0|\n|\u{3000}|é|𠮷|🧧|1e3|，|18446744073709551615|5 10| 5 10|5 |10 | | | | "
        .split('|')
        .collect();
    let mentions = [("@bob", "bob"), ("@Bob Smith", "smith"), ("", "nobody"), ("@bob", "bob")];
    let mut state = 2026_u64;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut sent, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let host = Fake::default();
        let mut text = String::from(if next(2) == 0 { "/hongbao " } else { "/红包 " });
        for _ in 0..next(9) {
            text.push_str(pieces[next(pieces.len() as u64) as usize]);
        }
        let mut message = mentioning(&text, &mentions);
        message.language = ["en", "zh", "", "z", "\u{202e}"][next(5) as usize].into();
        match &command(&host, &message)[..] {
            [Reply::Card(card)] if !card.private => sent += 1,
            [Reply::Problem(problem)] => {
                refused += 1;
                assert!(
                    problem.code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'),
                    "{problem:?}"
                );
                assert!(problem.message.chars().count() < 150, "{problem:?}");
                assert!(!problem.message.chars().any(char::is_control), "{problem:?}");
                assert!(host.orders().is_empty(), "{text:?}");
            }
            [Reply::Card(_) | Reply::Notice(_)] | [] => assert!(host.orders().is_empty(), "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    assert!(sent > 100 && refused > 1000, "{sent} sent, {refused} refused");
}
