//! A tenant that asks a hundred times as often as it may, about everything.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::caller::{Ask, Caller, get, post};
use super::mischief::Counts;
use super::service::{Keys, MALLORY_PER_SECOND};
use crate::chaos::load::Load;
use crate::chaos::now_ms;

/// How many times what it may ask it asks.
const TIMES: u64 = 100;
const CALLERS: u32 = 25;
/// From one request of a caller to the next.
const EVERY: Duration = Duration::from_millis(1_000 * CALLERS as u64 / (MALLORY_PER_SECOND * TIMES));
const FUNDS: u64 = 10_000;
const TOTAL: u64 = 100;
/// Where there is no packet of its own yet.
const NOBODYS: &str = "00000000-0000-7000-8000-000000000000";

/// Asks for ever.
pub async fn ask(keys: &Keys, counts: &Counts) {
    let packet = Mutex::new(NOBODYS.to_owned());
    let callers = (0..CALLERS).map(|caller| {
        let greedy = Greedy { keys, counts, caller, packet: &packet };
        greedy.ask()
    });
    join_all(callers).await;
}

struct Greedy<'a> {
    keys: &'a Keys,
    counts: &'a Counts,
    caller: u32,
    /// The last packet that was sent.
    packet: &'a Mutex<String>,
}

impl Greedy<'_> {
    async fn ask(self) {
        // One after the other, so that they do not come in bursts.
        let mut due = Instant::now() + EVERY * self.caller / CALLERS;
        let mut streams = Vec::new();
        for turn in u64::from(self.caller).. {
            sleep_until(due).await;
            due = (due + EVERY).max(Instant::now());
            self.counts.made();
            if turn % 10 == 9 {
                let stream = self.keys.member.begin(&get("/v1/rooms/mallory/events")).await;
                let Ok(stream) = stream else { continue };
                if stream.status() == 429 {
                    self.counts.refused();
                } else {
                    streams.push(stream);
                }
                continue;
            }
            let (caller, ask) = self.call(turn);
            let Ok(answer) = caller.ask(&ask).await else { continue };
            if answer.status == 429 {
                self.counts.refused();
            } else if !answer.text("packet").is_empty() && answer.status == 201 {
                answer
                    .text("packet")
                    .clone_into(&mut self.packet.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
    }

    /// What is asked in this turn, and with which key.
    fn call(&self, turn: u64) -> (&Caller, Ask) {
        let user = format!("mallory-{}", self.caller);
        let salt = format!("{user}-{turn}-{}", now_ms());
        let member = &self.keys.member;
        match turn % 10 {
            0 => {
                let fund = post(format!("/v1/users/{user}/wallet/funds"), json!({"amount": FUNDS}));
                (&self.keys.fund, fund.once(salt))
            }
            1 | 2 => {
                let order = json!({
                    "room": "mallory", "sender": user, "total": TOTAL, "shares": 2, "greeting": "hi",
                    "expires_in_ms": Load::SHORT_MS,
                });
                (member, post("/v1/packets", order).once(salt))
            }
            3 | 4 => {
                let packet = self.packet.lock().unwrap_or_else(PoisonError::into_inner);
                (member, post(format!("/v1/packets/{packet}/grab-and-open"), json!({"user": user})))
            }
            5 => {
                let message = json!({"id": salt, "sender": user, "text": "hello"});
                (member, post("/v1/rooms/mallory/messages", message))
            }
            6 => (member, get(format!("/v1/users/{user}/wallet"))),
            7 => (member, get("/v1/rooms/mallory/packets")),
            _ => (member, get(format!("/v1/users/{user}/received"))),
        }
    }
}
