//! A packet in a room, from the command to its end.

use serde_json::json;

use crate::stage::{BOT, Stage, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_is_sent_tapped_and_told_to_its_end() {
    let stage = Stage::start().await;
    let (alice, bob, carol) = (&stage.alice, &stage.bob, &stage.carol);
    let room = stage.room().await;
    let command = alice.say(&room, "!hongbao 10.00 3 恭喜发财").await;
    let card = alice.card(&room).await;
    assert_eq!(card.command.as_deref(), Some(command.as_str()));
    let first = alice.look(&room, &card.message).await;
    let body = first["body"].as_str().unwrap();
    assert!(body.contains("恭喜发财") && body.contains("0/3") && body.contains(&alice.id), "{body}");
    until("the bridge's own reaction", || async {
        let events = alice.events(&room).await;
        events.iter().any(|event| event["type"] == "m.reaction" && event["sender"] == BOT)
    })
    .await;

    let tap = bob.tap(&room, &card.message).await;
    let told = bob.until_told(&room, &card.root, "@bob").await;
    let amount = told.rsplit(": ").next().unwrap().to_owned();
    assert!(amount.starts_with('¥'), "{told}");
    until("one of three", || async {
        alice.look(&room, &card.message).await["dev.hongbao.card"]["claimed_shares"] == 1
    })
    .await;
    assert_eq!(alice.look(&room, &card.message).await["dev.hongbao.card"]["state"], "open");

    // To take a reaction back, and to put it there again, changes nothing.
    bob.redact(&room, &tap).await;
    bob.tap(&room, &card.message).await;
    until("the same amount again", || async { bob.notices(&room, &card.root).await.len() == 2 }).await;
    let notices = bob.notices(&room, &card.root).await;
    assert!(notices.iter().all(|notice| notice.ends_with(&amount)), "{notices:?}");

    for one in [alice, carol] {
        one.tap(&room, &card.message).await;
    }
    let body = alice.until_state(&room, &card.message, "finished").await;
    let packet = stage.hongbao.get(&format!("/v1/packets/{}", card.packet)).await;
    let claims = packet["claims"].as_array().unwrap();
    assert_eq!(claims.iter().map(|claim| claim["amount"].as_u64().unwrap()).sum::<u64>(), 1_000);
    // Everybody's share stands there, in the order of claiming, and the best luck.
    let places: Vec<_> = claims
        .iter()
        .map(|claim| {
            let amount = claim["amount"].as_u64().unwrap();
            let line =
                format!("{}: ¥{}.{:02} · +", claim["user"].as_str().unwrap(), amount / 100, amount % 100);
            body.find(&line).unwrap_or_else(|| panic!("{line} is not in\n{body}"))
        })
        .collect();
    assert!(places.is_sorted() && places.len() == 3 && body.contains("3/3"), "{body}");
    assert!(body.to_lowercase().contains("best luck"), "{body}");
    assert_eq!(claims[0]["user"], bob.id);
    assert_eq!(stage.hongbao.audited().await, (1, 3));
    assert_eq!(alice.cards(&room).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_in_the_words_and_the_thread_of_the_command() {
    let stage = Stage::start().await;
    let (alice, bob) = (&stage.alice, &stage.bob);
    let room = stage.room().await;
    let poor = bob.say(&room, "!红包 10 3").await;
    let told = bob.until_told(&room, &poor, "@bob").await;
    assert!(told.contains("零钱"), "{told}");
    let help = alice.say(&room, "!hongbao").await;
    let told = alice.until_told(&room, &help, "!hongbao").await;
    assert!(!told.contains("/hongbao"), "{told}");
    let html = "!红包 给 <a href=\"https://matrix.to/#/@bob:hongbao.test\">Bob</a> 5 新年好";
    let content = json!({"msgtype": "m.text", "body": "!红包 给 Bob 5 新年好",
        "format": "org.matrix.custom.html", "formatted_body": html});
    alice.send(&room, "m.room.message", content).await;
    let card = alice.card(&room).await;
    stage.carol.tap(&room, &card.message).await;
    stage.carol.until_told(&room, &card.root, "@carol").await;
    let packet = stage.hongbao.get(&format!("/v1/packets/{}", card.packet)).await;
    assert_eq!(packet["claimed_shares"], 0, "it was for bob alone");
    bob.tap(&room, &card.message).await;
    let body = bob.until_state(&room, &card.message, "finished").await;
    assert!(body.contains("新年好") && body.contains("5.00"), "{body}");
    // Edits of a command, notices, and whatever looks like a card and is not the bridge's, do nothing.
    let edit = json!({"msgtype": "m.text", "body": "* !hongbao 1 1", "m.new_content": {"msgtype": "m.text", "body": "!hongbao 1 1"},
        "m.relates_to": {"rel_type": "m.replace", "event_id": help}});
    alice.send(&room, "m.room.message", edit).await;
    alice.send(&room, "m.room.message", json!({"msgtype": "m.notice", "body": "!hongbao 1 1"})).await;
    let forged = json!({"msgtype": "m.text", "body": "🧧", "dev.hongbao.card": {"packet": card.packet, "language": "en"}});
    let forged = alice.send(&room, "m.room.message", forged).await;
    bob.tap(&room, &forged).await;
    let last = alice.say(&room, "!hongbao 2 1").await;
    until("the last command's card", || async {
        alice.cards(&room).await.iter().any(|card| card.command.as_deref() == Some(&last))
    })
    .await;
    assert_eq!(bob.notices(&room, &forged).await, [""; 0]);
    assert_eq!(stage.hongbao.audited().await, (2, 1));
}
