//! A browser's driver, spoken to by WebDriver (<https://www.w3.org/TR/webdriver2/>).

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::kept::{Kept, PATIENCE};

const BROWSER: &str = "/usr/bin/chromium";

/// A browser that shows nothing, asks nobody anything, and knows no yesterday.
const OPTIONS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// A driver on a free port, with the browsers that it started.
pub struct Driver {
    _process: Kept,
    client: Client,
    url: String,
}

/// A browser with an empty profile and one window.
#[derive(Clone)]
pub struct Session {
    client: Client,
    url: String,
}

/// What a driver says is wrong: a code such as `no such element`, and a sentence.
pub struct Refusal {
    pub code: String,
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Behind the first line stands the driver's own trace.
        write!(f, "{}: {}", self.code, self.message.lines().next().unwrap_or_default())
    }
}

impl Driver {
    pub fn start() -> Self {
        // Nothing here is encrypted, yet a client is not made without it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut command = Command::new("chromedriver");
        command.args(["--port=0", "--log-level=SEVERE"]);
        let process = Kept::start(command);
        let port = process.printed("started successfully on port ");
        let url = format!("http://127.0.0.1:{}", port.trim_end_matches('.'));
        let client = Client::builder().no_proxy().timeout(2 * PATIENCE).build().unwrap();
        Self { _process: process, client, url }
    }

    /// A browser whose reader prefers this language, such as `en-US`.
    pub async fn session(&self, language: &str) -> Session {
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": BROWSER,
                "args": OPTIONS,
                "prefs": {"intl.accept_languages": language, "intl.selected_languages": language},
            },
            "goog:loggingPrefs": {"browser": "ALL"},
            "timeouts": {"script": 30_000, "pageLoad": 30_000, "implicit": 0},
        }}});
        let begun = call(&self.client, Method::POST, &format!("{}/session", self.url), wanted).await;
        let begun = begun.unwrap_or_else(|refusal| panic!("no browser: {refusal}"));
        let id = begun["sessionId"].as_str().unwrap();
        Session { client: self.client.clone(), url: format!("{}/session/{id}", self.url) }
    }
}

impl Session {
    pub async fn post(&self, path: &str, body: Value) -> Result<Value, Refusal> {
        call(&self.client, Method::POST, &format!("{}/{path}", self.url), body).await
    }

    /// Ends the browser.
    pub async fn quit(&self) {
        call(&self.client, Method::DELETE, &self.url, Value::Null)
            .await
            .unwrap_or_else(|refusal| panic!("a browser did not end: {refusal}"));
    }
}

async fn call(client: &Client, method: Method, url: &str, body: Value) -> Result<Value, Refusal> {
    let mut request = client.request(method, url);
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let is_well = response.status().is_success();
    let mut answer: Value = response.json().await.unwrap();
    let value = answer["value"].take();
    if is_well {
        return Ok(value);
    }
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    Err(Refusal { code: text("error"), message: text("message") })
}

/// The folder of everything that was built, and of what a test leaves to be looked at.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target")
}
