//! What is needed is in sight, whatever the size of the window.

use serde_json::json;

use super::crowd::Member;
use super::stage::{Stage, join};
use super::window::Window;

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

/// How much wider than its field the words in the empty field are.
async fn cut_off(window: &Window) -> f64 {
    let script = "const field = document.getElementById('message'); \
                  const style = getComputedStyle(field); \
                  const canvas = document.createElement('canvas').getContext('2d'); \
                  canvas.font = getComputedStyle(field, '::placeholder').font; \
                  const room = field.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight); \
                  return canvas.measureText(field.placeholder).width - room";
    window.script(script, &[]).await.as_f64().unwrap()
}

#[tokio::test]
async fn the_words_in_the_empty_field_are_whole_on_phones() {
    let stage = Stage::start();
    let mut windows = Vec::new();
    for language in ["en-US", "zh-CN"] {
        let window = stage.window_for(language, language).await;
        join(&window, language).await;
        for width in [390, 320] {
            window.size(width, 700, true).await;
            window.picture(&format!("placeholder-{language}-{width}")).await;
            let wider = cut_off(&window).await;
            assert!(wider <= 0.0, "{language}, {width}: wider by {wider}");
        }
        windows.push(window);
    }
    stage.end(&windows.iter().collect::<Vec<_>>()).await;
}
