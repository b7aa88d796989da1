//! Rooms whose messages a bridge cannot read.

use serde_json::json;

use crate::stage::{BOT, Stage, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_for_an_encrypted_room_is_sent_from_another_one() {
    let mut stage = Stage::start().await;
    let encryption = json!([{"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}]);
    let room = stage.room_with(encryption).await;
    let unreadable = json!({"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": "a", "session_id": "b"});
    stage.alice.send(&room, "m.room.encrypted", unreadable.clone()).await;
    let said = async |stage: &Stage| {
        let events = stage.alice.events(&room).await;
        let own =
            events.into_iter().filter(|event| event["sender"] == BOT && event["type"] == "m.room.message");
        own.map(|event| event["content"]["body"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    until("a word about encryption", || async { !said(&stage).await.is_empty() }).await;
    assert!(said(&stage).await[0].contains(&format!("!hongbao {room} ")), "{:?}", said(&stage).await);
    stage.kill_bridge();
    stage.bridge().await;

    let direct = stage.alice.make_room(&[BOT], json!([])).await;
    until("the bridge in the direct room", || stage.alice.is_member(&direct, BOT)).await;
    stage.alice.send(&room, "m.room.encrypted", unreadable).await;
    let command = stage.alice.say(&direct, &format!("!hongbao {room} 4.00 2 quietly")).await;
    stage.alice.until_told(&direct, &command, &room).await;
    let card = stage.alice.card(&room).await;
    for one in [&stage.bob, &stage.carol] {
        one.tap(&room, &card.message).await;
    }
    stage.alice.until_state(&room, &card.message, "finished").await;
    assert_eq!(
        said(&stage).await.iter().filter(|text| text.contains("encrypted")).count(),
        1,
        "it is said once"
    );

    // Nobody sends into a room that they are not in, or where they may not write.
    let other = stage.bob.make_room(&[BOT], json!([])).await;
    until("the bridge in bob's room", || stage.bob.is_member(&other, BOT)).await;
    let command = stage.alice.say(&direct, &format!("!hongbao {other} 4.00 2")).await;
    stage.alice.until_told(&direct, &command, "no such room").await;
    let quiet = json!([{"type": "m.room.power_levels", "state_key": "", "content": {"events_default": 50, "users": {}}}]);
    let quiet = stage.bob.make_room(&[BOT, &stage.alice.id], quiet).await;
    stage.alice.join(&quiet).await;
    until("the bridge in the quiet room", || stage.bob.is_member(&quiet, BOT)).await;
    let command = stage.alice.say(&direct, &format!("!hongbao {quiet} 4.00 2")).await;
    stage.alice.until_told(&direct, &command, "may not write").await;
    assert_eq!(stage.hongbao.audited().await, (1, 2));
}
