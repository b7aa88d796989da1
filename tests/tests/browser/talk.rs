//! What is typed: messages, and commands for the plugin.

use super::stage::{Stage, shown};
use super::two::{card, packet};
use super::window::{ENTER, Window};

async fn say(window: &Window, text: &str) {
    window.fill("#message", text).await;
    window.press(&[ENTER]).await;
    window.until("the field is empty", "return document.getElementById('message').value === ''", &[]).await;
}

#[tokio::test]
async fn a_typed_command_sends_a_packet_and_leaves_no_message() {
    let stage = Stage::start();
    let (alice, bob) = (stage.person("alice").await, stage.person("bob").await);
    say(&alice, "/hongbao 8.88 2 恭喜").await;
    for window in [&alice, &bob] {
        let id = packet(window, "恭喜").await;
        window.sees(&card(&id, "[data-state=sealed] [data-progress=\"0/2\"]")).await;
        assert_eq!(window.count("[data-packet]").await, 1);
        assert_eq!(window.count("[data-message]").await, 0);
        window.picture(&format!("typed-{}", window.name)).await;
    }
    alice.reads("#balance-amount", &shown(100_000 - 888)).await;

    // What the plugin cannot read it answers to the writer alone.
    alice.fill("#message", "/hongbao nonsense").await;
    alice.press(&[ENTER]).await;
    alice.says(".toast.problem", "nonsense").await;
    alice.picture("typed-not-understood").await;
    assert_eq!(bob.count(".toast").await, 0);
    stage.end(&[&alice, &bob]).await;
}

#[tokio::test]
async fn a_refused_command_stays_to_be_mended() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    for (refused, why) in
        [("/hongbao nonsense", "nonsense"), ("/hongbao to @Yan 6.66", "@Yan"), ("/bogus", "/bogus")]
    {
        alice.fill("#message", refused).await;
        alice.press(&[ENTER]).await;
        let told = "return [...document.querySelectorAll('.toast.problem')] \
                    .some((one) => one.innerText.includes(arguments[0]))";
        alice.until(&format!("{refused} is refused"), told, &[why.into()]).await;
        alice
            .until("it was answered", "return !document.querySelector('#send-message[aria-disabled]')", &[])
            .await;
        assert_eq!(alice.script("return document.getElementById('message').value", &[]).await, refused);
    }
    alice.picture("typed-refused").await;
    // Mended, it is a new message, and gone.
    say(&alice, "/hongbao 6.66 1 Mended").await;
    packet(&alice, "Mended").await;
    // Help is no refusal.
    say(&alice, "/hongbao help").await;
    alice.sees("#packet-dialog .opened-sheet").await;
    stage.end(&[&alice]).await;
}

#[tokio::test]
async fn markup_stays_text_wherever_it_is_typed() {
    const MARKUP: &str = "<img src=x onerror=alert(1)>";
    let stage = Stage::start();
    let (alice, bob) = (stage.person("alice").await, stage.person("bob").await);
    let eve = stage.person("<b>eve</b>").await;
    say(&alice, MARKUP).await;
    super::two::send(&eve, "5", "2", "<script>alert(1)</script>").await;
    for window in [&alice, &bob, &eve] {
        window.reads("[data-message] .bubble", MARKUP).await;
        let id = packet(window, "<script>alert(1)</script>").await;
        window.says(&card(&id, " .field"), "<b>eve</b>").await;
        window.says("#people", "<b>eve</b>").await;
        assert_eq!(window.count("#log img, #log script, #log b, #people b").await, 0);
    }
    bob.picture("markup-is-text").await;
    bob.click("[data-packet] [data-action=grab]").await;
    bob.says("#packet-dialog .envelope", "<script>alert(1)</script>").await;
    assert_eq!(bob.count("#packet-dialog script, #packet-dialog b").await, 0);
    stage.end(&[&alice, &bob, &eve]).await;
}
