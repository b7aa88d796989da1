//! Who may take part.

use reqwest::StatusCode;
use serde_json::json;

use crate::stage::{BOT, Stage, until};

#[tokio::test(flavor = "multi_thread")]
async fn so_many_new_users_within_an_hour_and_no_more() {
    let stage = Stage::with(&["--new-users-per-hour", "1"]).await;
    let room = stage.room().await;
    stage.alice.say(&room, "!hongbao 3.00 3").await;
    let card = stage.alice.card(&room).await;
    stage.bob.tap(&room, &card.message).await;
    stage.bob.until_told(&room, &card.root, "@bob:hongbao.test: ¥").await;
    stage.carol.tap(&room, &card.message).await;
    stage.carol.until_told(&room, &card.root, "Too many new users").await;
    // Her wallet was used, so she is not new.
    stage.alice.tap(&room, &card.message).await;
    stage.alice.until_told(&room, &card.root, "@alice:hongbao.test: ¥").await;
    assert_eq!(stage.hongbao.audited().await, (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_allowed_takes_no_part() {
    let stage = Stage::with(&["--server", "elsewhere.test"]).await;
    let room = stage.alice.make_room(&[BOT], json!([])).await;
    until("an invitation that was declined", || async {
        stage.bridge_said().contains("an invitation from a server that is not allowed")
    })
    .await;
    assert!(!stage.alice.is_member(&room, BOT).await);
    let call = async |path: &str, token: &str| {
        let request = stage.client.put(format!("{}{path}", stage.bridge_url)).bearer_auth(token);
        request.json(&json!({"events": []})).send().await.unwrap().status()
    };
    let path = "/_matrix/app/v1/transactions/1";
    assert_eq!(call(path, "guessed").await, StatusCode::FORBIDDEN);
    assert_eq!(call(path, &stage.hs_token()).await, StatusCode::OK);
    assert_eq!(stage.hongbao.audited().await, (0, 0));
}
