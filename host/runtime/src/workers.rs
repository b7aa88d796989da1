//! Background workers: settlement, expiry, the end of leases.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::seldom::Seldom;
use super::{Host, expiry};

/// The intervals at which workers look for work.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Of settlement, after it found nothing to settle.
    pub settle: Duration,
    /// Of expiry and the end of leases.
    pub sweep: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { settle: Duration::from_millis(100), sweep: Duration::from_secs(1) }
    }
}

/// The background workers of a host. Dropping them stops them immediately, which loses no data;
/// [`Workers::stop`] lets them finish first.
pub struct Workers {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Workers {
    /// Starts them. Several processes on one ledger may each have their own.
    #[must_use]
    pub fn start(host: &Host, pace: Pace) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(settle(host.clone(), pace.settle, stopped.clone()));
        // Each by itself: what delays one of them delays no other.
        tasks.spawn(expiry::refund(host.clone(), pace.sweep, stopped.clone()));
        tasks.spawn(count(host.clone(), pace.sweep, stopped.clone()));
        tasks.spawn(sweep(host.clone(), pace.sweep, stopped));
        Self { tasks, stop }
    }

    /// Stops the workers: each finishes its current operation, settlement its queue, and refunds go on for some
    /// seconds.
    pub async fn stop(mut self) {
        // Workers that are gone already need no word.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Settles until the queue is empty, then waits. What cannot be settled stays in the queue.
async fn settle(host: Host, idle: Duration, mut stopped: watch::Receiver<bool>) {
    const AT_ONCE: u32 = 256;
    let mut log = Seldom::default();
    loop {
        match host.settle(AT_ONCE).await {
            Ok(settled) if !settled.is_empty() => continue,
            Ok(_) => {}
            // The ledger's health says once what is wrong with it.
            Err(error) if error.may_pass() => {
                tracing::debug!(code = error.code(), "settlement waits: {error}")
            }
            Err(error) => {
                if let Some(left_out) = log.tell(error.code()) {
                    tracing::warn!(code = error.code(), left_out, "settlement waits: {error}");
                }
            }
        }
        if *stopped.borrow() || pause(idle, &mut stopped).await {
            // One more look: claims may have been committed since the last.
            while host.settle(AT_ONCE).await.is_ok_and(|settled| !settled.is_empty()) {}
            return;
        }
    }
}

/// Ends leases, and drops instances that have nothing to do.
async fn sweep(host: Host, every: Duration, stopped: watch::Receiver<bool>) {
    let mut do_leases_wait = false;
    let mut ticks = Ticks::new(every, stopped);
    while ticks.next().await {
        host.drop_idle();
        if host.check_clock().await.is_off {
            // What is decided by time waits. The clock's watch has said so.
            continue;
        }
        match host.end_leases().await {
            Ok(_) => {
                if std::mem::take(&mut do_leases_wait) {
                    tracing::info!("leases are ended again");
                }
            }
            // Once: only memory waits for it, and a counter that is away tells so by itself. One that refuses
            // nothing but this does not.
            Err(error) if !std::mem::replace(&mut do_leases_wait, true) => match error.writes_refused() {
                Some(_) => tracing::warn!(code = error.code(), "leases are ended later: {error}"),
                None => tracing::info!(code = error.code(), "leases are ended later: {error}"),
            },
            Err(_) => {}
        }
    }
}

/// Counts what waits for settlement, and withdrawals that wait for their platforms.
async fn count(host: Host, every: Duration, stopped: watch::Receiver<bool>) {
    /// Once in so many sweeps: the longer the backlog is, the more counting costs.
    const SELDOM: u32 = 10;
    let (mut log, mut ticks) = (Seldom::default(), Ticks::new(every * SELDOM, stopped));
    while ticks.next().await {
        // How long it waits is told by the clock as well.
        if host.trust_clock().is_err() {
            continue;
        }
        if let Err(error) = host.backlog().await
            && let Some(left_out) = log.tell(error.code())
        {
            tracing::warn!(code = error.code(), left_out, "the backlog is not known: {error}");
        }
    }
}

/// Ticks until the workers are stopped.
struct Ticks {
    every: Interval,
    stopped: watch::Receiver<bool>,
}

impl Ticks {
    fn new(every: Duration, stopped: watch::Receiver<bool>) -> Self {
        let mut every = interval(every);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { every, stopped }
    }

    /// Waits for the next one; false if the workers were stopped meanwhile.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.every.tick() => true,
            _ = self.stopped.changed() => false,
        }
    }
}

/// Waits; true if the workers were stopped meanwhile.
async fn pause(idle: Duration, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(idle) => false,
        _ = stopped.changed() => true,
    }
}
