//! The announcer: posts the state of changed packets to their rooms.
//!
//! A [ledger that says what changed](hongbao_store::change_feed) names packets; the announcer reads how
//! each stands and posts that to its room. Nobody waits for it, and nothing depends on it.
//!
//! **Coalescing.** A packet's first change is told at once, then it rests for [`REST`]: whatever
//! happens meanwhile is told together. So a packet that a thousand people open costs ten loads a
//! second.
//!
//! **The order.** An event carries the packet's version in the ledger, and rooms drop what is older
//! than what they were told. So it does not matter which host tells first.
//!
//! **When a store is away**, each packet is tried again after a pause of its own, which doubles up to
//! some seconds, and few packets are tried at the same time until one succeeds. At most [`MOST`]
//! packets wait; when there are more, whatever is the least loss is dropped: see [`desk`].

mod desk;
mod telling;

use std::error::Error;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use self::desk::{Desk, Errand, Pauses};
use self::telling::{Outcome, Teller};
use crate::imports::Clock;
use crate::seldom::Seldom;
use hongbao_domain::{PacketKey, TenantId};
use hongbao_store::change_feed::Changes;
use hongbao_store::{Events, Ledger};

/// A packet is told of at most so often.
pub const REST: Duration = Duration::from_millis(100);
/// So many packets may wait to be told of.
pub const MOST: usize = 65_536;

/// So many packets are told of at the same time.
const WIDEST: usize = 32;
/// So many where a store was away just now.
const NARROWEST: usize = 4;
/// How long nothing new is begun after a store was away.
const BREATH: Duration = Duration::from_millis(20);
/// What telling of one packet may take: a store that hangs must not keep others from being told.
const TELLING: Duration = Duration::from_secs(5);
/// What stopping may take.
const STOPPING: Duration = Duration::from_secs(5);
/// So many changes are taken in at once.
const TAKEN: usize = 1024;

const PAUSES: Pauses = Pauses {
    rest: REST,
    doubt: Duration::from_secs(1),
    first: Duration::from_millis(100),
    last: Duration::from_secs(5),
};

/// The background task that posts events to rooms. Dropping it stops it immediately, which loses pending
/// events and nothing else; [`Announcer::stop`] posts them first.
pub struct Announcer {
    task: JoinSet<()>,
    stop: watch::Sender<bool>,
    dropped: Arc<AtomicU64>,
}

impl Announcer {
    /// Starts it on the current runtime. The ledger is asked for packets and claims, no more.
    #[must_use]
    pub fn start(
        changes: Changes,
        ledger: Arc<dyn Ledger>,
        events: Arc<dyn Events>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        events.follow(ledger.history());
        let (stop, stopped) = watch::channel(false);
        let dropped = Arc::<AtomicU64>::default();
        let work = Work {
            changes,
            is_open: true,
            desk: Desk::new(MOST, PAUSES),
            teller: Arc::new(Teller { ledger, events, clock }),
            running: JoinSet::new(),
            width: WIDEST,
            resumes: Instant::now(),
            dropped: Arc::clone(&dropped),
            log: Seldom::default(),
        };
        let mut task = JoinSet::new();
        task.spawn(work.run(stopped));
        Self { task, stop, dropped }
    }

    /// The number of changes that were dropped because a queue was full, at the ledger or here.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Posts what is pending and stops. If a store is unavailable, it gives up after some seconds.
    pub async fn stop(mut self) {
        // A task that is gone already needs no word.
        let _ = self.stop.send(true);
        while self.task.join_next().await.is_some() {}
    }
}

/// What the task has before it.
struct Work {
    changes: Changes,
    /// Until the ledger is gone.
    is_open: bool,
    desk: Desk,
    teller: Arc<Teller>,
    running: JoinSet<(PacketKey, Errand, Outcome)>,
    /// So many packets may be told of at the same time now.
    width: usize,
    /// Until then nothing new is begun.
    resumes: Instant,
    dropped: Arc<AtomicU64>,
    log: Seldom<TenantId>,
}

impl Work {
    async fn run(mut self, mut stopped: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.step() => {}
                // Whoever dropped the announcer drops this task as well.
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
        }
        self.take_in();
        self.desk.hurry(Instant::now());
        let finish = async {
            while !self.desk.is_idle() {
                self.step().await;
            }
        };
        if timeout(STOPPING, finish).await.is_err() {
            tracing::warn!("rooms were not told everything: a store is away");
        }
    }

    /// Waits for whatever comes next, and deals with it. May be dropped at any time.
    async fn step(&mut self) {
        let wakes = self.begin();
        let is_running = !self.running.is_empty();
        tokio::select! {
            change = self.changes.next(), if self.is_open => {
                match change {
                    Some(change) => self.desk.hear(change, Instant::now()),
                    None => self.is_open = false,
                }
                self.take_in();
            }
            // A telling catches its own panics, so every one that ends says which it was.
            Some(Ok((key, errand, outcome))) = self.running.join_next(), if is_running => {
                self.end(&key, errand, outcome);
            }
            () = sleep_until(wakes) => {}
        }
    }

    /// Takes in what waits at the ledger already. What does not fit in one helping is next.
    fn take_in(&mut self) {
        for _ in 0..TAKEN {
            let Some(change) = self.changes.try_next() else { break };
            self.desk.hear(change, Instant::now());
        }
        self.dropped.store(self.changes.dropped() + self.desk.dropped(), Ordering::Relaxed);
    }

    /// Begins to tell of what is due; gives when to look again.
    fn begin(&mut self) -> Instant {
        /// As long as nothing is due.
        const LONG: Duration = Duration::from_secs(60);
        let now = Instant::now();
        if now < self.resumes {
            return self.resumes;
        }
        while self.running.len() < self.width {
            let Some((key, errand)) = self.desk.next(now) else {
                return self.desk.wakes().unwrap_or(now + LONG);
            };
            self.running.spawn(tell(Arc::clone(&self.teller), key, errand));
        }
        // One of those that run ends first.
        now + LONG
    }

    fn end(&mut self, key: &PacketKey, errand: Errand, outcome: Outcome) {
        let now = Instant::now();
        match outcome {
            Outcome::Told { is_more } => {
                self.width = WIDEST.min(self.width * 2);
                self.desk.told(key, is_more, now);
            }
            Outcome::Later { error, is_over } => {
                tracing::debug!(tenant = key.tenant.as_str(), packet = %key.packet, "a room waits for news: {error}");
                self.width = NARROWEST;
                self.resumes = now + BREATH;
                self.desk.put_off(key, errand, is_over, now);
            }
            Outcome::Never(error) => {
                self.log_never(key, &*error);
                self.desk.told(key, false, now);
            }
        }
    }

    /// Damaged books may keep every packet from being told of.
    fn log_never(&mut self, key: &PacketKey, error: &(dyn Error + Send + Sync)) {
        let (tenant, packet) = (key.tenant.as_str(), key.packet);
        match self.log.tell(key.tenant.clone()) {
            Some(left_out) => tracing::warn!(tenant, %packet, left_out, "a room is not told: {error}"),
            None => tracing::debug!(tenant, %packet, "a room is not told: {error}"),
        }
    }
}

async fn tell(teller: Arc<Teller>, key: PacketKey, errand: Errand) -> (PacketKey, Errand, Outcome) {
    let telling = AssertUnwindSafe(teller.tell(&key, errand)).catch_unwind();
    let outcome = match timeout(TELLING, telling).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Outcome::Never("a store panicked".into()),
        Err(_) => Outcome::Later { error: "a store takes too long".into(), is_over: None },
    };
    (key, errand, outcome)
}
