//! Chat: what people type and press, and what they are shown.

use hongbao_host::domain::{Card, Mention, Message, PacketId, Presser, Reply, Request, Theme};
use hongbao_host::runtime::CallError;
use hongbao_tests::chat::{Chat, amount, request, user};

fn message(id: &str, sender: &str, text: &str) -> Message {
    Message {
        id: id.into(),
        room: "family".into(),
        sender: user(sender),
        text: text.into(),
        mentions: Vec::new(),
        language: "en".into(),
    }
}

async fn press(chat: &Chat, packet: PacketId, action: &str, name: &str) -> Vec<Reply> {
    let by = Presser { user: user(name), language: "zh-CN".into() };
    chat.tenant.action(packet, action.into(), by).await.unwrap()
}

fn card(reply: &Reply) -> &Card {
    match reply {
        Reply::Card(card) => card,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_packet_is_typed_grabbed_opened_and_looked_at() {
    let chat = Chat::default();
    chat.tenant.fund(&user("alice"), amount(10_000)).await.unwrap();
    let typed = message("m1", "alice", "/hongbao 88.88 2 Happy new year");
    let sent = chat.tenant.command(typed.clone()).await.unwrap();
    let sealed = card(&sent[0]);
    assert_eq!((sealed.theme, sealed.private, &*sealed.body), (Theme::Sealed, false, "Happy new year"));
    let packet = sealed.packet.unwrap();
    assert_eq!(chat.balance("alice").await, 10_000 - 8_888);
    assert_eq!(chat.tenant.command(typed).await.unwrap(), sent, "a message that comes twice sends once");
    assert_eq!(chat.balance("alice").await, 10_000 - 8_888);
    for (name, parts) in [("bob", 1), ("carol", 2)] {
        assert_eq!(card(&press(&chat, packet, "grab", name).await[0]).buttons[0].action, "open");
        let opened = press(&chat, packet, "open", name).await;
        assert_eq!(opened.len(), parts, "whoever takes the last share also ends the room's card");
        let own = card(&opened[0]);
        assert!(own.private && own.theme == Theme::Opened);
        let details = chat.details(packet).await;
        let minor = details.claims.last().unwrap().amount.get();
        let written = format!("¥{}.{:02}", minor / 100, minor % 100);
        assert!(format!("{own:?}").contains(&written), "{written}: {own:?}");
    }
    let late = press(&chat, packet, "grab", "dave").await;
    assert_eq!(card(&late[0]).theme, Theme::Finished);
    chat.settle_all().await;
    assert_eq!(chat.balance("bob").await + chat.balance("carol").await, 8_888);
    chat.assert_conserved().await;
}

#[tokio::test]
async fn the_rooms_card_is_shown_for_as_long_as_a_packet_is_known() {
    let chat = Chat::default();
    let packet = chat.lucky(10_000, 2).await;
    let sealed = press(&chat, packet, "show", "zoe").await;
    assert_eq!((card(&sealed[0]).theme, card(&sealed[0]).private), (Theme::Sealed, false));
    assert_eq!(card(&sealed[0]).buttons[0].action, "grab");
    for name in ["bob", "carol"] {
        assert_eq!(press(&chat, packet, "show", "zoe").await, sealed, "nobody is told of {name}'s share");
        press(&chat, packet, "grab", name).await;
        press(&chat, packet, "open", name).await;
    }
    assert_eq!(card(&press(&chat, packet, "show", "zoe").await[0]).theme, Theme::Finished);
    let late = chat.lucky(9_999, 2).await;
    chat.clock.advance(24 * 60 * 60 * 1000);
    chat.tenant.expire(late).await.unwrap();
    let expired = press(&chat, late, "show", "zoe").await;
    assert_eq!((card(&expired[0]).theme, card(&expired[0]).private), (Theme::Expired, false));
    assert!(card(&expired[0]).body.ends_with("已退回¥99.99"), "{expired:?}");
    let nowhere = press(&chat, PacketId::from_halves(0, 1), "show", "zoe").await;
    assert!(matches!(&nowhere[..], [Reply::Problem(problem)] if problem.code == "not-found"), "{nowhere:?}");
}

#[tokio::test]
async fn many_who_press_at_once_become_batches_and_each_has_an_answer() {
    let chat = Chat::default();
    let packet = chat.lucky(10_000, 50).await;
    let names: Vec<String> = (0..200).map(|number| format!("user-{number}")).collect();
    futures::future::join_all(names.iter().map(|name| press(&chat, packet, "grab", name))).await;
    let opened = futures::future::join_all(names.iter().map(|name| press(&chat, packet, "open", name))).await;
    let theirs = opened.iter().filter(|replies| card(&replies[0]).theme == Theme::Opened).count();
    assert_eq!(theirs, 50);
    assert_eq!(opened.iter().filter(|replies| replies.len() == 2).count(), 1, "one ends the room's card");
    let calls = "hongbao_call_seconds_count{operation=\"action\"} ";
    let metrics = chat.host.metrics();
    let calls: u32 = metrics.lines().find_map(|line| line.strip_prefix(calls)).unwrap().parse().unwrap();
    assert!(calls < 20, "{calls} calls for 400 presses");
    chat.assert_conserved().await;
}

#[tokio::test]
async fn only_who_is_mentioned_may_be_meant() {
    let chat = Chat::default();
    chat.tenant.fund(&user("alice"), amount(1_000)).await.unwrap();
    let mut typed = message("m1", "alice", "/hongbao to @Bob Smith 6.66");
    typed.mentions = vec![Mention { text: "@Bob Smith".into(), user: user("u-bob") }];
    let sent = chat.tenant.command(typed).await.unwrap();
    let packet = card(&sent[0]).packet.unwrap();
    let refused = press(&chat, packet, "grab", "carol").await;
    assert!(
        matches!(&refused[..], [Reply::Problem(problem)] if problem.code == "not-eligible"),
        "{refused:?}"
    );
    press(&chat, packet, "grab", "u-bob").await;
    let opened = press(&chat, packet, "open", "u-bob").await;
    assert_eq!(card(&opened[0]).theme, Theme::Opened);
}

#[tokio::test]
async fn what_no_plugin_should_have_to_read_is_refused_before_it() {
    let chat = Chat::default();
    let good = message("m", "alice", "/hongbao help");
    let mentions = vec![Mention { text: "@b".into(), user: user("b") }; 101];
    let cases = [
        (Message { id: String::new(), ..good.clone() }, "the id of a message must be 1 to 256 bytes, not 0"),
        (
            Message { room: "a\nb".into(), ..good.clone() },
            "the name of a room must not contain control characters",
        ),
        (Message { text: "x".repeat(4_097), ..good.clone() }, "a text has at most 4096 bytes"),
        (Message { mentions, ..good.clone() }, "a message has at most 100 mentions, not 101"),
    ];
    for (message, expected) in cases {
        let error = chat.tenant.command(message).await.unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), ("invalid-argument", expected));
    }
    let packet = chat.lucky(100, 1).await;
    let by = Presser { user: user("bob"), language: "en".into() };
    let error = chat.tenant.action(packet, "GRAB!".into(), by).await.unwrap_err();
    assert!(matches!(error, CallError::Invalid(_)), "{error}");
    assert!(chat.tenant.command(message("m", "alice", "/weather")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_command_is_one_whatever_stands_in_front_of_it() {
    let chat = Chat::default();
    let texts = [
        "／红包 1 2 hi",
        " /红包 1 2 hi",
        "\n／红包 1 2 hi",
        "\u{feff}/hongbao 1 2 hi",
        "\u{200b}\u{3000}／ｈｏｎｇｂａｏ　1 2 hi",
        "/hongbao@MyBot 1 2 hi",
        "/HONGBAO \u{200e}1\u{200e} \u{202d}2\u{202c} hi",
        "/红包1 2 hi",
        "/红包1元2个 hi",
    ];
    for (index, text) in texts.into_iter().enumerate() {
        chat.tenant.fund(&user("alice"), amount(100)).await.unwrap();
        let sent = chat.tenant.command(message(&format!("m{index}"), "alice", text)).await.unwrap();
        let packet = card(&sent[0]).packet.unwrap_or_else(|| panic!("{text:?}"));
        let details = chat.details(packet).await;
        let order = details.packet.order;
        assert_eq!((order.total.get(), order.shares, &*order.greeting), (100, 2, "hi"), "{text:?}");
    }
    chat.assert_conserved().await;
}

#[tokio::test]
async fn a_language_is_never_a_reason_to_refuse() {
    let chat = Chat::default();
    let packet = chat.lucky(100, 1).await;
    let cases = [
        ("zh_CN", "红包怎么发", "抢红包"),
        ("zh_CN.utf8@pinyin", "红包怎么发", "抢红包"),
        ("ZH", "红包怎么发", "抢红包"),
        ("en_US.UTF-8", "How to send red packets", "Grab"),
        ("*", "How to send red packets", "Grab"),
        ("", "How to send red packets", "Grab"),
        ("\u{202e}nonsense\0", "How to send red packets", "Grab"),
    ];
    for (language, title, button) in cases {
        let asked = Message { language: language.into(), ..message("m", "alice", "/hongbao help") };
        assert_eq!(card(&chat.tenant.command(asked).await.unwrap()[0]).title, title, "{language:?}");
        let by = Presser { user: user("bob"), language: language.into() };
        let shown = chat.tenant.action(packet, "show".into(), by).await.unwrap();
        assert_eq!(card(&shown[0]).buttons[0].label, button, "{language:?}");
    }
    let long = Message { language: "x".repeat(100_000), ..message("m", "alice", "/hongbao help") };
    assert_eq!(chat.tenant.command(long).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_mistypes_a_command_is_told_the_closest() {
    let chat = Chat::default();
    let cases = [
        ("/hognbao 5 2", Some("/hongbao")),
        ("／ｈｏｎｇｂａ 5 2", Some("/hongbao")),
        ("/红色 5 2", Some("/红包")),
        ("/红包封面", Some("/红包")),
        ("/weather", None),
        ("hello", None),
    ];
    for (text, expected) in cases {
        assert_eq!(chat.tenant.closest_command(text).as_deref(), expected, "{text}");
        let answer = chat.tenant.command(message("m", "alice", text)).await.unwrap();
        assert!(answer.is_empty(), "{text}: {answer:?}");
    }
}

/// A greeting that turns the text around is stored as it was typed, and turns nothing of a card.
#[tokio::test]
async fn marks_of_direction_in_a_greeting_end_with_it() {
    let chat = Chat::default();
    let typed = "新年\u{202e}快乐\u{2066}";
    let request = Request { greeting: typed.into(), ..request(100, 1) };
    let packet = chat.send(request).await;
    assert_eq!(chat.details(packet).await.packet.order.greeting, typed);
    let shown = press(&chat, packet, "show", "bob").await;
    assert_eq!(card(&shown[0]).body, "新年快乐");
}
