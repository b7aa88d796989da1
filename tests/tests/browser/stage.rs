//! A service of its own for each story, and people who open its page.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::crowd::Member;
use super::driver::Driver;
use super::kept::{Kept, PATIENCE};
use super::window::Window;

/// A stage's service keeps books, and somebody from outside pays into wallets.
pub struct Bank {
    _books: TempDir,
    operator: String,
    teller: String,
}

pub struct Stage {
    service: Kept,
    driver: Driver,
    client: Client,
    bank: Option<Bank>,
    pub url: String,
}

fn hongbao(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hongbao-under-test"));
    command.args(args).env("NO_COLOR", "1");
    command
}

/// A key of a service on these books, as the command gives one.
fn key(books: &Path, args: &[&str]) -> String {
    let mut command = hongbao(&["key", "create", "--label", "test"]);
    let made = command.args(args).arg("--data").arg(books).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

impl Stage {
    pub fn start() -> Self {
        Self::on(&[], None)
    }

    /// A service whose wallets can be paid into from outside, and whose tenant can be given another policy.
    pub fn with_bank() -> Self {
        let books = tempfile::tempdir().unwrap();
        let operator = key(books.path(), &["--operator"]);
        // The service makes the tenant when it starts.
        let tenants = books.path().join("tenants.toml");
        std::fs::write(&tenants, "[tenants.demo]").unwrap();
        let tenants = tenants.to_str().unwrap();
        let teller = key(books.path(), &["--tenant", "demo", "--scope", "fund", "--config", tenants]);
        let data = books.path().to_str().unwrap().to_owned();
        Self::on(&["--data", &data], Some(Bank { _books: books, operator, teller }))
    }

    fn on(more: &[&str], bank: Option<Bank>) -> Self {
        let service = Kept::start(hongbao(&[&["serve", "--demo", "--listen", "127.0.0.1:0"], more].concat()));
        let url = service.printed("Hongbao serves on ");
        let driver = Driver::start();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { service, driver, client, bank, url }
    }

    /// A window on a desktop, in English and light, that shows the welcome form.
    pub async fn window(&self, name: &str) -> Window {
        self.window_for(name, "en-US").await
    }

    /// A window whose reader prefers this language.
    pub async fn window_for(&self, name: &str, language: &str) -> Window {
        let window = Window::new(self.driver.session(language).await, name);
        window.size(1000, 760, false).await;
        window.prefer("light").await;
        window.open(&self.url).await;
        window.sees("#welcome").await;
        window
    }

    /// Somebody who has joined.
    pub async fn person(&self, name: &str) -> Window {
        let window = self.window(name).await;
        join(&window, name).await;
        window
    }

    /// Somebody without a window, who speaks to the API.
    pub async fn member(&self, name: &str) -> Member {
        Member::join(&self.client, &self.url, name).await
    }

    /// Somebody's session, as their window has it.
    pub async fn member_of(&self, window: &Window) -> Member {
        let session = window.script("return sessionStorage.getItem('hongbao.session')", &[]).await;
        Member::new(&self.client, &self.url, &serde_json::from_str(session.as_str().unwrap()).unwrap())
    }

    /// Pays into somebody's wallet; gives what it holds then.
    pub async fn fund(&self, user: &str, amount: u64) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let key = format!("funding {}", NEXT.fetch_add(1, Ordering::Relaxed));
        let asked = self.client.post(format!("{}/v1/users/{user}/wallet/funds", self.url));
        let asked = asked.bearer_auth(&self.bank.as_ref().unwrap().teller).header("idempotency-key", key);
        let answer: Value =
            asked.json(&json!({"amount": amount})).send().await.unwrap().json().await.unwrap();
        answer["balance"].as_u64().unwrap_or_else(|| panic!("{answer}"))
    }

    /// Gives the room another policy.
    pub async fn policy(&self, policy: Value) {
        let asked = self.client.put(format!("{}/v1/tenants/demo/settings", self.url));
        let asked = asked.bearer_auth(&self.bank.as_ref().unwrap().operator);
        let answer = asked.json(&json!({"policy": policy})).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// The end of every story: no window complained, and the service ends well.
    pub async fn end(self, windows: &[&Window]) {
        for window in windows {
            assert_eq!(window.console().await, [""; 0], "the console of {}", window.name);
            window.quit().await;
        }
        let (code, log) = self.service.end();
        assert_eq!(code, Some(0), "{log}");
    }
}

/// Joins under a name, and waits until the room is live and the balance known.
pub async fn join(window: &Window, name: &str) {
    window.fill("#join-name", name).await;
    window.click("#join").await;
    is_in(window).await;
}

pub async fn is_in(window: &Window) {
    window.sees("#chat").await;
    window.has("#connection[data-state=live]").await;
    let script = "return /\\d/.test(document.getElementById('balance-amount').textContent)";
    window.until("the balance is known", script, &[]).await;
}

/// Minor units of an amount as it is shown, such as `¥1,000.00`.
#[track_caller]
pub fn minor(shown: &str) -> u64 {
    let (whole, fraction) = shown.split_once('.').unwrap_or_else(|| panic!("no amount: {shown:?}"));
    assert!(shown.contains('¥') && fraction.len() == 2, "no amount: {shown:?}");
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    format!("{}{}", digits(whole), digits(fraction)).parse().unwrap()
}

/// What the header says somebody has, in minor units.
pub async fn balance(window: &Window) -> u64 {
    minor(&window.text("#balance-amount").await)
}

/// An amount as the page shows it.
pub fn shown(amount: u64) -> String {
    let whole = amount / 100;
    let thousands =
        if whole >= 1000 { format!("{},{:03}", whole / 1000, whole % 1000) } else { whole.to_string() };
    format!("¥{thousands}.{:02}", amount % 100)
}
