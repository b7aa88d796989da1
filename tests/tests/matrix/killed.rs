//! A bridge that is killed in the middle of its work.

use std::time::Duration;

use crate::stage::{Stage, until};

/// Moments after the first command or tap at which the bridge dies, in milliseconds.
const MOMENTS: [u64; 4] = [20, 90, 180, 350];

#[tokio::test(flavor = "multi_thread")]
async fn each_command_is_one_packet_and_one_card_however_often_the_bridge_is_killed() {
    let mut stage = Stage::start().await;
    let room = stage.room().await;
    let mut commands = Vec::new();
    for moment in MOMENTS {
        for number in 0..2 {
            commands.push(stage.alice.say(&room, &format!("!hongbao 3.00 3 {moment}.{number}")).await);
        }
        tokio::time::sleep(Duration::from_millis(moment)).await;
        stage.kill_bridge();
        stage.bridge().await;
    }
    let alice = &stage.alice;
    until("a card for each command", || async {
        let cards = alice.cards(&room).await;
        commands.iter().all(|command| cards.iter().any(|card| card.command.as_deref() == Some(command)))
    })
    .await;
    let cards = alice.cards(&room).await;
    assert_eq!(cards.len(), commands.len(), "each card is one card: {cards:?}");
    assert_eq!(stage.hongbao.audited().await, (commands.len() as u64, 0));

    // Now while everybody taps.
    for (card, moment) in cards.iter().zip(MOMENTS.iter().cycle()) {
        for one in [&stage.alice, &stage.bob, &stage.carol] {
            one.tap(&room, &card.message).await;
        }
        if card.message == cards[1].message || card.message == cards[5].message {
            tokio::time::sleep(Duration::from_millis(*moment)).await;
            stage.kill_bridge();
            stage.bridge().await;
        }
    }
    for card in &cards {
        let body = stage.alice.until_state(&room, &card.message, "finished").await;
        assert!(body.contains("3/3"), "{body}");
    }
    assert_eq!(stage.hongbao.audited().await, (commands.len() as u64, 3 * commands.len() as u64));
    assert_eq!(stage.alice.cards(&room).await.len(), commands.len());
}
