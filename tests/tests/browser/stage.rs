//! A service of its own for each story, and people who open its page.

use std::process::Command;

use reqwest::Client;

use super::crowd::Member;
use super::driver::Driver;
use super::kept::{Kept, PATIENCE};
use super::window::Window;

pub struct Stage {
    service: Kept,
    driver: Driver,
    client: Client,
    pub url: String,
}

impl Stage {
    pub fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hongbao-under-test"));
        command.args(["serve", "--demo", "--listen", "127.0.0.1:0"]).env("NO_COLOR", "1");
        let service = Kept::start(command);
        let url = service.printed("Hongbao serves on ");
        let driver = Driver::start();
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self { service, driver, client, url }
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
