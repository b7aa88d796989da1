//! Names and words that would turn the page around them, and names that are too much.

use super::stage::Stage;
use super::two::{card, packet, send};
use super::window::Window;

/// The horizontal places of two elements: the second stands right of the first.
async fn stands_right(window: &Window, left: &str, right: &str) {
    let script = "const at = (css) => document.querySelector(css).getBoundingClientRect(); \
                  return at(arguments[0]).left < at(arguments[1]).left";
    window.until(&format!("{right} stands right of {left}"), script, &[left.into(), right.into()]).await;
}

#[tokio::test]
async fn an_override_in_a_name_turns_nothing_around_it() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    let mallory = stage.member("\u{202e}mallory").await;
    let id = mallory.send(500, 2, "\u{202e}Good luck", serde_json::json!({})).await;
    mallory.say("m", "\u{202e}hello").await;
    alice.sees(&card(&id, "[data-state=sealed] [data-progress=\"0/2\"]")).await;
    alice.says("[data-message] .bubble", "hello").await;
    alice.picture("turned-room").await;
    alice.reads("#people [data-person$=mallory] .who", "mallory").await;
    alice.reads(&card(&id, " .person .who"), "mallory").await;
    alice.reads(&card(&id, " .card-greeting"), "Good luck").await;
    let name = card(&id, " .item-name .who");
    stands_right(&alice, &name, &card(&id, " .item-name time")).await;
    stands_right(&alice, &card(&id, " .person .who"), &card(&id, " .person .field-value")).await;
    // Where a name stands within a sentence, nothing of it is left that could turn.
    let label = alice.attribute(&card(&id, ""), "aria-label").await.unwrap();
    assert_eq!(label, "Red packet from mallory");
    alice.click(&card(&id, " [data-action=grab]")).await;
    assert_eq!(alice.text("#packet-title").await, "mallory sent a red packet");
    alice.picture("turned-envelope").await;
    alice.click("#packet-dialog .coin[data-action=open]").await;
    alice.says("#packet-dialog .sheet-from", "Red packet from mallory").await;
    alice.says("#packet-dialog .sheet-greeting", "Good luck").await;
    alice.click("#packet-dialog [data-close]").await;
    stage.end(&[&alice]).await;
}

#[tokio::test]
async fn a_name_from_right_to_left_is_kept_apart_from_the_sentence() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    let dana = stage.member("דנה").await;
    let id = dana.send(500, 2, "מזל טוב", serde_json::json!({})).await;
    alice.sees(&card(&id, "[data-state=sealed] [data-progress=\"0/2\"]")).await;
    let label = alice.attribute(&card(&id, ""), "aria-label").await.unwrap();
    assert_eq!(label, "Red packet from \u{2068}דנה\u{2069}");
    stands_right(&alice, &card(&id, " .item-name .who"), &card(&id, " .item-name time")).await;
    alice.picture("turned-hebrew").await;
    stage.end(&[&alice]).await;
}

#[tokio::test]
async fn names_that_are_too_much_stay_in_their_place() {
    let stage = Stage::start();
    let heaped = format!("z{}algo", "\u{301}\u{323}".repeat(40));
    let long = "a-very-long-name-without-a-place-to-break-it".repeat(4);
    let alice = stage.person("alice").await;
    for (at, name) in [&heaped, &long].into_iter().enumerate() {
        let member = stage.member(name).await;
        member.say(&format!("m{at}"), name).await;
        member.send(500, 2, &name.chars().take(60).collect::<String>(), serde_json::json!({})).await;
    }
    alice
        .until("all of it is there", "return document.querySelectorAll('[data-message]').length === 2", &[])
        .await;
    for (size, is_phone) in [((390, 844), true), ((1120, 760), false)] {
        alice.size(size.0, size.1, is_phone).await;
        alice
            .until(
                "both are there",
                "return document.querySelectorAll('[data-packet] .card-buttons').length === 2",
                &[],
            )
            .await;
        let wider = alice.script("return document.documentElement.scrollWidth - innerWidth", &[]).await;
        assert!(wider.as_i64().unwrap() <= 0, "{wider}");
        alice.picture(&format!("too-much-{}", size.0)).await;
    }
    stage.end(&[&alice]).await;
}

#[tokio::test]
async fn a_command_that_nobody_knows_is_answered() {
    let stage = Stage::start();
    let (alice, bob) = (stage.person("alice").await, stage.person("bob").await);
    alice.fill("#message", "/hognbao 5 2").await;
    alice.click("#send-message").await;
    alice.says(".toast.problem", "There is no command /hognbao. Did you mean /hongbao?").await;
    // What was typed is still there, to be mended.
    assert_eq!(alice.script("return document.getElementById('message').value", &[]).await, "/hognbao 5 2");
    alice.fill("#message", "/weather").await;
    alice.click("#send-message").await;
    alice.until("it is told", "return [...document.querySelectorAll('.toast')].some((one) => one.innerText.includes('/weather'))", &[]).await;
    alice.picture("unknown-command").await;
    alice.fill("#message", "\u{3000}／红包 8.88 2 全角").await;
    alice.click("#send-message").await;
    let id = packet(&bob, "全角").await;
    bob.sees(&card(&id, "[data-state=sealed] [data-progress=\"0/2\"]")).await;
    alice.fill("#message", "/红包8.88元2个 连写").await;
    alice.click("#send-message").await;
    packet(&bob, "连写").await;
    for window in [&alice, &bob] {
        assert_eq!(window.count("[data-message]").await, 0, "{}", window.name);
    }
    send(&alice, "5", "2", "after").await;
    assert_eq!(bob.count(".toast").await, 0);
    stage.end(&[&alice, &bob]).await;
}
