//! What is needed is in sight, whatever the size of the window.

use serde_json::json;

use super::crowd::Member;
use super::stage::Stage;

const PHONE: (u32, u32) = (390, 844);

/// Enough of one's own to fill more than a window.
async fn say_and_send(own: &Member) {
    for number in 0..12 {
        own.say(&format!("m{number}"), &format!("word {number}")).await;
    }
    for number in 1..=4 {
        own.send(100 * number, 2, &format!("packet {number}"), json!({})).await;
    }
}

#[tokio::test]
async fn the_document_stays_as_high_as_the_window() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    say_and_send(&stage.member_of(&alice).await).await;
    let all = "return document.querySelectorAll('.own[data-message], .own[data-packet]').length === 16";
    alice.until("all of it is there", all, &[]).await;
    for ((width, height), is_phone) in [((1280, 800), false), (PHONE, true)] {
        alice.size(width, height, is_phone).await;
        alice.picture(&format!("high-{width}")).await;
        let script = "const { scrollHeight, clientHeight } = document.scrollingElement; \
                      const log = document.getElementById('log'); \
                      return [scrollHeight - clientHeight, log.scrollHeight > log.clientHeight]";
        assert_eq!(alice.script(script, &[]).await, json!([0, true]), "{width}×{height}");
    }
    stage.end(&[&alice]).await;
}
