//! Languages and colours.

use super::stage::{Stage, join};
use super::two::{card, packet, send};
use super::window::Window;

async fn background(window: &Window) -> String {
    window.still().await;
    let colour = window.script("return getComputedStyle(document.body).backgroundColor", &[]).await;
    colour.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn everything_is_said_in_the_other_language() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    send(&alice, "5", "2", "Good luck").await;
    let id = packet(&alice, "Good luck").await;
    alice.reads(&card(&id, " [data-action=grab]"), "Grab").await;
    alice.says(&card(&id, ""), "lucky draw").await;
    assert_eq!(alice.attribute("html", "lang").await.as_deref(), Some("en"));

    alice.click("#language").await;
    alice.reads(&card(&id, " [data-action=grab]"), "抢红包").await;
    alice.says(&card(&id, ""), "拼手气红包").await;
    assert_eq!(alice.attribute("html", "lang").await.as_deref(), Some("zh-CN"));
    assert_eq!(alice.attribute("#send-packet", "aria-label").await.as_deref(), Some("发红包"));
    assert_eq!(alice.text("#people-title").await, "成员");
    alice.picture("language-chinese").await;
    alice.click("#send-packet").await;
    assert_eq!(alice.text("#send-submit").await, "塞钱进红包");
    alice.click("#send-dialog [data-close]").await;

    alice.reload().await;
    alice.reads(&card(&id, " [data-action=grab]"), "抢红包").await;
    alice.click("#language").await;
    alice.reads(&card(&id, " [data-action=grab]"), "Grab").await;
    assert_eq!(alice.text("#people-title").await, "People");
    stage.end(&[&alice]).await;
}

#[tokio::test]
async fn a_reader_of_chinese_is_welcomed_in_chinese() {
    let stage = Stage::start();
    let xiaohong = stage.window_for("xiaohong", "zh-CN").await;
    assert_eq!(xiaohong.text("#join").await, "进入聊天室");
    join(&xiaohong, "小红").await;
    xiaohong.sees("#people [data-person=小红]").await;
    // Other languages than these two are answered in English.
    let jeanne = stage.window_for("jeanne", "fr-FR").await;
    assert_eq!(jeanne.text("#join").await, "Join the room");
    stage.end(&[&xiaohong, &jeanne]).await;
}

#[tokio::test]
async fn dark_and_light_follow_the_reader_until_they_choose() {
    let stage = Stage::start();
    let alice = stage.person("alice").await;
    let light = background(&alice).await;
    alice.prefer("dark").await;
    let dark = background(&alice).await;
    assert_ne!(light, dark);

    alice.click("#theme").await;
    assert_eq!(background(&alice).await, light);
    alice.picture("theme-light-chosen").await;
    alice.reload().await;
    alice.sees("#chat").await;
    assert_eq!(background(&alice).await, light);
    alice.prefer("light").await;
    alice.click("#theme").await;
    assert_eq!(background(&alice).await, dark);
    alice.picture("theme-dark-chosen").await;
    stage.end(&[&alice]).await;
}
