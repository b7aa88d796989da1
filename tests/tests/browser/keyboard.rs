//! Without a mouse.

use super::stage::{Stage, is_in, shown};
use super::two::{card, packet};
use super::window::{ENTER, ESCAPE, RIGHT, SHIFT, TAB, Window};

/// Goes through the page by Tab, or back with Shift, until the focus is there.
async fn walk(window: &Window, css: &str, back: bool) {
    for _ in 0..40 {
        let script = "return document.activeElement?.matches(arguments[0]) === true";
        if window.script(script, &[css.into()]).await == true {
            return;
        }
        window.press(if back { &[SHIFT, TAB] } else { &[TAB] }).await;
    }
    // It waits for nothing more: it says where the focus is, with a picture.
    window.is_at(css).await;
}

#[tokio::test]
async fn everything_is_done_by_keys_alone() {
    let stage = Stage::start();
    let alice = stage.window("alice").await;
    alice.is_at("#join-name").await;
    alice.type_keys("alice").await;
    alice.press(&[ENTER]).await;
    is_in(&alice).await;

    alice.is_at("#message").await;
    alice.type_keys("hello").await;
    alice.press(&[ENTER]).await;
    alice.reads("[data-message]:not([data-pending]) .bubble", "hello").await;
    alice.is_at("#message").await;

    // A dialog that is left gives the focus back.
    walk(&alice, "#send-packet", true).await;
    alice.press(&[ENTER]).await;
    alice.is_at("#send-amount").await;
    alice.press(&[ESCAPE]).await;
    alice.misses("#send-dialog").await;
    alice.is_at("#send-packet").await;

    send_and_open(&alice).await;
    look_at_the_history(&alice).await;
    stage.end(&[&alice]).await;
}

async fn send_and_open(alice: &Window) {
    alice.press(&[ENTER]).await;
    alice.is_at("#send-amount").await;
    alice.press(&[ENTER]).await;
    // What is missing is said, and the cursor stands where it belongs.
    alice.says("#send-problem", "amount").await;
    alice.is_at("#send-amount[aria-invalid=true]").await;
    alice.type_keys("6.66").await;
    alice.press(&[TAB]).await;
    alice.is_at("#send-shares").await;
    alice.type_keys("1").await;
    alice.press(&[TAB]).await;
    alice.is_at("#send-greeting").await;
    alice.type_keys("by keys").await;
    alice.press(&[ENTER]).await;
    alice.misses("#send-dialog").await;
    alice.is_at("#send-packet").await;

    let id = packet(alice, "by keys").await;
    alice.sees(&card(&id, " [data-action=grab]")).await;
    walk(alice, &card(&id, " [data-action=grab]"), true).await;
    alice.press(&[ENTER]).await;
    alice.is_at("#packet-dialog .coin").await;
    alice.picture("keyboard-coin").await;
    alice.press(&[ENTER]).await;
    alice.reads("#packet-dialog .amount", &shown(666)).await;
    alice.is_at("#packet-title").await;
    alice.has(&card(&id, "[data-state=finished]")).await;
    alice.press(&[ESCAPE]).await;
    alice.misses("#packet-dialog").await;
    // Its button is gone with the last share: the card itself takes its place.
    alice.is_at(&card(&id, "")).await;
}

async fn look_at_the_history(alice: &Window) {
    walk(alice, "#history-open", true).await;
    alice.press(&[ENTER]).await;
    alice.says("#history-list", &format!("+{}", shown(666))).await;
    walk(alice, "#tab-received", false).await;
    alice.press(&[RIGHT]).await;
    alice.is_at("#tab-sent[aria-selected=true]").await;
    alice.says("#history-list", "by keys").await;
    alice.picture("keyboard-history").await;
    alice.press(&[ESCAPE]).await;
    alice.misses("#history").await;
    alice.is_at("#history-open").await;
}
