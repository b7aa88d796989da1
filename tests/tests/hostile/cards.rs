//! Guests whose answers no platform could show.

use crate::stage::{Stage, bob};

#[tokio::test]
async fn what_no_platform_could_show_is_not_shown() {
    let stage = Stage::new("bad_cards").await;
    let wrong = [
        ("control", "control characters"),
        ("long", "a text that is too long"),
        ("no-packet", "buttons that are about nothing"),
        ("fields", "too many fields"),
        ("field", "control characters"),
        ("buttons", "too many buttons"),
        ("button", "a name with other than letters, digits and hyphens"),
        ("code", "a name with other than letters, digits and hyphens"),
        ("parts", "too many parts"),
    ];
    for (action, what) in wrong {
        let answer = stage.evil.action(stage.packet, action.into(), bob()).await;
        stage.assert_stopped(answer, &format!("the plugin's answer has {what}")).await;
    }
    let answer = stage.evil.action(stage.packet, "user".into(), bob()).await;
    let why = "the plugin named a user that is none: a user must be 1 to 256 bytes, not 0";
    stage.assert_stopped(answer, why).await;
    // The same card with nothing wrong in it is shown.
    let answer = stage.evil.action(stage.packet, "nothing".into(), bob()).await;
    assert_eq!(answer.unwrap().len(), 1);
}

#[tokio::test]
async fn a_card_is_about_no_other_packet() {
    let stage = Stage::new("bad_cards").await;
    let answer = stage.evil.action(stage.packet, "other-packet".into(), bob()).await;
    stage.assert_stopped(answer, "the plugin reached for a packet that the call is not about").await;
}
