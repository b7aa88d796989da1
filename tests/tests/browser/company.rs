//! Who is in the room without having said a word.

use super::stage::Stage;
use super::two::{card, packet};
use super::window::Window;

async fn chosen(window: &Window) -> String {
    let chosen = window.script("return document.getElementById('send-person').value", &[]).await;
    chosen.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn two_who_say_nothing_see_each_other_and_send_to_each_other() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    alice.click("#send-packet").await;
    alice.click(".kinds label:has([value=one])").await;
    alice.reads("#send-person", "Nobody else is here yet").await;
    let bob = stage.person("bob").await;
    // Also where the form was open before.
    alice.has("#send-person option[value=bob]").await;
    alice.sees("#people [data-person=bob]").await;
    bob.sees("#people [data-person=alice]").await;
    alice.picture("company-choice").await;
    assert_eq!(chosen(&alice).await, "bob");
    alice.fill("#send-amount", "6.66").await;
    alice.fill("#send-greeting", "For your eyes").await;
    // Whoever comes meanwhile changes nothing of what was chosen.
    stage.member("aaron").await;
    alice.has("#send-person option[value=aaron]").await;
    assert_eq!(chosen(&alice).await, "bob");
    alice.click("#send-submit").await;
    alice.misses("#send-dialog").await;
    let id = packet(&bob, "For your eyes").await;
    bob.click(&card(&id, " [data-action=grab]")).await;
    bob.click("#packet-dialog .coin[data-action=open]").await;
    bob.reads("#packet-dialog .amount", "¥6.66").await;
    bob.picture("company-bob").await;
    stage.end(&[&alice, &bob]).await;
}

#[tokio::test]
async fn a_command_reaches_somebody_who_never_wrote() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    stage.member("Yan").await;
    alice.sees("#people [data-person=Yan]").await;
    alice.fill("#message", "/hongbao to @Yan 6.66").await;
    alice.click("#send-message").await;
    alice.sees("[data-packet][data-state=sealed]").await;
    alice.reads("#balance-amount", "¥993.34").await;
    // A window that is opened later knows them from the beginning.
    alice.reload().await;
    alice.sees("#people [data-person=Yan]").await;
    stage.end(&[&alice]).await;
}
