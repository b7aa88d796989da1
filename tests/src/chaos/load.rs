//! What a host process does: a host on the shared stores, its workers, senders and guests.
//!
//! Nothing is agreed between processes. Which packets are sent, when, and who taps them follows
//! from the seed and the clock, so both hosts send each packet with the same key: one of them
//! records it, the other is told so. Everybody asks until there is an answer, as people do.

use std::io::{BufRead as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hongbao_host::domain::{
    Amount, Grabbed, Opened, OpenedShare, PacketId, Policy, Request, SendError, Sent, Strategy, UserId,
};
use hongbao_host::imports::{Clock, SteadyClock, Uptime};
use hongbao_host::runtime::{Host, Pace, Tenant, Workers};
use hongbao_host::store::prelude::*;

use hongbao_host::store::finished::FinishedCache;
use hongbao_host::store::postgres::PostgresLedger;
use hongbao_host::store::redis::RedisCounter;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::dice::Dice;
use super::line::Line;
use super::{PATIENCE, now_ms};
use crate::chat::{alone, everything};

/// What all processes of a run have in common.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Of everything that is left to chance.
    pub seed: u64,
    /// When packet number 0 is sent.
    pub start_ms: u64,
    /// How many guests there are.
    pub users: u64,
    /// Time from one packet to the next.
    pub every_ms: u64,
}

/// Who sends packets.
pub(super) const SENDERS: u64 = 4;
/// One packet in so many is for everybody.
const HOT: u64 = 16;
/// A process that replaces another begins with what may have been under way when that one died.
const LOOK_BACK_MS: u64 = 1_000;

impl Load {
    /// Life of a packet that is to expire.
    pub(super) const SHORT_MS: u64 = 1_500;
    pub(super) const LONG_MS: u64 = 3_600_000;

    /// Limits under which claims are large and small, and leases end within a run.
    pub(super) fn policy() -> Policy {
        let large_from = Amount::new(600).expect("an amount");
        Policy { max_shares: 500, large_from, lease_ms: 3_000, ..Policy::default() }
    }

    pub(super) fn sender(number: u64) -> UserId {
        UserId::new(format!("sender-{}", number % SENDERS)).expect("a name")
    }

    fn is_hot(number: u64) -> bool {
        number % HOT == HOT / 2
    }

    pub(super) const fn is_short(number: u64) -> bool {
        number % 4 == 1
    }

    /// Whether a packet is meant to expire, by its sender's key.
    pub(super) fn expires_soon(key: &str) -> bool {
        let number = key.strip_prefix("packet-").and_then(|number| number.parse().ok());
        number.is_none_or(Self::is_short)
    }

    fn request(&self, number: u64) -> Request {
        let mut dice = Dice::of(self.seed, &[number]);
        let shares = if Self::is_hot(number) { self.users / 2 } else { 2 + dice.below(9) };
        Request {
            key: format!("packet-{number}"),
            room: "chaos".into(),
            sender: Self::sender(number),
            strategy: Some(dice.pick(&Strategy::EMBEDDED).clone()),
            total: shares * (5 + dice.below(600)),
            shares: shares as u32,
            to: Vec::new(),
            greeting: "恭喜发财".into(),
            expires_in_ms: Some(if Self::is_short(number) { Self::SHORT_MS } else { Self::LONG_MS }),
        }
    }

    /// Who taps a packet through this host, and after how long. Some use two hosts at once.
    fn guests(&self, number: u64, slot: u64) -> Vec<(UserId, Duration)> {
        let shares = u64::from(self.request(number).shares);
        let asked = |user: &u64| {
            let mut dice = Dice::of(self.seed, &[number, *user]);
            // A packet that is to expire has fewer guests than shares.
            let wanted = if Self::is_short(number) { shares - 1 } else { shares * 2 };
            let comes = Self::is_hot(number) || dice.below(self.users) < wanted;
            let way = dice.below(8);
            comes && (way == 0 || way % 2 == slot)
        };
        let mut dice = Dice::of(self.seed, &[number, slot, u64::MAX]);
        let longest = if Self::is_hot(number) { 100 } else { 400 };
        let users = (0..self.users).filter(asked);
        users
            .map(|user| {
                (UserId::new(format!("user-{user:03}")).expect("a name"), dice.between_ms(0, longest))
            })
            .collect()
    }
}

/// A process's place among the hosts, and how it is told when to pause.
pub(super) struct World {
    pub(super) load: Load,
    pub(super) slot: u64,
    pub(super) tenant: Tenant,
    resting: watch::Receiver<bool>,
    /// Senders and guests who are under way.
    busy: AtomicUsize,
}

/// Tells the runner. Whoever cannot be told need not go on.
pub(super) fn tell(line: &Line) {
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// The machine's clock, so much ahead as the runner says.
#[derive(Default)]
struct MovedClock {
    ahead_ms: AtomicI64,
}

impl Clock for MovedClock {
    fn now_ms(&self) -> u64 {
        now_ms().saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed))
    }
}

/// Time that nobody moves.
struct Since(Instant);

impl Uptime for Since {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Reads orders until the runner is gone; then this process ends as well.
fn take_orders(resting: &watch::Sender<bool>, clock: &MovedClock) {
    for order in std::io::stdin().lock().lines().map_while(Result::ok) {
        match order.split_once(' ') {
            Some(("clock", ahead_ms)) => {
                clock.ahead_ms.store(ahead_ms.parse().expect("milliseconds"), Ordering::Relaxed);
            }
            _ => drop(resting.send_replace(order == "rest")),
        }
    }
    std::process::exit(0);
}

/// A host process: runs until it is killed, or until whoever started it is gone.
pub async fn host(load: Load, slot: u64, counter: &str, ledger: &str) {
    let (orders, resting) = watch::channel(false);
    let wall = Arc::<MovedClock>::default();
    let clock = SteadyClock::new(Arc::<MovedClock>::clone(&wall), Arc::new(Since(Instant::now())));
    std::thread::spawn(move || take_orders(&orders, &wall));
    // The servers may be away just now.
    let ledger = insist(async || PostgresLedger::open(ledger).await.map_err(|error| error.code())).await;
    let counter = insist(async || RedisCounter::connect(counter).await.map_err(|error| error.code())).await;
    let counter = Arc::new(FinishedCache::new(Arc::new(counter)));
    let host = Host::builder().clock(Arc::new(clock)).counter(counter).ledger(Arc::new(ledger));
    let (host, tenant) = alone(host, everything().policy(Load::policy()));
    let pace = Pace { settle: Duration::from_millis(100), sweep: Duration::from_millis(200) };
    let _workers = Workers::start(&host, pace);
    let world = Arc::new(World { load, slot, tenant, resting, busy: AtomicUsize::new(0) });
    tell(&Line::Ready);
    world.send_all().await;
}

/// A process that does nothing but settle, a few claims at a time.
pub async fn settler(ledger: &str) {
    let (orders, _resting) = watch::channel(false);
    std::thread::spawn(move || take_orders(&orders, &MovedClock::default()));
    let ledger = insist(async || PostgresLedger::open(ledger).await.map_err(|error| error.code())).await;
    tell(&Line::Ready);
    loop {
        match ledger.settle(8, now_ms()).await {
            Ok(settled) if settled.is_empty() => sleep(Duration::from_millis(5)).await,
            Ok(settled) => tell(&Line::Settled(settled.len() as u64)),
            Err(error) => {
                again(error.code());
                sleep(Duration::from_millis(40)).await;
            }
        }
    }
}

/// Does what a new process cannot do without, until it is done.
async fn insist<T>(attempt: impl AsyncFn() -> Result<T, &'static str>) -> T {
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(code) => again(code),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

/// How long somebody waits before asking again: longer each time, and never all at once.
pub(super) struct Pause(pub(super) Dice, u64);

impl Pause {
    pub(super) fn new(world: &World, packet: u64, user: &UserId) -> Self {
        let name = user.as_str().bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31) + u64::from(byte));
        Self(Dice::of(world.load.seed, &[world.slot, packet, name]), 50)
    }

    pub(super) async fn wait(&mut self) {
        sleep(self.0.between_ms(self.1 / 2, self.1)).await;
        self.1 = (self.1 * 2).min(400);
    }
}

pub(super) fn again(code: impl Into<String>) {
    tell(&Line::Again(code.into()));
}

pub(super) fn odd(what: String) {
    tell(&Line::Odd(what.replace('\n', " ")));
}

impl World {
    /// One packet after another for ever, with a rest when it is asked for.
    async fn send_all(self: Arc<Self>) {
        let since_start = now_ms().saturating_sub(self.load.start_ms + LOOK_BACK_MS);
        let mut next = since_start.div_ceil(self.load.every_ms);
        loop {
            if *self.resting.borrow() {
                self.rest().await;
                next = (now_ms() - self.load.start_ms).div_ceil(self.load.every_ms);
            }
            let due = self.load.start_ms + next * self.load.every_ms;
            sleep(Duration::from_millis(due.saturating_sub(now_ms()))).await;
            self.busy.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(Arc::clone(&self).send(next));
            next += 1;
        }
    }

    /// Waits until nobody is under way, tells so, and waits for the word to go on.
    async fn rest(&self) {
        while self.busy.load(Ordering::SeqCst) > 0 {
            sleep(Duration::from_millis(5)).await;
        }
        tell(&Line::Resting);
        let mut resting = self.resting.clone();
        // The sender lives in the thread that ends the process.
        let _ = resting.wait_for(|resting| !resting).await;
    }

    /// Time that somebody takes; over at once when all are to come to rest.
    async fn linger(&self, time: Duration) {
        let mut resting = self.resting.clone();
        let _ = timeout(time, resting.wait_for(|resting| *resting)).await;
    }

    /// Sends a packet, with the same key until there is an answer, and lets its guests in.
    async fn send(self: Arc<Self>, number: u64) {
        let sender = Load::sender(number);
        let mut pause = Pause::new(&self, number, &sender);
        let packet = loop {
            let request = self.load.request(number);
            match timeout(PATIENCE, self.tenant.send(request)).await {
                Ok(Ok(Ok(Sent::Sent(packet) | Sent::Replayed(packet)))) => break Some(packet),
                Ok(Ok(Err(SendError::Busy))) => again("busy"),
                Ok(Ok(Err(SendError::Unavailable))) => again("unavailable"),
                Ok(Ok(Err(refused))) => {
                    odd(format!("packet number {number} was refused: {refused:?}"));
                    break None;
                }
                Ok(Err(error)) => self.failed("send", &error),
                Err(_) => odd(format!("sending packet number {number} hangs")),
            }
            pause.wait().await;
        };
        self.pay_out(number).await;
        if let Some(packet) = packet {
            tell(&Line::Sent { number, packet: packet.to_string() });
            for (user, after) in self.load.guests(number, self.slot) {
                self.busy.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(Arc::clone(&self).visit(number, packet, user, after));
            }
        }
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    fn failed(&self, what: &str, error: &hongbao_host::runtime::CallError) {
        match error.code() {
            "internal" => odd(format!("a {what} failed for good: {error}")),
            code => again(code),
        }
    }

    /// One guest of one packet: grabs, opens, and in one case of four asks later once more.
    async fn visit(self: Arc<Self>, number: u64, packet: PacketId, user: UserId, after: Duration) {
        self.linger(after).await;
        let mut pause = Pause::new(&self, number, &user);
        let share = loop {
            match self.grab(packet, &user, &mut pause).await {
                true => {}
                false => break None,
            }
            match self.open(packet, &user, &mut pause).await {
                Opened::Opened(share) | Opened::AlreadyOpened(share) => break Some(share),
                // The lease has ended meanwhile, or a fail-over has lost it.
                Opened::NotGrabbed => {
                    again("not-grabbed");
                    pause.wait().await;
                }
                _ => break None,
            }
        };
        if let Some(share) = share
            && pause.0.below(4) == 0
        {
            self.linger(pause.0.between_ms(100, 500)).await;
            self.ask_again(packet, &user, share, &mut pause).await;
        }
        self.busy.fetch_sub(1, Ordering::SeqCst);
    }

    /// Grabs until there is an answer; whether it says to open.
    async fn grab(&self, packet: PacketId, user: &UserId, pause: &mut Pause) -> bool {
        loop {
            match timeout(PATIENCE, self.tenant.grab(packet, user.clone())).await {
                Ok(Ok(grabbed)) if grabbed.may_open() => return true,
                Ok(Ok(Grabbed::AlreadyOpened(amount))) => {
                    let (packet, user) = (packet.to_string(), user.to_string());
                    tell(&Line::Held { packet, user, amount: amount.get() });
                    return false;
                }
                Ok(Ok(Grabbed::Exhausted | Grabbed::Expired)) => return false,
                Ok(Ok(Grabbed::Busy)) => again("busy"),
                Ok(Ok(Grabbed::Unavailable)) => again("unavailable"),
                Ok(Ok(other)) => {
                    odd(format!("a grab of {packet} by {user} was answered {}", other.name()));
                    return false;
                }
                Ok(Err(error)) => self.failed("grab", &error),
                Err(_) => odd(format!("a grab of {packet} by {user} hangs")),
            }
            pause.wait().await;
        }
    }

    /// Opens until there is an answer, and tells it before anything else happens.
    async fn open(&self, packet: PacketId, user: &UserId, pause: &mut Pause) -> Opened {
        loop {
            let began_ms = now_ms();
            match timeout(PATIENCE, self.tenant.open(packet, user.clone())).await {
                Ok(Ok(Opened::Busy)) => again("busy"),
                Ok(Ok(Opened::Unavailable)) => again("unavailable"),
                Ok(Ok(answer)) => {
                    told(packet, user, answer, began_ms);
                    return answer;
                }
                Ok(Err(error)) => self.failed("open", &error),
                Err(_) => odd(format!("an open of {packet} by {user} hangs")),
            }
            pause.wait().await;
        }
    }

    /// What was opened stays opened, with its amount and its place.
    async fn ask_again(&self, packet: PacketId, user: &UserId, share: OpenedShare, pause: &mut Pause) {
        let answer = self.open(packet, user, pause).await;
        if answer != Opened::AlreadyOpened(share) {
            odd(format!("{user} has {share:?} of {packet}, asked again, and was answered {answer:?}"));
        }
    }
}

fn told(packet: PacketId, user: &UserId, answer: Opened, began_ms: u64) {
    let (packet, user) = (packet.to_string(), user.to_string());
    match answer {
        Opened::Opened(OpenedShare { amount, sequence }) => {
            tell(&Line::Opened { packet, user, amount: amount.get(), sequence, began_ms });
        }
        Opened::AlreadyOpened(OpenedShare { amount, sequence }) => {
            tell(&Line::Already { packet, user, amount: amount.get(), sequence });
        }
        Opened::Exhausted => tell(&Line::Nothing { packet, user }),
        Opened::NotFound => odd(format!("{packet} was not found when {user} opened it")),
        // Not for ever: an earlier call of the same user may be under way, begun before the end.
        Opened::Expired | Opened::NotGrabbed | Opened::Busy | Opened::Unavailable => {}
    }
}
