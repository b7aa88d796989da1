//! Somebody's window: what they do in it and what they see.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::driver::{Refusal, Session, target};
use super::kept::PATIENCE;

/// The name under which the protocol hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub const ENTER: &str = "\u{E007}";
pub const ESCAPE: &str = "\u{E00C}";
pub const RIGHT: &str = "\u{E014}";
pub const SHIFT: &str = "\u{E008}";
pub const TAB: &str = "\u{E004}";

pub struct Window {
    session: Session,
    /// Whose it is, for pictures and complaints.
    pub name: String,
}

impl Window {
    pub fn new(session: Session, name: &str) -> Self {
        Self { session, name: name.to_owned() }
    }

    async fn must(&self, path: &str, body: Value) -> Value {
        let done = self.session.post(path, body).await;
        done.unwrap_or_else(|refusal| panic!("{}: {path}: {refusal}", self.name))
    }

    pub async fn open(&self, url: &str) {
        self.must("url", json!({"url": url})).await;
    }

    pub async fn reload(&self) {
        self.must("refresh", json!({})).await;
    }

    /// The value of `return …` in the page, with `arguments`.
    pub async fn script(&self, script: &str, arguments: &[Value]) -> Value {
        self.must("execute/sync", json!({"script": script, "args": arguments})).await
    }

    /// As `script`, but the value is what the last argument is called with.
    pub async fn later(&self, script: &str, arguments: &[Value]) -> Value {
        self.must("execute/async", json!({"script": script, "args": arguments})).await
    }

    /// A command of the browser's own tools, such as `Emulation.setEmulatedMedia`.
    pub async fn tool(&self, command: &str, parameters: Value) -> Value {
        self.must("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    /// A window of this size, on a phone or a desktop.
    pub async fn size(&self, width: u32, height: u32, is_phone: bool) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone});
        self.tool("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// A reader who prefers `dark` or `light`.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tool("Emulation.setEmulatedMedia", features).await;
    }

    async fn find(&self, css: &str) -> Result<String, Refusal> {
        let found = self.session.post("element", json!({"using": "css selector", "value": css})).await?;
        Ok(found[ELEMENT].as_str().unwrap().to_owned())
    }

    /// Presses the first element that fits, as soon as it is there and nothing covers it.
    pub async fn click(&self, css: &str) {
        self.on(css, "click", json!({})).await;
    }

    /// Types into an element, behind what is there.
    pub async fn type_in(&self, css: &str, text: &str) {
        self.on(css, "value", json!({"text": text})).await;
    }

    /// Types into an emptied field.
    pub async fn fill(&self, css: &str, text: &str) {
        self.on(css, "clear", json!({})).await;
        self.type_in(css, text).await;
    }

    async fn on(&self, css: &str, what: &str, body: Value) {
        let started = Instant::now();
        loop {
            let refusal = match self.find(css).await {
                Ok(id) => match self.session.post(&format!("element/{id}/{what}"), body.clone()).await {
                    Ok(_) => return,
                    Err(refusal) => refusal,
                },
                Err(refusal) => refusal,
            };
            if started.elapsed() > PATIENCE || !passes(&refusal) {
                self.give_up(&format!("{what} on {css}: {refusal}")).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Presses keys one after another, whatever has the focus; all but the last are held meanwhile.
    pub async fn press(&self, keys: &[&str]) {
        let act = |kind: &str, key: &&str| json!({"type": kind, "value": key});
        let downs = keys.iter().map(|key| act("keyDown", key));
        let ups = keys.iter().rev().map(|key| act("keyUp", key));
        let steps: Vec<_> = downs.chain(ups).collect();
        self.must("actions", json!({"actions": [{"type": "key", "id": "keys", "actions": steps}]})).await;
    }

    /// Types a text by keys, whatever has the focus.
    pub async fn type_keys(&self, text: &str) {
        for key in text.chars() {
            self.press(&[key.encode_utf8(&mut [0; 4])]).await;
        }
    }

    /// The text of the first element that fits, as it is shown; it waits for one.
    pub async fn text(&self, css: &str) -> String {
        self.sees(css).await;
        self.script("return document.querySelector(arguments[0]).innerText.trim()", &[css.into()])
            .await
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub async fn attribute(&self, css: &str, name: &str) -> Option<String> {
        self.sees(css).await;
        let script = "return document.querySelector(arguments[0]).getAttribute(arguments[1])";
        self.script(script, &[css.into(), name.into()]).await.as_str().map(str::to_owned)
    }

    pub async fn count(&self, css: &str) -> u64 {
        self.script("return document.querySelectorAll(arguments[0]).length", &[css.into()])
            .await
            .as_u64()
            .unwrap()
    }

    /// Waits until an element fits and can be seen.
    pub async fn sees(&self, css: &str) {
        let script = "const found = document.querySelector(arguments[0]); \
                      return !!found && found.checkVisibility()";
        self.until(&format!("{css} is shown"), script, &[css.into()]).await;
    }

    /// Waits until an element fits, whether or not it can be seen.
    pub async fn has(&self, css: &str) {
        let script = "return !!document.querySelector(arguments[0])";
        self.until(&format!("{css} is there"), script, &[css.into()]).await;
    }

    /// Waits until no element that fits can be seen.
    pub async fn misses(&self, css: &str) {
        let script =
            "return ![...document.querySelectorAll(arguments[0])].some((one) => one.checkVisibility())";
        self.until(&format!("{css} is gone"), script, &[css.into()]).await;
    }

    /// Waits until the text of an element, as it is shown, is this one.
    pub async fn reads(&self, css: &str, text: &str) {
        let script = "return document.querySelector(arguments[0])?.innerText.trim() === arguments[1]";
        self.until(&format!("{css} reads {text:?}"), script, &[css.into(), text.into()]).await;
    }

    /// Waits until an element's text has this in it.
    pub async fn says(&self, css: &str, text: &str) {
        let script = "return !!document.querySelector(arguments[0])?.innerText.includes(arguments[1])";
        self.until(&format!("{css} says {text:?}"), script, &[css.into(), text.into()]).await;
    }

    /// Waits until the first element that fits has the focus.
    pub async fn is_at(&self, css: &str) {
        let script = "const at = document.activeElement; return !!at && at.matches(arguments[0])";
        self.until(&format!("{css} has the focus"), script, &[css.into()]).await;
    }

    /// Waits until a script says `true`.
    pub async fn until(&self, what: &str, script: &str, arguments: &[Value]) {
        let started = Instant::now();
        while self.script(script, arguments).await != json!(true) {
            if started.elapsed() > PATIENCE {
                self.give_up(what).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn give_up(&self, what: &str) -> ! {
        let picture = self.shoot(&format!("failed-{}-{}", self.name, std::process::id())).await;
        let console = self.console().await;
        panic!(
            "{}: it never came that {what}; see {}; its console: {console:?}",
            self.name,
            picture.display()
        );
    }

    /// What the console was told since it was asked last, complaints alone.
    pub async fn console(&self) -> Vec<String> {
        let told = self.must("se/log", json!({"type": "browser"})).await;
        let complaints = told
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["level"] == "SEVERE" || one["level"] == "WARNING");
        complaints.map(|one| one["message"].as_str().unwrap().to_owned()).collect()
    }

    /// A picture of a state, once nothing moves; kept as `target/screenshots/<name>.png`.
    pub async fn picture(&self, name: &str) -> PathBuf {
        self.still().await;
        self.shoot(name).await
    }

    /// Waits until everything that moves and ends has ended.
    pub async fn still(&self) {
        let script = "const done = arguments[0]; \
                      const finite = document.getAnimations() \
                        .filter((one) => one.effect.getComputedTiming().endTime < Infinity); \
                      Promise.allSettled(finite.map((one) => one.finished)) \
                        .then(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))";
        self.later(script, &[]).await;
    }

    async fn shoot(&self, name: &str) -> PathBuf {
        let shot = self.tool("Page.captureScreenshot", json!({"format": "png"})).await;
        let folder = target().join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}.png"));
        fs::write(&file, decoded(shot["data"].as_str().unwrap())).unwrap();
        file
    }

    pub async fn quit(&self) {
        self.session.quit().await;
    }
}

/// Whether the same may be done a little later: something moves, covers it or is not there yet.
fn passes(refusal: &Refusal) -> bool {
    let early = [
        "no such element",
        "stale element reference",
        "element click intercepted",
        "element not interactable",
        "invalid element state",
    ];
    early.contains(&refusal.code.as_str())
}

/// Base64, as the protocol sends pictures.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut kept) = (0, 0_u32);
    for digit in text.bytes().take_while(|digit| *digit != b'=') {
        let value = DIGITS.iter().position(|one| *one == digit).expect("a digit of base64");
        kept = kept << 6 | u32::try_from(value).unwrap();
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(kept >> bits & 0xff).unwrap());
        }
    }
    bytes
}

#[test]
fn base_64_is_read() {
    assert_eq!(decoded("aG9uZ2Jhbw=="), b"hongbao");
    assert_eq!(decoded("AP+/"), [0, 255, 191]);
}
