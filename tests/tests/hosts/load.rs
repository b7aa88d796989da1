//! Many people at once: they send, tap, and ask again until there is an answer, and what they were answered
//! is written down.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hongbao_tests::chaos::{Dice, Line, Told};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::caller::{Caller, post};

const TASKS: u64 = 24;
const USERS: u64 = 60;
/// Taps for each packet that is sent: more than it has shares, on average.
const TAPS: u64 = 7;
/// Taps go to packets that were sent lately, by whomever.
const RECENT: usize = 8;
const SEED: u64 = 8;
/// Four packets cost no more than that.
const FUNDING: u64 = 10_000;
/// Longer than a request of a dead host is under way to the others, which is a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// What was answered.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub told: Told,
    /// What was sent, by the packet's id: the body and its key.
    pub orders: BTreeMap<String, (String, Value)>,
    /// Fundings that were acknowledged, by user.
    pub funded: BTreeMap<String, Vec<u64>>,
}

/// Calls under way; they end when they are told to.
pub struct Load {
    world: Arc<World>,
    tasks: JoinSet<()>,
}

struct World {
    caller: Caller,
    is_over: AtomicBool,
    next: AtomicU64,
    recent: Mutex<Vec<String>>,
    /// How often a user has begun to tap a packet.
    taps: Mutex<BTreeMap<(String, String), u32>>,
    record: Mutex<Record>,
}

impl Load {
    pub fn start(caller: &Caller) -> Self {
        let world = Arc::new(World {
            caller: caller.clone(),
            is_over: AtomicBool::new(false),
            next: AtomicU64::new(0),
            recent: Mutex::default(),
            taps: Mutex::default(),
            record: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            tasks.spawn(Arc::clone(&world).work(task));
        }
        Self { world, tasks }
    }

    /// How many opens were acknowledged so far.
    pub fn opens(&self) -> usize {
        self.world.with(|record| record.told.opened.len())
    }

    /// How many packets are known to be sent.
    pub fn packets(&self) -> usize {
        self.world.with(|record| record.orders.len())
    }

    /// Waits until everybody has been answered.
    pub async fn stop(mut self) -> Record {
        self.world.is_over.store(true, Ordering::SeqCst);
        let all = async {
            while let Some(task) = self.tasks.join_next().await {
                task.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect("everybody is answered in the end");
        self.world.with(|record| record.clone())
    }
}

impl World {
    fn with<T>(&self, act: impl FnOnce(&mut Record) -> T) -> T {
        act(&mut self.record.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn hear(&self, line: &Line) {
        self.with(|record| record.told.hear(line));
    }

    /// Calls until there is an answer; gives it, and how often there was none.
    async fn insist(&self, ask: crate::caller::Ask) -> (Value, u32) {
        let mut missed = 0;
        let answer = self.caller.insist(&ask, |what| {
            missed += 1;
            self.hear(&Line::Again(what));
        });
        let answer = answer.await;
        assert!(answer.status.is_success(), "{ask:?} was answered {answer:?}");
        (answer.ok(), missed)
    }

    async fn work(self: Arc<Self>, task: u64) {
        let (mut dice, sender) = (Dice::of(SEED, &[task]), format!("sender-{task}"));
        for turn in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            if turn % 4 == 0 {
                self.fund(&sender, turn).await;
            }
            self.send(&sender, turn, &mut dice).await;
            let mut taps = JoinSet::new();
            for _ in 0..TAPS {
                let packet = {
                    let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
                    dice.pick(&recent[recent.len().saturating_sub(RECENT)..]).clone()
                };
                let (user, asks_again) = (format!("user-{:02}", dice.below(USERS)), dice.below(4) == 0);
                taps.spawn(Arc::clone(&self).visit(packet, user, asks_again));
            }
            while let Some(tap) = taps.join_next().await {
                tap.unwrap();
            }
        }
    }

    async fn fund(&self, user: &str, turn: u32) {
        let ask = post("fund", format!("/v1/users/{user}/wallet/funds"), json!({"amount": FUNDING}));
        self.insist(ask.once(format!("{user}-funding-{turn}"))).await;
        self.with(|record| record.funded.entry(user.to_owned()).or_default().push(FUNDING));
    }

    async fn send(&self, sender: &str, turn: u32, dice: &mut Dice) {
        let shares = 2 + dice.below(4);
        let strategy = dice.pick(&["double-average", "wechat-observed", "line-cut", "equal"]);
        let mut order = json!({
            "room": format!("room-{}", dice.below(4)), "sender": sender, "shares": shares, "strategy": strategy,
            "total": shares * (5 + dice.below(490)), "greeting": format!("恭喜发财 {turn}"),
            "expires_in_ms": if is_short(turn) { 1_500 } else { 3_600_000 },
        });
        // Equal shares want a total that can be parted so, and rounding is no business of this test.
        order["total"] = json!(order["total"].as_u64().unwrap() / shares * shares);
        let key = format!("{sender}-packet-{turn}");
        let (sent, _) = self.insist(post("member", "/v1/packets", order.clone()).once(&key)).await;
        let packet = sent["packet"].as_str().unwrap().to_owned();
        let number = self.next.fetch_add(1, Ordering::SeqCst);
        self.hear(&Line::Sent { number, packet: packet.clone() });
        self.with(|record| record.orders.insert(packet.clone(), (key, order)));
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).push(packet);
    }

    /// Taps, and may tap again for what is known already.
    async fn visit(self: Arc<Self>, packet: String, user: String, asks_again: bool) {
        for _ in 0..1 + u32::from(asks_again) {
            let taps = |more| {
                let mut taps = self.taps.lock().unwrap_or_else(PoisonError::into_inner);
                let taps = taps.entry((packet.clone(), user.clone())).or_default();
                *taps += more;
                *taps
            };
            taps(1);
            let ask = post("member", format!("/v1/packets/{packet}/grab-and-open"), json!({"user": user}));
            let (answer, missed) = self.insist(ask).await;
            let is_only = missed == 0 && taps(0) == 1;
            if let Some(line) = line(&answer, is_only, packet.clone(), user.clone()) {
                self.hear(&line);
            }
        }
    }
}

/// Whether a packet is to expire soon, some with shares that nobody took.
fn is_short(turn: u32) -> bool {
    turn % 6 == 3
}

/// What an answer comes to. That nothing is left holds for whoever has no other call under way (`is_only`):
/// one that was cut off, or is not answered yet, may have taken the last share.
fn line(answer: &Value, is_only: bool, packet: String, user: String) -> Option<Line> {
    let amount = answer["amount"].as_u64();
    let sequence = answer["sequence"].as_u64().map(|sequence| u32::try_from(sequence).unwrap());
    match (answer["outcome"].as_str().unwrap(), amount, sequence) {
        ("opened", Some(amount), Some(sequence)) => {
            Some(Line::Opened { packet, user, amount, sequence, began_ms: 0 })
        }
        ("already-opened", Some(amount), Some(sequence)) => {
            Some(Line::Already { packet, user, amount, sequence })
        }
        ("already-opened", Some(amount), None) => Some(Line::Held { packet, user, amount }),
        ("exhausted", None, None) if is_only => Some(Line::Nothing { packet, user }),
        ("exhausted" | "expired", None, None) => None,
        _ => Some(Line::Odd(format!("{user} tapped {packet}, and was answered {answer}"))),
    }
}
