//! A Hongbao that is away for a while.

use crate::stage::{Stage, until};

#[tokio::test(flavor = "multi_thread")]
async fn taps_and_commands_wait_for_a_hongbao_that_is_away() {
    let mut stage = Stage::start().await;
    let room = stage.room().await;
    stage.alice.say(&room, "!hongbao 6.00 3 late").await;
    let card = stage.alice.card(&room).await;
    stage.hongbao.kill();
    stage.bob.tap(&room, &card.message).await;
    let late = stage.alice.say(&room, "!hongbao 1.00 1 later").await;
    stage.carol.tap(&room, &card.message).await;
    until("a transaction that was refused", || async {
        stage.bridge_said().contains("a transaction has to come again")
    })
    .await;
    // The bridge dies as well: what waits is with the homeserver.
    stage.kill_bridge();
    stage.bridge().await;
    stage.hongbao.serve().await;
    let alice = &stage.alice;
    until("the card of the late command", || async {
        alice.cards(&room).await.iter().any(|card| card.command.as_deref() == Some(&late))
    })
    .await;
    until("the taps", || async { stage.hongbao.audited().await == (2, 2) }).await;
    alice.tap(&room, &card.message).await;
    let body = alice.until_state(&room, &card.message, "finished").await;
    assert!(body.contains("3/3"), "{body}");
    assert_eq!(stage.hongbao.audited().await, (2, 3));
    assert_eq!(alice.cards(&room).await.len(), 2);
}
