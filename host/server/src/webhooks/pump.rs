//! `Pump`: delivers to one endpoint, for as long as this host has its lease.
//!
//! 1. Events are read in the order of the log and sent, at most [`AT_ONCE`] at the same time.
//! 2. One that is taken leaves nothing behind. One that is not becomes a failure, which is sent again by the schedule,
//!    and the others go on.
//! 3. While [`FAILING`](super::waiting::FAILING) failures wait, only they are sent: the endpoint fails altogether. When
//!    one of them is taken, the rest is sent at once.
//! 4. Once a second at most the cursor and the failures are written down, in one transaction that is refused if another
//!    host has the lease by now. What was delivered since then is delivered twice if this process dies.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use super::deliverer::Figures;
use super::job::{self, Done, Origin, failure_of};
use super::line::{Line, PAGE};
use super::send::{Outcome, Reply};
use super::waiting::Waiting;
use crate::Service;
use crate::serving::stopped;
use hongbao_domain::{MoneyEvent, MoneyEventId};
use hongbao_store::{
    Saved, StoreError, Webhook, WebhookFailure, WebhookProgress, WebhookReplay, WebhookState, WebhookStep,
};

/// Messages to one endpoint that are under way at the same time.
const AT_ONCE: usize = 16;
/// Of them so many are of a replay.
const REPLAYED_AT_ONCE: usize = 4;
/// If the ledger has lost the event of a cursor, events are told again from so long before it: so much a ledger may have
/// lost, and clocks of hosts may differ.
const LOST_MS: u64 = 10 * 60 * 1000;
/// Failures of one question to the registry.
const FAILURES: u32 = 1000;

/// Why an endpoint is sent nothing any more that answered 410.
pub(super) const GONE: &str = "gone";

/// Whether it goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Goes {
    On,
    Ends,
}

pub(super) struct Pump {
    service: Service,
    /// What the registry last said of the endpoint. It is closed when another host has the lease.
    told: watch::Receiver<Arc<WebhookState>>,
    webhook: Arc<Webhook>,
    progress: WebhookProgress,
    log: Line,
    /// Where the event of the cursor was lost: what happened before this time is not sent.
    seek_ms: Option<u64>,
    replay: Line,
    waiting: Waiting,
    dead: u64,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    replayed: usize,
    /// Until then the receiver wants to be left alone.
    pause_until_ms: u64,
    /// Until then nothing is started, since the ledger is away.
    rests_until: Instant,
    /// Whether it is time to look whether there is more.
    looks: bool,
    /// Whether there is more at once: of the log, and of the replay.
    has_more: [bool; 2],
    /// Since when there is something to write down.
    dirty_since: Option<Instant>,
    is_gone: bool,
    figures: Arc<Figures>,
}

impl Pump {
    pub(super) fn new(
        service: Service,
        told: watch::Receiver<Arc<WebhookState>>,
        figures: Arc<Figures>,
    ) -> Self {
        let state = told.borrow().clone();
        let cursor = state.progress.cursor.as_deref().and_then(|id| id.parse().ok());
        let is_unread = cursor.is_none() && state.progress.cursor.is_some();
        Self {
            service,
            told,
            log: Line::after(cursor),
            replay: replayed(state.progress.replay.as_ref()),
            webhook: Arc::new(state.webhook.clone()),
            progress: state.progress.clone(),
            // An id of another kind is as one that the ledger has lost.
            seek_ms: is_unread.then(|| state.progress.cursor_at_ms.saturating_sub(LOST_MS)),
            waiting: Waiting::default(),
            dead: state.dead,
            running: FuturesUnordered::new(),
            replayed: 0,
            pause_until_ms: 0,
            rests_until: Instant::now(),
            looks: true,
            has_more: [false, true],
            dirty_since: None,
            is_gone: false,
            figures,
        }
    }

    /// Delivers until the lease is lost or the service stops. Then what is under way is waited for and written down.
    pub(super) async fn run(mut self) {
        let poll = self.service.dispatch().settings.poll;
        let stopping = self.service.stopping();
        while self.load().await.is_err() {
            tokio::select! {
                () = tokio::time::sleep(poll) => {}
                () = stopped(stopping.clone()) => return,
            }
        }
        loop {
            self.look().await;
            self.start();
            self.tell();
            if self.is_unsaved_for(poll) && self.save().await == Goes::Ends {
                return;
            }
            tokio::select! {
                Some(done) = self.running.next() => self.done(done).await,
                () = tokio::time::sleep(poll) => self.looks = true,
                () = tokio::task::yield_now(), if self.reads_on() => {}
                told = self.told.changed() => match told {
                    Ok(()) => self.adopt().await,
                    // Another host delivers, or nobody.
                    Err(_) => break,
                },
                () = stopped(stopping.clone()) => break,
            }
        }
        while let Some(done) = self.running.next().await {
            self.done(done).await;
        }
        if self.dirty_since.is_some() {
            self.save().await;
        }
    }

    fn dirty(&mut self) {
        self.dirty_since.get_or_insert_with(Instant::now);
    }

    fn is_unsaved_for(&self, time: Duration) -> bool {
        self.dirty_since.is_some_and(|since| since.elapsed() >= time)
    }

    /// Reads the failures that wait.
    async fn load(&mut self) -> Result<(), StoreError> {
        let (mut found, registry) = (Vec::<WebhookFailure>::new(), self.service.registry());
        loop {
            let after = found.last().map(|failure| failure.event.clone());
            let page = registry.webhook_failures(self.webhook.id, false, after.as_deref(), FAILURES).await?;
            let is_last = page.len() < FAILURES as usize;
            found.extend(page);
            if is_last {
                break;
            }
        }
        self.waiting.load(found);
        Ok(())
    }

    /// The registry said something of the endpoint.
    async fn adopt(&mut self) {
        let state = self.told.borrow_and_update().clone();
        if state.webhook.revision != self.webhook.revision {
            self.change(&state).await;
        }
    }

    /// The endpoint was changed. What is wanted is the registry's to say; how far it is told is known here.
    async fn change(&mut self, state: &WebhookState) {
        if self.load().await.is_err() {
            // Asked again when it is next said.
            return;
        }
        self.webhook = Arc::new(state.webhook.clone());
        self.dead = state.dead;
        self.pause_until_ms = 0;
        self.is_gone = state.webhook.disabled.is_some();
        if self.progress.replay.is_none() || state.progress.replay.is_none() {
            self.replay = replayed(state.progress.replay.as_ref());
            self.progress.replay.clone_from(&state.progress.replay);
            self.has_more[1] = true;
        }
    }

    /// Whether there is more of something, and room for it.
    fn reads_on(&self) -> bool {
        let [of_log, of_replay] = self.has_more;
        let has_replay = of_replay && self.progress.replay.is_some();
        (of_log && self.log.is_short(AT_ONCE)) || (has_replay && self.replay.is_short(REPLAYED_AT_ONCE))
    }

    /// Reads what comes next, where there is room.
    async fn look(&mut self) {
        let looks = std::mem::take(&mut self.looks);
        let [of_log, of_replay] = self.has_more.map(|has_more| has_more || looks);
        if of_log && self.log.is_short(AT_ONCE) {
            self.look_into_log().await;
        }
        if of_replay && self.progress.replay.is_some() && self.replay.is_short(REPLAYED_AT_ONCE) {
            self.look_into_replay().await;
        }
    }

    async fn look_into_log(&mut self) {
        let found = self.service.host().money_events(&self.webhook.tenant, self.log.read(), PAGE).await;
        self.has_more[0] = match found {
            Ok(Some(events)) => {
                let is_full = events.len() >= PAGE as usize;
                self.log.extend(events);
                is_full
            }
            Ok(None) => {
                let seek_ms = self.progress.cursor_at_ms.saturating_sub(LOST_MS);
                let id = self.webhook.id;
                tracing::warn!(webhook = %id, seek_ms, "the ledger has lost the event that was told last: events from that time on are told again");
                (self.log, self.seek_ms) = (Line::after(None), Some(seek_ms));
                true
            }
            Err(error) => {
                tracing::debug!(webhook = %self.webhook.id, "events wait: {error}");
                false
            }
        };
    }

    async fn look_into_replay(&mut self) {
        let found = self.service.host().money_events(&self.webhook.tenant, self.replay.read(), PAGE).await;
        self.has_more[1] = match found {
            Ok(Some(events)) if events.is_empty() => {
                if self.replay.is_empty() {
                    self.progress.replay = None;
                    self.dirty();
                }
                false
            }
            Ok(Some(events)) => {
                self.replay.extend(events);
                true
            }
            // What it went on from is no more.
            Ok(None) => {
                self.replay = Line::default();
                true
            }
            Err(error) => {
                tracing::debug!(webhook = %self.webhook.id, "a replay waits: {error}");
                false
            }
        };
    }

    /// Starts what may be sent now.
    fn start(&mut self) {
        let now_ms = self.service.host().now_ms();
        if self.may_start(now_ms) {
            while self.running.len() < AT_ONCE && self.start_failure(now_ms) {}
            while self.running.len() < AT_ONCE && !self.waiting.is_failing() && self.start_of_log() {}
            while self.running.len() < AT_ONCE && !self.waiting.is_failing() && self.start_of_replay() {}
        }
        self.advance();
    }

    /// Nothing is sent for a tenant that the operator has suspended; it is told later of what happened meanwhile. Where
    /// the registry takes nothing, another host may have the lease, and what is sent would be sent twice.
    fn may_start(&self, now_ms: u64) -> bool {
        let is_left_alone = now_ms < self.pause_until_ms || Instant::now() < self.rests_until;
        let is_unsaved = self.is_unsaved_for(self.service.dispatch().settings.lease);
        let ward = self.service.ward(&self.webhook.tenant);
        let is_suspended = ward.is_some_and(|ward| ward.suspension().by_operator);
        !(self.is_gone || is_left_alone || is_unsaved || is_suspended)
    }

    fn start_failure(&mut self, now_ms: u64) -> bool {
        let Some(failure) = self.waiting.start(now_ms) else { return false };
        self.run_job(Origin::Failure, failure, None);
        true
    }

    fn start_of_log(&mut self) -> bool {
        let (webhook, seek_ms) = (&self.webhook, self.seek_ms.unwrap_or_default());
        let is_wanted = |event: &MoneyEvent| event.at_ms >= seek_ms && takes(webhook, event);
        let Some(item) = self.log.start(is_wanted).cloned() else { return false };
        self.run_job(Origin::Log, failure_of(&item), Some(item.event));
        true
    }

    fn start_of_replay(&mut self) -> bool {
        let Some(asked) = &self.progress.replay else { return false };
        if self.replayed >= REPLAYED_AT_ONCE {
            return false;
        }
        let webhook = &self.webhook;
        let is_wanted = |event: &MoneyEvent| match &asked.only {
            Some(only) => event.id.to_string() == *only,
            None => (asked.from_ms..asked.until_ms).contains(&event.at_ms) && takes(webhook, event),
        };
        let Some(item) = self.replay.start(is_wanted).cloned() else { return false };
        self.run_job(Origin::Replay, failure_of(&item), Some(item.event));
        true
    }

    fn run_job(&mut self, origin: Origin, failure: WebhookFailure, event: Option<MoneyEvent>) {
        self.replayed += usize::from(origin == Origin::Replay);
        let (service, webhook) = (self.service.clone(), Arc::clone(&self.webhook));
        let job = async move { job::run(&service, &webhook, origin, failure, event).await };
        self.running.push(Box::pin(job));
    }

    /// Whatever came of a message.
    async fn done(&mut self, done: Done) {
        let Done { origin, failure, id, reply } = done;
        self.replayed -= usize::from(origin == Origin::Replay);
        let event = failure.event.clone();
        match reply {
            Err(error) => {
                tracing::debug!(webhook = %self.webhook.id, event, "the ledger does not tell the event: {error}");
                self.waiting.put_back(&event);
                self.rests_until = Instant::now() + self.service.dispatch().settings.poll;
            }
            Ok(None) => {
                tracing::warn!(webhook = %self.webhook.id, event, "the ledger has lost an event that was to be sent");
                self.waiting.settle(&event);
                self.dirty();
            }
            Ok(Some(reply)) => {
                self.service.metrics().webhooks.count(&reply);
                self.judge(origin, failure, id, reply).await;
            }
        }
        self.advance();
    }

    async fn judge(
        &mut self,
        origin: Origin,
        failure: WebhookFailure,
        id: Option<MoneyEventId>,
        reply: Reply,
    ) {
        let now_ms = self.service.host().now_ms();
        match reply.outcome {
            Outcome::Delivered => {
                match origin {
                    Origin::Replay if self.dead > 0 => self.waiting.settle_dead(&failure.event),
                    _ => _ = self.waiting.settle(&failure.event),
                }
                self.resolve(origin, id);
            }
            Outcome::Gone => {
                self.is_gone = true;
                self.put_back(origin, id, &failure.event);
                self.disable().await;
            }
            Outcome::Failed { pause_ms, .. } => {
                let pause_until_ms = now_ms.saturating_add(pause_ms.unwrap_or_default());
                self.pause_until_ms = self.pause_until_ms.max(pause_until_ms);
                let failure = WebhookFailure { last_error: reply.told, ..failure };
                let schedule = &self.service.dispatch().schedule;
                if self.waiting.fail(failure, schedule, pause_ms, now_ms) {
                    self.dead += 1;
                }
                self.resolve(origin, id);
            }
        }
        if !self.waiting.is_saved() {
            self.dirty();
        }
    }

    fn line(&mut self, origin: Origin) -> Option<&mut Line> {
        match origin {
            Origin::Log => Some(&mut self.log),
            Origin::Replay => Some(&mut self.replay),
            Origin::Failure => None,
        }
    }

    fn resolve(&mut self, origin: Origin, id: Option<MoneyEventId>) {
        if let (Some(line), Some(id)) = (self.line(origin), id) {
            line.resolve(id);
        }
    }

    fn put_back(&mut self, origin: Origin, id: Option<MoneyEventId>, event: &str) {
        self.waiting.put_back(event);
        if let (Some(line), Some(id)) = (self.line(origin), id) {
            line.put_back(id);
        }
    }

    /// Moves cursors past what is resolved.
    fn advance(&mut self) {
        if let Some(last) = self.log.advance() {
            let happened_at_ms = last.event.at_ms;
            self.progress.cursor = Some(last.event.id.to_string());
            self.progress.cursor_at_ms = happened_at_ms;
            self.dirty();
        }
        let Some(last) = self.replay.advance() else { return };
        let Some(replay) = &mut self.progress.replay else { return };
        let is_last = match &replay.only {
            Some(only) => only.parse().is_ok_and(|only: MoneyEventId| last.event.id >= only),
            None => last.event.at_ms >= replay.until_ms.saturating_add(LOST_MS),
        };
        replay.after = Some(last.event.id.to_string());
        self.dirty();
        if is_last {
            self.replay = Line::default();
            self.progress.replay = None;
        }
    }

    /// The receiver wants no messages any more. Whoever changed the endpoint meanwhile is right.
    async fn disable(&mut self) {
        let webhook = Webhook { disabled: Some(GONE.into()), ..Webhook::clone(&self.webhook) };
        let (id, tenant) = (webhook.id, webhook.tenant.clone());
        match self.service.registry().put_webhook(webhook).await {
            Ok(Some(_)) => {
                tracing::info!(webhook = %id, %tenant, "the endpoint answered 410 and is disabled")
            }
            Ok(None) => self.is_gone = false,
            Err(error) => {
                tracing::warn!(webhook = %id, %tenant, "an endpoint that answered 410 is not disabled yet: {error}");
                self.is_gone = false;
            }
        }
    }

    /// Writes down how far everything is.
    async fn save(&mut self) -> Goes {
        let (failed, settled) = self.waiting.unsaved();
        let step = WebhookStep {
            id: self.webhook.id,
            holder: self.service.dispatch().holder,
            revision: self.webhook.revision,
            progress: self.progress.clone(),
            failed,
            settled,
        };
        let registry = self.service.registry();
        match registry.save_webhook(step).await {
            Ok(Saved::Now) => {
                self.waiting.saved();
                self.dirty_since = None;
            }
            Ok(Saved::Lost) => return Goes::Ends,
            Ok(Saved::Changed) => {
                let all = registry.webhooks(&self.webhook.tenant).await.unwrap_or_default();
                let state = all.into_iter().find(|state| state.webhook.id == self.webhook.id);
                if let Some(state) = state {
                    self.change(&state).await;
                }
            }
            // The health of the registry says it; what is to be written waits.
            Err(error) => tracing::debug!(webhook = %self.webhook.id, "nothing is written down: {error}"),
        }
        Goes::On
    }

    /// For the metrics.
    fn tell(&self) {
        let of_log = self.log.oldest().map(|item| item.event.at_ms);
        let oldest_ms = of_log.into_iter().chain(self.waiting.oldest_ms()).min();
        let lag_ms = oldest_ms.map_or(0, |oldest_ms| self.service.host().now_ms().saturating_sub(oldest_ms));
        self.figures.waiting.store(self.waiting.len() as u64, Relaxed);
        self.figures.dead.store(self.dead, Relaxed);
        self.figures.lag_ms.store(lag_ms, Relaxed);
    }
}

fn replayed(replay: Option<&WebhookReplay>) -> Line {
    let after = replay.and_then(|replay| replay.after.as_deref());
    Line::after(after.and_then(|id| id.parse().ok()))
}

fn takes(webhook: &Webhook, event: &MoneyEvent) -> bool {
    webhook.kinds.is_empty() || webhook.kinds.iter().any(|kind| kind == event.what.name())
}
