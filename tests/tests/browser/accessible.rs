//! Every state of the page, on a phone and a desktop, light and dark: nobody is shut out.

use serde_json::{Value, json};

use super::axe::{rules, violations};
use super::stage::{Stage, join};
use super::two::card;
use super::window::{RIGHT, Window};

/// A device, its owner's eyes and their language.
struct Look {
    name: &'static str,
    size: (u32, u32),
    is_phone: bool,
    scheme: &'static str,
    language: &'static str,
}

const PHONE: (u32, u32) = (390, 844);
const DESKTOP: (u32, u32) = (1120, 760);

/// A window whose every state is judged and pictured.
struct Judge {
    window: Window,
    look: Look,
    rules: String,
    wrong: Vec<Value>,
    states: usize,
}

impl Judge {
    async fn judge(&mut self, state: &str) {
        let (window, name) = (&self.window, self.look.name);
        window.picture(&format!("{name}-{state}")).await;
        for violation in violations(window, &self.rules).await {
            self.wrong.push(json!({"state": format!("{name}-{state}"), "violation": violation}));
        }
        let overflow = "return document.documentElement.scrollWidth - innerWidth";
        let overflow = window.script(overflow, &[]).await.as_i64().unwrap();
        if overflow > 0 {
            self.wrong.push(json!({"state": format!("{name}-{state}"), "wider by": overflow}));
        }
        // The room scrolls within the window; the welcome form may be higher than one.
        let overflow = "const { scrollHeight, clientHeight } = document.scrollingElement; \
                        return document.getElementById('chat').hidden ? 0 : scrollHeight - clientHeight";
        let overflow = window.script(overflow, &[]).await.as_i64().unwrap();
        if overflow > 0 {
            self.wrong.push(json!({"state": format!("{name}-{state}"), "higher by": overflow}));
        }
        self.states += 1;
    }
}

/// What was said and sent before the reader came, in words of theirs.
struct Scene {
    finished: String,
    expired: String,
    sealed: String,
}

/// In the order of the scene.
fn lines(language: &str) -> [&'static str; 6] {
    if language == "zh-CN" {
        [
            "晚上好！谁先来一个？",
            "恭喜发财，大吉大利",
            "手慢无",
            "新年快乐，万事如意",
            "谢谢老板！",
            "大家新年好！",
        ]
    } else {
        [
            "Good evening! Who sends the first one?",
            "Best wishes to all of you",
            "For whoever is awake",
            "Happy new year, everybody!",
            "Thank you, that was quick",
            "Happy new year!",
        ]
    }
}

async fn scene(stage: &Stage, language: &str) -> Scene {
    let line = lines(language);
    let [bob, carol, hong, ming] = [
        stage.member("Bob").await,
        stage.member("Carol").await,
        stage.member("小红").await,
        stage.member("大明").await,
    ];
    carol.say("first", line[0]).await;
    let expired = carol.send(500, 2, line[2], json!({"strategy": "equal", "expires_in_ms": 2500})).await;
    ming.take(&expired).await;
    let finished = hong.send(6666, 3, line[1], json!({})).await;
    for member in [&bob, &ming, &carol] {
        member.take(&finished).await;
    }
    ming.say("second", line[4]).await;
    let sealed = bob.send(8888, 5, line[3], json!({})).await;
    for member in [&carol, &hong, &ming] {
        member.take(&sealed).await;
    }
    Scene { finished, expired, sealed }
}

async fn nobody_is_shut_out(look: Look) {
    let rules = rules();
    let stage = Stage::start();
    let scene = scene(&stage, look.language).await;
    let window = stage.window_for(look.name, look.language).await;
    window.size(look.size.0, look.size.1, look.is_phone).await;
    window.prefer(look.scheme).await;
    let mut judge = Judge { window, look, rules, wrong: Vec::new(), states: 0 };
    come_in(&mut judge, &scene).await;
    send_one(&mut judge).await;
    open_one(&mut judge, &scene).await;
    look_back(&mut judge).await;
    assert_eq!(judge.states, 12);
    assert!(judge.wrong.is_empty(), "{:#?}", judge.wrong);
    stage.end(&[&judge.window]).await;
}

async fn come_in(judge: &mut Judge, scene: &Scene) {
    judge.judge("welcome").await;
    join(&judge.window, "Alice").await;
    let window = &judge.window;
    window.has(&card(&scene.finished, "[data-state=finished]")).await;
    window.has(&card(&scene.expired, "[data-state=expired]")).await;
    window.has(&card(&scene.sealed, "[data-state=sealed] [data-progress=\"3/5\"]")).await;
    window.fill("#message", lines(judge.look.language)[5]).await;
    window.click("#send-message").await;
    window.has(".own[data-message]:not([data-pending])").await;
    judge.judge("room").await;
    judge.window.type_in("#message", "/").await;
    judge.window.sees("#suggestions [role=option]").await;
    judge.judge("suggestions").await;
    judge.window.fill("#message", "").await;
}

async fn send_one(judge: &mut Judge) {
    judge.window.click("#send-packet").await;
    judge.window.click("#send-submit").await;
    judge.window.sees("#send-problem").await;
    judge.judge("send-refused").await;
    judge.window.fill("#send-amount", "66.66").await;
    judge.window.fill("#send-shares", "4").await;
    judge.judge("send").await;
    judge.window.click("#send-submit").await;
    judge.window.misses("#send-dialog").await;
    judge.window.sees(".own[data-packet][data-state=sealed]").await;
    judge.judge("sent").await;
}

async fn open_one(judge: &mut Judge, scene: &Scene) {
    judge.window.click(&card(&scene.sealed, " [data-action=grab]")).await;
    judge.window.sees("#packet-dialog .envelope .coin").await;
    judge.judge("envelope").await;
    judge.window.click("#packet-dialog .coin").await;
    judge.window.sees("#packet-dialog .opened-sheet[data-state=opened]").await;
    judge.judge("opened").await;
    judge.window.click("#packet-dialog [data-action=details]").await;
    judge.window.sees("#packet-dialog .field[data-user=Alice]").await;
    judge.judge("details").await;
    judge.window.click("#packet-dialog [data-close]").await;
    judge.window.misses("#packet-dialog").await;
}

async fn look_back(judge: &mut Judge) {
    let window = &judge.window;
    window.click("#balance").await;
    window.sees("#statement .entry[data-kind=received]").await;
    judge.judge("wallet").await;
    judge.window.click("#wallet [data-close]").await;
    judge.window.click("#history-open").await;
    judge.window.sees("#history-list [data-history]").await;
    judge.judge("history").await;
    judge.window.click("#tab-received").await;
    judge.window.press(&[RIGHT]).await;
    judge.window.sees("#tab-sent[aria-selected=true]").await;
    judge.window.says("#history-list", "66.66").await;
    judge.judge("history-sent").await;
    judge.window.click("#history [data-close]").await;
}

#[tokio::test]
async fn nobody_is_shut_out_on_a_light_phone() {
    let name = "phone-light-en";
    nobody_is_shut_out(Look { name, size: PHONE, is_phone: true, scheme: "light", language: "en-US" }).await;
}

#[tokio::test]
async fn nobody_is_shut_out_on_a_dark_phone() {
    let name = "phone-dark-zh";
    nobody_is_shut_out(Look { name, size: PHONE, is_phone: true, scheme: "dark", language: "zh-CN" }).await;
}

#[tokio::test]
async fn nobody_is_shut_out_on_a_light_desktop() {
    let name = "desktop-light-en";
    nobody_is_shut_out(Look { name, size: DESKTOP, is_phone: false, scheme: "light", language: "en-US" })
        .await;
}

#[tokio::test]
async fn nobody_is_shut_out_on_a_dark_desktop() {
    let name = "desktop-dark-zh";
    nobody_is_shut_out(Look { name, size: DESKTOP, is_phone: false, scheme: "dark", language: "zh-CN" })
        .await;
}

/// A judge who never finds anything would be none.
#[tokio::test]
async fn a_page_that_shuts_people_out_is_found() {
    let rules = rules();
    let stage = Stage::start();
    let window = stage.window("somebody").await;
    let script = "document.body.append(document.createElement('button')); \
                  document.querySelector('label').style.color = '#eee'";
    window.script(script, &[]).await;
    let found: Vec<_> = violations(&window, &rules).await.iter().map(|one| one["id"].clone()).collect();
    assert!(found.contains(&json!("button-name")) && found.contains(&json!("color-contrast")), "{found:?}");
    stage.end(&[&window]).await;
}
