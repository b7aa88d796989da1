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

/// Whether an element is in the window as a whole, and nothing lies on it.
const IN_SIGHT: &str = "const one = document.querySelector(arguments[0]); \
     const { left, right, top, bottom } = one.getBoundingClientRect(); \
     const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2); \
     return top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth && one.contains(at)";

/// Whether an element is in what is shown of the form's fields.
const WITHIN_FORM: &str = "const [one, body] = [arguments[0], '.sheet-body'] \
       .map((css) => document.querySelector(css).getBoundingClientRect()); \
     return one.top >= body.top && one.bottom <= body.bottom";

#[tokio::test]
async fn the_form_keeps_its_button_in_sight_on_a_phone_that_lies_on_its_side() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    let button = [json!("#send-submit")];
    for (width, height) in [(844, 390), (667, 375), PHONE, (1280, 800)] {
        alice.size(width, height, true).await;
        alice.click("#send-packet").await;
        for kind in ["equal", "one", "lucky"] {
            // By script, since a press of the driver's scrolls first to what it presses.
            let choose = "document.querySelector(`[name=kind][value=${arguments[0]}]`).click()";
            alice.script(choose, &[kind.into()]).await;
            alice.still().await;
            assert_eq!(alice.script(IN_SIGHT, &button).await, true, "{width}×{height}, {kind}");
        }
        alice.picture(&format!("form-{width}x{height}")).await;
        alice.click("#send-submit").await;
        alice.sees("#send-problem").await;
        assert_eq!(alice.script(IN_SIGHT, &button).await, true, "{width}×{height}, refused");
        // Whatever has the focus is in sight as well.
        for field in ["#send-amount", "#send-greeting", "[name=kind]:checked"] {
            let focus = "document.querySelector(arguments[0]).focus()";
            alice.script(focus, &[field.into()]).await;
            alice.until(&format!("{field} is in sight"), WITHIN_FORM, &[field.into()]).await;
        }
        alice.picture(&format!("form-refused-{width}x{height}")).await;
        alice.click("#send-dialog [data-close]").await;
        alice.misses("#send-dialog").await;
    }
    stage.end(&[&alice]).await;
}
