//! Every form of the command, in both languages.

use hongbao_guest::bindings::exports::hongbao::plugin::chat::{Reply, Theme};
use hongbao_guest::bindings::hongbao::plugin::ledger::Audience;
use hongbao_guest::chat::manifest;

use crate::fake::{Fake, currency};
use crate::{command, fields, mentioning, message, private, problem, reply, room_card};

/// What a text orders, as (strategy, total, shares, greeting).
fn ordered(text: &str) -> (String, u64, u32, String) {
    let host = Fake::default();
    room_card(&host, &message(text, "en"));
    let order = host.order();
    assert_eq!(order.audience, Audience::Everyone);
    assert_eq!(host.origin(), ("family".to_owned(), "alice".to_owned()));
    (order.strategy, order.total, order.shares, order.greeting)
}

#[test]
fn a_packet_is_what_was_typed_in_either_language() {
    let texts = [
        "/hongbao 88.88 10 Happy new year",
        "/红包 88.88 10 Happy new year",
        "/紅包 88.88 10 Happy new year",
        "/HongBao 88.88 10 Happy new year",
        "/hongbao\u{3000}88.88\u{2005}10\u{a0}Happy new year",
        "/hongbao \n 88.88 \t 10   Happy new year  \n",
        "／ｈｏｎｇｂａｏ ８８．８８ １０ Happy new year",
        "/hongbao ¥88.88 10 Happy new year",
        "/hongbao ￥88.88元 10 Happy new year",
        "/红包 88.88元 10个 Happy new year",
        "/红包 88.88块 10份 Happy new year",
        "/红包 88.88块钱 10個 Happy new year",
        "/红包 CNY88.88 10 Happy new year",
        "/红包 88.88rmb 10 Happy new year",
        "/红包88.88 10 Happy new year",
        "/红包88.88元 10个 Happy new year",
        "/红包88.88元10个 Happy new year",
        "/红包 88.88块10份 Happy new year",
        "/红包¥88.88 10 Happy new year",
        "/紅包８８．８８ １０ Happy new year",
        "/hongbao88.88 10 Happy new year",
        "/hongbao \u{202d}88.88\u{202c} \u{200e}10\u{200e} Happy new year",
        "/hongbao \u{feff}88.88 10\u{200b} Happy new year",
        "/hongbao ٨٨٫٨٨ ١٠ Happy new year",
    ];
    for text in texts {
        assert_eq!(
            ordered(text),
            ("double-average".to_owned(), 8888, 10, "Happy new year".to_owned()),
            "{text:?}"
        );
    }
}

#[test]
fn a_greeting_is_left_as_it_was_typed() {
    for greeting in ["Ａ　Ｂ", "x 10  %0 % 元", "88 10", "🧧\u{200d}新年\u{202e}快乐"] {
        assert_eq!(ordered(&format!("/hongbao 1 2 {greeting}")).3, greeting);
        assert_eq!(ordered(&format!("/hongbao each 1x2 {greeting}")).3, greeting);
    }
}

#[test]
fn without_a_greeting_there_is_one_in_the_senders_language() {
    for (language, greeting) in [
        ("en", "Best wishes!"),
        ("de-AT", "Best wishes!"),
        ("", "Best wishes!"),
        ("zh", "恭喜发财，大吉大利"),
        ("ZH-Hant-TW", "恭喜发财，大吉大利"),
        ("é", "Best wishes!"),
    ] {
        let host = Fake::default();
        let card = room_card(&host, &message("/hongbao 1 2", language));
        assert_eq!((&*host.order().greeting, &*card.body), (greeting, greeting), "{language}");
    }
}

#[test]
fn a_tenant_that_takes_short_greetings_only_is_given_none() {
    let host = Fake::new(hongbao_limits(11));
    assert_eq!(room_card(&host, &message("/hongbao 1 2", "en")).body, "");
    let host = Fake::new(hongbao_limits(12));
    assert_eq!(room_card(&host, &message("/hongbao 1 2", "en")).body, "Best wishes!");
}

fn hongbao_limits(max_greeting_chars: u32) -> hongbao_guest::bindings::hongbao::plugin::policy::Limits {
    hongbao_guest::bindings::hongbao::plugin::policy::Limits { max_greeting_chars, ..crate::fake::limits() }
}

#[test]
fn each_gives_everybody_the_same() {
    let texts = [
        "/hongbao each 5 x 10 for you",
        "/hongbao EACH 5x10 for you",
        "/hongbao each 5 X10 for you",
        "/hongbao each 5ｘ 10 for you",
        "/hongbao each ５×１０ for you",
        "/hongbao each 5*10 for you",
        "/hongbao each 5 ＊ 10 for you",
        "/hongbao each 5 10 for you",
        "/hongbao each ¥5.00 x 10 for you",
        "/红包 每人 5 x 10 for you",
        "/红包 每个 5 x 10 for you",
        "/红包 每人5元x10个 for you",
        "/红包 每人5元10个 for you",
        "/红包每人5元10个 for you",
        "/红包每人 5 10 for you",
        "/hongbao 每個5 × 10份 for you",
    ];
    for text in texts {
        assert_eq!(ordered(text), ("equal".to_owned(), 5000, 10, "for you".to_owned()), "{text:?}");
    }
}

#[test]
fn to_names_the_only_ones_who_may_open() {
    for text in [
        "/hongbao to @bob 6.66 hi",
        "/红包 给 @bob 6.66 hi",
        "/红包 发给@bob 6.66元 hi",
        "/红包 给@bob 6.66 hi",
        "/红包给@bob 6.66 hi",
        "/红包发给 @bob 6.66元 hi",
    ] {
        let host = Fake::default();
        let card = room_card(&host, &mentioning(text, &[("@bob", "u-bob")]));
        let order = host.order();
        assert_eq!(
            (&order.audience, host.to()),
            (&Audience::Only(vec![0]), vec!["u-bob".to_owned()]),
            "{text}"
        );
        assert_eq!((order.total, order.shares, &*order.greeting), (666, 1, "hi"), "{text}");
        let expected = [
            ("alice", "From", "sent a red packet"),
            ("", "Kind", "exclusive"),
            ("", "Shares", "1"),
            ("u-bob", "For", "may open it"),
        ];
        assert_eq!(fields(&card), expected);
    }
}

#[test]
fn help_lists_every_form_with_amounts_as_the_tenant_writes_them() {
    let texts = [
        "/hongbao",
        "/红包",
        "/hongbao help",
        "/hongbao HELP me",
        "/红包 帮助",
        "/红包帮助",
        "/hongbao ?",
        "/hongbao ？",
    ];
    for text in texts {
        let replies = command(&Fake::default(), &message(text, "en"));
        let card = private(&replies);
        assert_eq!((card.theme, card.packet.as_ref(), card.buttons.len()), (Theme::Plain, None, 0));
        let forms: Vec<&str> = card.fields.iter().map(|field| &*field.label).collect();
        let expected = [
            "/hongbao 88.88 10 Happy new year",
            "/hongbao each 5.55 x 10",
            "/hongbao to @bob 6.66",
            "/hongbao best",
            "/hongbao help",
        ];
        assert_eq!(forms, expected, "{text}");
    }
    let replies = command(&Fake::new(currency("JPY", 0)), &message("/hongbao", "zh"));
    let card = private(&replies);
    assert_eq!(card.title, "红包怎么发");
    let first = ("", "/红包 88 10 新年快乐", "发一个88的红包，10人来抢，附上祝福");
    assert_eq!(fields(card)[0], first);
    assert_eq!(fields(card)[2].1, "/红包 给 @bob 6");
}

#[test]
fn every_form_that_help_shows_is_understood() {
    for (code, digits) in [("CNY", 2), ("JPY", 0), ("KWD", 3)] {
        for language in ["en", "zh"] {
            let host = Fake::new(currency(code, digits));
            let replies = command(&host, &message("/hongbao", language));
            for (_, form, _) in fields(private(&replies)) {
                let message = mentioning(form, &[("@bob", "bob")]);
                assert!(!matches!(reply(&host, &message), Reply::Problem(_)), "{form}");
            }
            assert_eq!(host.orders().len(), 3);
        }
    }
}

#[test]
fn every_form_of_the_manifest_is_understood() {
    let manifest = manifest();
    assert_eq!(manifest.languages, ["en", "zh"]);
    assert_eq!(manifest.commands.len(), 10);
    assert_eq!(manifest.commands[0].form, "/hongbao 88.88 10 Happy new year");
    assert_eq!(manifest.commands[0].description, "Sends 88.88 in 10 shares, with a greeting");
    assert_eq!(manifest.commands[5].form, "/红包 88.88 10 新年快乐");
    let host = Fake::default();
    for usage in manifest.commands {
        let message = mentioning(&usage.form, &[("@bob", "bob")]);
        assert!(!matches!(reply(&host, &message), Reply::Problem(_)), "{}", usage.form);
        assert!(usage.description.is_ascii(), "in the plugin's first language: {}", usage.description);
    }
}

#[test]
fn commands_of_others_are_left_to_them_without_asking_the_host() {
    let texts = [
        "/weather",
        "/hongbaox 1 2",
        "/hongbaobest",
        "/hognbao 5 2",
        "/红包封面 5 2",
        "/红包恭喜发财 5 2",
        "hongbao 1 2",
        "/ hongbao 1 2",
        "//hongbao",
        "/",
        "",
        " ",
    ];
    for text in texts {
        let host = Fake::default();
        assert_eq!(command(&host, &message(text, "en")), [], "{text:?}");
        assert_eq!(host.calls.borrow().len(), 0);
    }
}

#[test]
fn a_form_that_is_none_is_refused_with_a_hint() {
    let host = Fake::default();
    for text in
        ["/hongbao everybody", "/hongbao -- 5", "/hongbao ¥ 5 10", "/hongbao eachx 5 10", "/hongbao to@bob 5"]
    {
        let problem = problem(&host, text, "en");
        let word = text.split(' ').nth(1).unwrap();
        assert_eq!(problem.code, "unknown-form", "{text}");
        let said = format!("I do not understand “{word}”. Type /hongbao help to see what I do.");
        assert_eq!(problem.message, said);
    }
    let problem = problem(&host, "/红包 恭喜发财", "zh-CN");
    assert_eq!(problem.message, "看不懂“恭喜发财”，发送“/红包 帮助”看看怎么用");
    assert!(host.orders().is_empty());
}
