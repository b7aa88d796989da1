//! Packets that end in their time, and bridges that were away meanwhile.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_comes_back_goes_on_with_open_cards_and_tells_their_end() {
    let mut stage = Stage::start().await;
    stage.hongbao.configure(json!({"default_expires_in_ms": 8_000})).await;
    let room = stage.room().await;
    stage.alice.say(&room, "!hongbao 5.00 5 soon over").await;
    let card = stage.alice.card(&room).await;
    stage.bob.tap(&room, &card.message).await;
    stage.bob.until_told(&room, &card.root, "@bob").await;
    stage.kill_bridge();
    stage.bridge().await;
    let body = stage.alice.until_state(&room, &card.message, "expired").await;
    assert!(body.contains("1/5") && body.contains(&stage.bob.id), "{body}");
    let told = stage.alice.until_told(&room, &card.root, "@alice").await;
    let packet = stage.hongbao.get(&format!("/v1/packets/{}", card.packet)).await;
    let refunded = packet["refunded"].as_u64().unwrap();
    let amount = format!("¥{}.{:02}", refunded / 100, refunded % 100);
    assert!(refunded > 0 && told.contains(&amount), "{told} without {amount}");
    stage.carol.tap(&room, &card.message).await;
    stage.carol.until_told(&room, &card.root, "@carol").await;
    assert_eq!(stage.hongbao.audited().await, (1, 1));
    // Its end is told once, also by a bridge that starts again.
    stage.kill_bridge();
    stage.bridge().await;
    let notices = stage.alice.notices(&room, &card.root).await;
    assert_eq!(notices.iter().filter(|notice| notice.contains(&stage.alice.id)).count(), 1, "{notices:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_take_by_the_api_is_drawn_too() {
    let stage = Stage::start().await;
    let room = stage.room().await;
    stage.alice.say(&room, "!hongbao 2.00 2").await;
    let card = stage.alice.card(&room).await;
    let path = format!("/v1/packets/{}/grab-and-open", card.packet);
    for user in ["@dave:elsewhere.test", "somebody"] {
        stage.hongbao.ask(reqwest::Method::POST, &path, Some(json!({"user": user}))).await;
    }
    let body = stage.alice.until_state(&room, &card.message, "finished").await;
    assert!(body.contains("@dave:elsewhere.test") && body.contains("somebody"), "{body}");
    // A card that was taken away is no card any more.
    stage.alice.say(&room, "!hongbao 2.00 2").await;
    crate::stage::until("another card", || async { stage.alice.cards(&room).await.len() == 2 }).await;
    let second = stage.alice.cards(&room).await.remove(1);
    stage.alice.redact(&room, &second.message).await;
    stage.bob.tap(&room, &second.message).await;
    let last = stage.bob.say(&room, "!hongbao 1 1").await;
    stage.bob.until_told(&room, &last, "@bob").await;
    assert_eq!(stage.hongbao.audited().await, (2, 2));
}
