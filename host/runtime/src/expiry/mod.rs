//! Background refunds of expired packets, of all tenants concurrently, with a limit for each tenant.
//!
//! A look at the ledger puts packets that are past their time on a desk (`desk`), each into its tenant's
//! place. What is on the desk is refunded in turns between tenants, so one with very many packets that end at
//! the same time delays its own alone. What fails is left alone for a while, longer each time. No plugin is
//! asked: a sender's money does not hang on one.

mod desk;
mod sweep;
mod walk;

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::seldom::Seldom;
use super::tenant;
use super::{CallError, Host};
use desk::{Desk, Now};
use hongbao_domain::{Amount, Expired, PacketKey, TenantId};
use hongbao_store::Due;
pub use sweep::Refunds;
use walk::Walk;

/// What is under way has so long when the host stops.
const LAST: Duration = Duration::from_secs(5);

/// What went back, if anything did; or why it could not.
type Refunded = Result<Option<Amount>, CallError>;

/// Refunds that are under way, each in a task of its own.
#[derive(Default)]
struct UnderWay {
    tasks: JoinSet<Refunded>,
    keys: HashMap<Id, PacketKey>,
}

/// Refunds what is past its time, until it is stopped.
pub(super) async fn refund(host: Host, every: Duration, mut stopped: watch::Receiver<bool>) {
    let (mut walk, mut desk, mut log) = (Walk::new(host.now_ms()), Desk::default(), Seldom::default());
    let mut under_way = UnderWay::default();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => look(&host, &mut walk, &mut desk, &mut log).await,
            Some((key, done)) = under_way.next() => note(&host, &mut desk, &mut log, &key, done),
            _ = stopped.changed() => break,
        }
        while host.trust_clock().is_ok()
            && let Some(due) = desk.next()
        {
            under_way.begin(&host, due);
        }
    }
    let finish = async { while under_way.next().await.is_some() {} };
    // What is dropped then is refunded by another host, or after the next start.
    let _ = timeout(LAST, finish).await;
}

impl UnderWay {
    fn begin(&mut self, host: &Host, Due { key, .. }: Due) {
        let (host, packet) = (host.clone(), key.clone());
        let refund = async move {
            match tenant::refund(host.shared(), &packet).await? {
                Expired::Refunded(amount) => Ok(Some(amount)),
                _ => Ok(None),
            }
        };
        self.keys.insert(self.tasks.spawn(refund).id(), key);
    }

    /// The next one that ends, and what came of it; None where none is under way.
    async fn next(&mut self) -> Option<(PacketKey, Refunded)> {
        let (id, done) = match self.tasks.join_next_with_id().await? {
            Ok(done) => done,
            Err(lost) => (lost.id(), Err(CallError::Other("the refund was lost".into()))),
        };
        self.keys.remove(&id).map(|key| (key, done))
    }
}

/// Puts on the desk what the ledger says is due.
async fn look(host: &Host, walk: &mut Walk, desk: &mut Desk, log: &mut Seldom<Kind>) {
    if host.check_clock().await.is_off {
        // What is decided by time waits. The clock's watch has said so.
        return;
    }
    let now = now(host);
    let on_the_desk = |due: Due| {
        // Others may serve tenants of the same ledger.
        if host.tenant(&due.key.tenant).is_some() || host.is_expected(&due.key.tenant) {
            desk.put(due, now);
        }
    };
    match walk.go(&*host.shared().ledger.lists, now.ms, on_the_desk).await {
        Ok(was_all) => desk.forget(now, was_all),
        // The ledger's health says once what is wrong with it.
        Err(error) if error.may_pass() => tracing::debug!(code = error.code(), "expiry waits: {error}"),
        Err(error) => {
            if let Some(left_out) = log.tell((None, error.code())) {
                tracing::warn!(code = error.code(), left_out, "expiry waits: {error}");
            }
        }
    }
    host.note_failing_refunds(desk.failing());
}

/// Whose trouble it is, where it is not everybody's, and its code.
type Kind = (Option<TenantId>, &'static str);

fn note(host: &Host, desk: &mut Desk, log: &mut Seldom<Kind>, key: &PacketKey, done: Refunded) {
    // What had nothing to refund rests as well: it is found again if it is due still.
    desk.done(key, matches!(done, Ok(Some(_))), now(host));
    let Err(error) = done else { return };
    let (tenant, packet) = (key.tenant.as_str(), key.packet);
    if matches!(error, CallError::Unavailable | CallError::Overloaded | CallError::ClockOff { .. }) {
        // The store's health, or the clock's watch, says once what is wrong with it.
        tracing::debug!(code = error.code(), tenant, %packet, "a refund waits: {error}");
    } else if let Some(left_out) = log.tell((Some(key.tenant.clone()), error.code())) {
        tracing::warn!(code = error.code(), tenant, %packet, left_out, "a refund waits: {error}");
    }
}

impl Host {
    /// Tells of a tenant that will be served when its plugin is ready. Its packets are refunded in the
    /// background already: a sender's money does not hang on a plugin.
    pub fn expect(&self, id: &TenantId) {
        self.expected.write().unwrap_or_else(PoisonError::into_inner).insert(id.clone());
    }

    fn is_expected(&self, id: &TenantId) -> bool {
        self.expected.read().unwrap_or_else(PoisonError::into_inner).contains(id)
    }
}

fn now(host: &Host) -> Now {
    Now { ms: host.now_ms(), at: Instant::now() }
}
