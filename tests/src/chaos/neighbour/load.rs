//! The neighbour: a well-behaved tenant whose users send, grab and open at a steady pace.
//!
//! Sends are due by the clock, whatever became of those before. A tap is due some time after the answer
//! that its user has waited for. A request's latency counts from when it was due until there is an answer
//! that stays, so asking again counts as well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::caller::{Answer, Ask, Caller, post};
use super::service::Keys;
use crate::chaos::PATIENCE;
use crate::chaos::dice::Dice;
use crate::chaos::line::Line;
use crate::chaos::load::Load;
use crate::chaos::told::Told;

/// From one packet to the next: with the taps, some 60 requests a second.
const EVERY: Duration = Duration::from_millis(100);
const SENDERS: u64 = 4;
const USERS: u64 = 60;
/// More than all packets of a run cost.
const FUNDS: u64 = 1 << 40;

#[derive(Default)]
struct Record {
    told: Told,
    window: Option<usize>,
    latencies: BTreeMap<usize, Vec<Duration>>,
    next: u64,
}

/// The tenant and what it was told.
pub struct Neighbour {
    keys: Keys,
    /// Platforms differ in whether they keep connections open, so sends need a new one each.
    anew: Caller,
    seed: u64,
    record: Mutex<Record>,
}

/// Its load; goes on until it is told to end.
pub struct Pace {
    end: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Pace {
    /// Sends nothing more, and waits until everybody is answered.
    pub async fn end(self) {
        // A task that has panicked does not listen, and says so below.
        let _ = self.end.send(());
        self.task.await.expect("nothing to go wrong");
    }
}

impl Neighbour {
    /// The tenant with these keys, whose senders are funded.
    pub async fn new(keys: Keys, seed: u64) -> Arc<Self> {
        for number in 0..SENDERS {
            let sender = sender(number);
            let ask = post(format!("/v1/users/{sender}/wallet/funds"), json!({"amount": FUNDS}));
            keys.fund.must(ask.once(format!("fund-{sender}"))).await;
        }
        let anew = keys.member.connecting_anew();
        Arc::new(Self { keys, anew, seed, record: Mutex::default() })
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that was told so far.
    pub fn told(&self) -> Told {
        self.record().told.clone()
    }

    /// From now on requests that become due belong to this window, or to none.
    pub fn measure(&self, window: Option<usize>) {
        self.record().window = window;
    }

    /// The latencies of each window, and none from now on. Whoever belongs to a window and is not answered
    /// yet is left out, so everybody has to be.
    pub fn take_latencies(&self) -> BTreeMap<usize, Vec<Duration>> {
        std::mem::take(&mut self.record().latencies)
    }

    /// Begins to send.
    pub fn begin(self: &Arc<Self>) -> Pace {
        let (end, ended) = oneshot::channel();
        Pace { end, task: tokio::spawn(Arc::clone(self).keep_pace(ended)) }
    }

    async fn keep_pace(self: Arc<Self>, mut ended: oneshot::Receiver<()>) {
        let mut packets = JoinSet::new();
        let mut due = Instant::now();
        while timeout_at(due, &mut ended).await.is_err() {
            packets.spawn(Arc::clone(&self).send(due));
            due += EVERY;
            while let Some(packet) = packets.try_join_next() {
                packet.expect("nothing to go wrong");
            }
        }
        packets.join_all().await;
    }

    /// Sends a packet and lets its guests in.
    async fn send(self: Arc<Self>, due: Instant) {
        let number = {
            let mut record = self.record();
            record.next += 1;
            record.next
        };
        let mut dice = Dice::of(self.seed, &[number]);
        let shares = 2 + dice.below(2);
        let order = json!({
            "room": format!("room-{}", dice.below(8)), "sender": sender(number), "shares": shares,
            "total": shares * (5 + dice.below(600)), "greeting": "恭喜发财",
            "expires_in_ms": if Load::is_short(number) { Load::SHORT_MS } else { Load::LONG_MS },
        });
        let ask = post("/v1/packets", order).once(format!("packet-{number}"));
        let Some((answer, _)) = self.insist(&self.anew, &ask, due).await else { return };
        let packet = answer.text("packet");
        self.hear(Line::Sent { number, packet: packet.to_owned() });
        let (first, guests) = (dice.below(USERS), 2 + dice.below(2));
        let visits = (first..first + guests).map(|guest| {
            let user = format!("user-{:02}", guest % USERS);
            let pauses = [dice.between_ms(50, 300), dice.between_ms(50, 300)];
            self.visit(packet, user, pauses)
        });
        join_all(visits).await;
    }

    /// One guest: grabs, and opens what was grabbed.
    async fn visit(&self, packet: &str, user: String, pauses: [Duration; 2]) {
        let mut is_only = true;
        for (tap, pause) in ["grab", "open"].into_iter().zip(pauses) {
            let due = Instant::now() + pause;
            sleep_until(due).await;
            let ask = post(format!("/v1/packets/{packet}/{tap}"), json!({"user": user}));
            let Some((answer, missed)) = self.insist(&self.keys.member, &ask, due).await else { return };
            is_only &= missed == 0;
            let tap = Tap { packet, user: &user, is_open: tap == "open", is_only };
            match tap.outcome(&answer) {
                Outcome::Open => {}
                Outcome::Over => return,
                Outcome::Told(line) => return self.hear(line),
            }
        }
    }

    fn hear(&self, line: Line) {
        self.record().told.hear(&line);
    }

    /// Asks until there is an answer that stays; gives it, and how often there was none. None where the
    /// answer must not be, or never comes.
    async fn insist(&self, caller: &Caller, ask: &Ask, due: Instant) -> Option<(Answer, u64)> {
        let window = self.record().window;
        let mut missed = 0;
        let odd = loop {
            match caller.ask(ask).await {
                Ok(answer) if answer.is_ok() => {
                    self.note(window, due.elapsed());
                    return Some((answer, missed));
                }
                Ok(answer) if answer.status == 409 || answer.status >= 500 => {
                    self.hear(Line::Again(answer.text("code").to_owned()));
                }
                Ok(answer) => break format!("the neighbour asked {ask:?}, and was answered {answer:?}"),
                Err(_) => self.hear(Line::Again("connection".into())),
            }
            if due.elapsed() > PATIENCE {
                break format!("the neighbour asked {ask:?}, and had no answer within {PATIENCE:?}");
            }
            missed += 1;
            sleep(Duration::from_millis(50)).await;
        };
        self.hear(Line::Odd(odd));
        None
    }

    fn note(&self, window: Option<usize>, latency: Duration) {
        if let Some(window) = window {
            self.record().latencies.entry(window).or_default().push(latency);
        }
    }
}

fn sender(number: u64) -> String {
    format!("sender-{}", number % SENDERS)
}

struct Tap<'a> {
    packet: &'a str,
    user: &'a str,
    is_open: bool,
    /// Whether no earlier tap of this user is under way without an answer: it may have taken the last share.
    is_only: bool,
}

enum Outcome {
    /// The user has a seat, and opens.
    Open,
    /// There is nothing to say of it.
    Over,
    /// The user was told something for good.
    Told(Line),
}

impl Tap<'_> {
    fn outcome(&self, answer: &Answer) -> Outcome {
        let (packet, user) = (self.packet.to_owned(), self.user.to_owned());
        let sequence = answer.number("sequence").and_then(|sequence| u32::try_from(sequence).ok());
        match (answer.text("outcome"), self.is_open, answer.number("amount"), sequence) {
            ("admitted" | "already-grabbed", false, _, _) => Outcome::Open,
            ("opened", true, Some(amount), Some(sequence)) => {
                Outcome::Told(Line::Opened { packet, user, amount, sequence, began_ms: 0 })
            }
            ("already-opened", true, Some(amount), Some(sequence)) => {
                Outcome::Told(Line::Already { packet, user, amount, sequence })
            }
            ("already-opened", false, Some(amount), None) => {
                Outcome::Told(Line::Held { packet, user, amount })
            }
            ("exhausted", true, None, None) if self.is_only => Outcome::Told(Line::Nothing { packet, user }),
            ("exhausted" | "expired", _, None, None) => Outcome::Over,
            _ => Outcome::Told(Line::Odd(format!("{user} tapped {packet}, and was answered {answer:?}"))),
        }
    }
}
