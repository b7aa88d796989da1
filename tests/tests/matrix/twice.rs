//! Transactions that come again when nobody remembers them: neither the bridge nor the homeserver.

use serde_json::{Value, json};

use crate::stage::{BOT, Stage, until};

/// Delivers events to the bridge as the homeserver would.
async fn deliver(stage: &Stage, id: &str, events: &[Value]) {
    let url = format!("{}/_matrix/app/v1/transactions/{id}", stage.bridge_url);
    let request = stage.client.put(url).bearer_auth(stage.hs_token()).json(&json!({"events": events}));
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_comes_again_does_nothing_again() {
    let mut stage = Stage::start().await;
    let room = stage.room().await;
    let direct = stage.alice.make_room(&[BOT], json!([])).await;
    until("the bridge in the direct room", || stage.alice.is_member(&direct, BOT)).await;
    let command = stage.alice.say(&room, "!hongbao 9.00 3 once").await;
    let card = stage.alice.card(&room).await;
    let elsewhere = stage.alice.say(&direct, &format!("!hongbao {room} 2.00 2 from elsewhere")).await;
    until("both cards", || async { stage.alice.cards(&room).await.len() == 2 }).await;
    let tap = stage.bob.tap(&room, &card.message).await;
    stage.bob.until_told(&room, &card.root, "@bob").await;
    let mut events = Vec::new();
    for (room, id) in [(&room, &command), (&direct, &elsewhere), (&room, &tap)] {
        events.push(stage.alice.event(room, id).await);
    }
    let told = stage.bob.notices(&room, &card.root).await;
    // At once, under the same id and under another.
    deliver(&stage, "again", &events).await;
    deliver(&stage, "again", &events).await;
    // By a bridge that has forgotten them, and a homeserver that has forgotten the ids under which it was sent cards.
    stage.kill_bridge();
    stage.synapse.kill();
    stage.start_synapse().await;
    stage.bridge().await;
    deliver(&stage, "1", &events).await;
    assert_eq!(stage.alice.cards(&room).await.len(), 2);
    assert_eq!(stage.hongbao.audited().await, (2, 1));
    // Whoever taps is told again, and of the same share.
    let again = stage.bob.notices(&room, &card.root).await;
    assert!(again.iter().all(|notice| *notice == told[0]), "{again:?}");
    for one in [&stage.alice, &stage.carol] {
        one.tap(&room, &card.message).await;
    }
    stage.alice.until_state(&room, &card.message, "finished").await;
    // After the end, too.
    deliver(&stage, "2", &events).await;
    assert_eq!(stage.alice.cards(&room).await.len(), 2);
    assert_eq!(stage.hongbao.audited().await, (2, 3));
}
