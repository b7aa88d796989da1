//! What goes on in the background: settlement, expiry, the end of leases.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::Host;

/// How often each worker looks for work.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Settlement, when there was nothing to settle.
    pub settle: Duration,
    /// Expiry and leases.
    pub sweep: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { settle: Duration::from_millis(100), sweep: Duration::from_secs(1) }
    }
}

/// The background workers of a host. Dropping them stops them where they are, which loses
/// nothing; [`Workers::stop`] lets them finish first.
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
        tasks.spawn(sweep(host.clone(), pace.sweep, stopped));
        Self { tasks, stop }
    }

    /// Lets each worker finish what it is doing, and settlement its queue.
    pub async fn stop(mut self) {
        // Workers that are gone already need no word.
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Settles until the queue is empty, then waits. What cannot be settled stays in the queue.
async fn settle(host: Host, idle: Duration, mut stopped: watch::Receiver<bool>) {
    const AT_ONCE: u32 = 256;
    loop {
        match host.settle(AT_ONCE).await {
            Ok(settled) if !settled.is_empty() => continue,
            Ok(_) => {}
            // The ledger's health says once what is wrong with it.
            Err(error) if error.may_pass() => {
                tracing::debug!(code = error.code(), "settlement waits: {error}")
            }
            Err(error) => tracing::warn!(code = error.code(), "settlement waits: {error}"),
        }
        if *stopped.borrow() || pause(idle, &mut stopped).await {
            // One more look: claims may have been committed since the last.
            while host.settle(AT_ONCE).await.is_ok_and(|settled| !settled.is_empty()) {}
            return;
        }
    }
}

async fn sweep(host: Host, every: Duration, mut stopped: watch::Receiver<bool>) {
    /// The backlog is counted once in so many sweeps: the longer it is, the more counting costs.
    const COUNT_EVERY: u32 = 10;
    let (mut round, mut do_leases_wait) = (0_u32, false);
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.changed() => return,
        }
        let clock = host.check_clock().await;
        if clock.is_off {
            // What is decided by time waits. The clock's watch has said so.
            host.drop_idle();
            continue;
        }
        match host.expire_due().await {
            Ok(refunds) => refunds.failed.iter().for_each(|(key, error)| {
                let (tenant, packet) = (key.tenant.as_str(), key.packet);
                tracing::warn!(code = error.code(), tenant, %packet, "a refund waits: {error}");
            }),
            Err(error) => tracing::warn!(code = error.code(), "expiry waits: {error}"),
        }
        if round.is_multiple_of(COUNT_EVERY)
            && let Err(error) = host.backlog().await
        {
            tracing::warn!(code = error.code(), "the backlog is not known: {error}");
        }
        round = round.wrapping_add(1);
        host.drop_idle();
        match host.end_leases().await {
            Ok(_) => do_leases_wait = false,
            // Once: only memory waits for it, and a counter that is away tells so by itself.
            Err(error) if !std::mem::replace(&mut do_leases_wait, true) => {
                tracing::info!(code = error.code(), "leases are ended later: {error}");
            }
            Err(_) => {}
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
