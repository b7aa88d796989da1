//! A tenant: one customer of the host, with a plugin, grants, a policy and limits of its own.

mod admission;
mod books;
mod closest;
mod config;
mod file;
mod lists;
mod load;
mod replay;
mod serving;
mod upgrade;
mod withdrawals;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tracing::Instrument as _;

pub(super) use books::refund;
pub use config::{TenantConfig, TenantError};
pub use file::{TenantEntry, TenantsFile};
pub use load::LoadError;
pub use serving::Prepared;
pub(super) use serving::Serving;

use self::admission::Suspended;
use self::replay::Typed;
use super::batcher::{self, Asker, Batcher, Shape, Waiting};
use super::breaker::Breaker;
use super::metrics::TenantMetrics;
use super::shared::Shared;
use super::{CallError, Operation, Plugin};
use crate::imports::{Calls, TenantContext};
use hongbao_domain::{
    Grabbed, Grants, Limits, Manifest, Message, Opened, PacketId, Policy, Presser, Reply, Request, SendError,
    Sent, Strategy, TenantId, UserId,
};

/// A tenant of a [`Host`](super::Host): sends, grabs and opens its packets. Cheap to clone.
#[derive(Clone)]
pub struct Tenant {
    inner: Arc<Inner>,
    /// Whether what is asked through this handle was counted against the tenant's rate already.
    is_counted: bool,
}

struct Inner {
    id: TenantId,
    shared: Arc<Shared>,
    serving: RwLock<Arc<Serving>>,
    /// What served before, for [`Tenant::rollback`].
    former: Mutex<Option<Plugin>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
    suspended: Suspended,
    breaker: Breaker,
    waiting: Arc<Waiting>,
    grabs: Arc<Batcher<PacketId, UserId, Grabbed>>,
    opens: Arc<Batcher<PacketId, UserId, Opened>>,
    presses: Arc<Batcher<(PacketId, String), Presser, Vec<Reply>>>,
    metrics: Arc<TenantMetrics>,
}

/// Calls the plugin for those who ask, by what they ask about; one answer for each, in order.
type Act<K, Q, A> = for<'i> fn(Calls<'i>, Vec<(K, Vec<Q>)>) -> BoxFuture<'i, wasmtime::Result<Vec<A>>>;

/// Calls for taps, of many packets each.
const TAPS: Shape = Shape { keys: 512, calls: 4 };
/// Calls for buttons, of one packet and one button each.
const PRESSES: Shape = Shape { keys: 1, calls: 64 };

impl Tenant {
    pub(super) fn new(shared: Arc<Shared>, serving: Serving) -> Self {
        let id = serving.config.id.clone();
        let metrics = shared.metrics.of_tenant(id.as_str());
        let waiting = Arc::new(Waiting::default());
        let inner = Inner {
            id,
            shared,
            serving: RwLock::new(Arc::new(serving)),
            former: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            suspended: Suspended::default(),
            breaker: Breaker::default(),
            grabs: Arc::new(Batcher::new(TAPS, &waiting)),
            opens: Arc::new(Batcher::new(TAPS, &waiting)),
            presses: Arc::new(Batcher::new(PRESSES, &waiting)),
            waiting,
            metrics,
        };
        Self { inner: Arc::new(inner), is_counted: false }
    }

    /// Its name in the stores.
    #[must_use]
    pub fn id(&self) -> &TenantId {
        &self.inner.id
    }

    /// Its current configuration.
    #[must_use]
    pub fn config(&self) -> TenantConfig {
        self.serving().config.clone()
    }

    /// Its rules and defaults for packets.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.serving().config.settings.policy.clone()
    }

    /// The resource limits of the tenant and its plugin.
    #[must_use]
    pub fn limits(&self) -> Limits {
        *self.serving().limits()
    }

    /// The interfaces of the host that its current plugin may call.
    #[must_use]
    pub fn grants(&self) -> Grants {
        let serving = self.serving();
        serving.config.granted(&serving.plugin, serving.manifest.asks)
    }

    /// Its plugin's manifest.
    #[must_use]
    pub fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.serving().manifest)
    }

    /// The plugin that serves it.
    #[must_use]
    pub fn plugin(&self) -> Plugin {
        self.serving().plugin.clone()
    }

    /// The number of waiting callers.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.waiting.count()
    }

    /// Sends a packet, once for each key of its sender; the total is debited from the wallet immediately.
    ///
    /// # Errors
    /// The inner error is a refusal by the plugin or the ledger. The outer error means that there is no
    /// answer: retry with the same key.
    pub async fn send(&self, request: Request) -> Result<Result<Sent, SendError>, CallError> {
        let strategies = &self.manifest().strategies;
        let known = request.strategy.as_ref().map_or(Ok(()), |strategy| strategies.check(strategy));
        if let Err(why) = request.check() {
            return Ok(Err(SendError::InvalidArgument(why)));
        }
        self.inner.shared.clock_watch.trust()?;
        if let Err(why) = known {
            return self.sent_before(&request, SendError::InvalidArgument(why)).await;
        }
        match self.has_room().await {
            // Who asks again for what was sent hears of it, whatever else is open.
            Err(full @ CallError::Quota { .. }) => {
                return self.already_sent(&request).await?.map(|id| Ok(Sent::Replayed(id))).ok_or(full);
            }
            room => room?,
        }
        let asked = request.clone();
        let answer = self.ask(Operation::Send, |calls| calls.send(request).boxed()).await?;
        match answer {
            Err(refused) => self.sent_before(&asked, refused).await,
            sent => Ok(sent),
        }
    }

    /// Tries to take a seat.
    ///
    /// # Errors
    /// When the call has no answer. A retry is safe.
    pub async fn grab(&self, packet: PacketId, user: UserId) -> Result<Grabbed, CallError> {
        let grab: Act<_, _, _> = |calls, taps| calls.grab(taps).boxed();
        self.join(Operation::Grab, |inner| &inner.grabs, packet, user, grab).await
    }

    /// Claims a share; the amount is drawn now. The answer is in the ledger before it is returned.
    ///
    /// # Errors
    /// When the call has no answer. A retry is safe, and returns the same result as the lost answer.
    pub async fn open(&self, packet: PacketId, user: UserId) -> Result<Opened, CallError> {
        let open: Act<_, _, _> = |calls, taps| calls.open(taps).boxed();
        self.join(Operation::Open, |inner| &inner.opens, packet, user, open).await
    }

    /// Takes seats for many users of many packets in one call, without the batcher. The answers are in the order of
    /// the packets and their users. A user who occurs twice at a packet is answered as if by two calls in sequence.
    ///
    /// # Errors
    /// When the call has no answer. A retry is safe.
    pub async fn grab_batch(&self, taps: Vec<(PacketId, Vec<UserId>)>) -> Result<Vec<Grabbed>, CallError> {
        self.ask_all(Operation::Grab, taps, |calls, taps| calls.grab(taps).boxed()).await
    }

    /// Claims shares for many users of many packets in one call, as [`grab_batch`](Self::grab_batch).
    ///
    /// # Errors
    /// When the call has no answer. A retry is safe.
    pub async fn open_batch(&self, taps: Vec<(PacketId, Vec<UserId>)>) -> Result<Vec<Opened>, CallError> {
        self.ask_all(Operation::Open, taps, |calls, taps| calls.open(taps).boxed()).await
    }

    /// Answers a [`command`](hongbao_domain::command()); empty if the command is not the plugin's.
    ///
    /// # Errors
    /// When the call has no answer. A retry with the same message is safe.
    pub async fn command(&self, message: Message) -> Result<Vec<Reply>, CallError> {
        message.check().map_err(|why| CallError::Invalid(why.into()))?;
        let Some(message) = message.into_command(&self.manifest().languages) else {
            return Ok(Vec::new());
        };
        self.inner.shared.clock_watch.trust()?;
        let typed = Typed::of(&message);
        let replies = self.ask(Operation::Command, |calls| calls.command(message).boxed()).await?;
        self.shown_before(typed, replies).await
    }

    /// Answers a user who pressed a button of a packet's card.
    ///
    /// # Errors
    /// When the call has no answer. A retry is safe.
    pub async fn action(
        &self,
        packet: PacketId,
        action: String,
        by: Presser,
    ) -> Result<Vec<Reply>, CallError> {
        by.check(&action).map_err(|why| CallError::Invalid(why.into()))?;
        let by = by.normalised(&self.manifest().languages);
        let act: Act<(PacketId, String), _, _> = |calls, presses| calls.actions(presses).boxed();
        self.join(Operation::Action, |inner| &inner.presses, (packet, action), by, act).await
    }

    /// Draws the shares of an imaginary packet, in minor units; the inner error is a sentence with the reason.
    ///
    /// # Errors
    /// When the call has no answer.
    pub async fn preview(
        &self,
        strategy: Strategy,
        total: u64,
        shares: u32,
    ) -> Result<Result<Vec<u64>, String>, CallError> {
        if let Err(why) = self.manifest().strategies.check(&strategy) {
            return Ok(Err(why));
        }
        self.ask(Operation::Preview, move |calls| calls.preview(strategy, total, shares).boxed()).await
    }

    fn serving(&self) -> Arc<Serving> {
        Arc::clone(&self.inner.serving.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn context(&self) -> Arc<TenantContext> {
        Arc::clone(&self.serving().context)
    }

    /// One call of the plugin.
    async fn ask<T: Send>(
        &self,
        operation: Operation,
        act: impl for<'i> FnOnce(Calls<'i>) -> BoxFuture<'i, wasmtime::Result<T>> + Send,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let answer = self.ask_now(operation, 1, act).await;
        self.inner.metrics.request(operation, &answer, begun.elapsed());
        answer
    }

    async fn ask_now<T: Send>(
        &self,
        operation: Operation,
        users: usize,
        act: impl for<'i> FnOnce(Calls<'i>) -> BoxFuture<'i, wasmtime::Result<T>> + Send,
    ) -> Result<T, CallError> {
        let serving = self.admit()?;
        self.inner.waiting.enter(serving.limits().waiting)?;
        let _leave = Leave(&self.inner);
        self.call(operation, users, act).await
    }

    /// One call for many taps; where a user taps a packet twice, one call after the other.
    async fn ask_all<A: Send>(
        &self,
        operation: Operation,
        taps: Vec<(PacketId, Vec<UserId>)>,
        act: Act<PacketId, UserId, A>,
    ) -> Result<Vec<A>, CallError> {
        let begun = Instant::now();
        let all: Vec<_> = taps
            .into_iter()
            .flat_map(|(packet, users)| users.into_iter().map(move |user| (packet, user)))
            .collect();
        let mut answers: Vec<Option<A>> = all.iter().map(|_| None).collect();
        let answer = async {
            let mut rest: Vec<usize> = (0..all.len()).collect();
            loop {
                let (now, later) = once(&all, rest);
                let users = now.iter().map(|(_, users)| users.len()).sum();
                let places: Vec<usize> = now.iter().flat_map(|(_, users)| users.iter().copied()).collect();
                let user = |place: &usize| all.get(*place).map(|(_, user)| user.clone());
                let taps = now
                    .into_iter()
                    .map(|(packet, places)| (packet, places.iter().filter_map(user).collect()));
                let taps = taps.collect();
                let told = self.ask_now(operation, users, move |calls| act(calls, taps)).await?;
                for (place, told) in places.into_iter().zip(told) {
                    if let Some(answer) = answers.get_mut(place) {
                        *answer = Some(told);
                    }
                }
                if later.is_empty() {
                    return Ok(());
                }
                rest = later;
            }
        };
        let answered: Result<(), CallError> = answer.await;
        self.inner.metrics.request(operation, &answered, begun.elapsed());
        answered.map(|()| answers.into_iter().flatten().collect())
    }

    /// A request that the host answers from its stores, without the plugin.
    async fn answer<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, CallError>>,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let answer = match self.admit_without_plugin() {
            Ok(serving) => serving.in_turn(work).await,
            Err(error) => Err(error),
        };
        self.inner.metrics.request(operation, &answer, begun.elapsed());
        answer
    }

    /// Waits for an answer about `key`.
    async fn join<K, Q, A>(
        &self,
        operation: Operation,
        batcher: fn(&Inner) -> &Arc<Batcher<K, Q, A>>,
        key: K,
        asker: Q,
        act: Act<K, Q, A>,
    ) -> Result<A, CallError>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Q: Asker + Send + 'static,
        A: Send + 'static,
    {
        let begun = Instant::now();
        let joined = self.admit().and_then(|serving| batcher(&self.inner).join(key, asker, serving.limits()));
        let answer = match joined {
            Ok((answered, calls)) => {
                if let Some(calls) = calls {
                    self.clone().begin(operation, calls, act);
                }
                // The task ends without an answer only when the runtime itself is ending.
                answered.await.unwrap_or(Err(CallError::Unavailable))
            }
            Err(error) => Err(error),
        };
        self.inner.metrics.request(operation, &answer, begun.elapsed());
        answer
    }

    /// Queues a call, which takes whoever waits when its turn comes.
    fn begin<K, Q, A>(self, operation: Operation, calls: batcher::Calls<K, Q, A>, act: Act<K, Q, A>)
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Q: Asker + Send + 'static,
        A: Send + 'static,
    {
        let turns = Arc::clone(&self.inner.shared.turns);
        turns.enter(self.call_next(operation, calls, act).boxed());
    }

    /// One call. The next one queues behind those of other tenants, until nobody waits.
    async fn call_next<K, Q, A>(
        self,
        operation: Operation,
        mut calls: batcher::Calls<K, Q, A>,
        act: Act<K, Q, A>,
    ) where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Q: Asker + Send + 'static,
        A: Send + 'static,
    {
        let Some((batch, others)) = calls.next(self.serving().limits().batch) else { return };
        if let Some(others) = others {
            self.clone().begin(operation, others, act);
        }
        let users = batch.len();
        let (groups, callers) = batch.split();
        // Boxed: what queues is small then, and there may be one for each tenant.
        let call = Box::pin(self.call(operation, users, move |calls| act(calls, groups)));
        callers.answer(call.await);
        calls.end();
        self.begin(operation, calls, act);
    }

    /// Calls the plugin that serves now, and keeps count of how that went.
    async fn call<T>(
        &self,
        operation: Operation,
        users: usize,
        act: impl for<'i> FnOnce(Calls<'i>) -> BoxFuture<'i, wasmtime::Result<T>> + Send,
    ) -> Result<T, CallError> {
        let (inner, begun) = (&self.inner, Instant::now());
        let span =
            tracing::debug_span!("call", tenant = inner.id.as_str(), operation = operation.name(), users);
        let done = self.serving().call(&inner.shared, act).instrument(span).await;
        let answer = done.and_then(|done| {
            done.reached.into_iter().for_each(|limit| inner.metrics.limit(limit));
            done.answer
        });
        inner.metrics.call(operation, users, begun.elapsed());
        if operation != Operation::Grab {
            // A call that failed may have moved money before.
            inner.shared.wakes.wake(&inner.id);
        }
        match &answer {
            Ok(_) => inner.breaker.succeeded(),
            Err(CallError::Trapped { why, .. }) => {
                inner.metrics.trap();
                if let Some(for_ms) = inner.breaker.failed(inner.shared.clock.now_ms()) {
                    let tenant = inner.id.as_str();
                    tracing::error!(
                        tenant,
                        for_ms,
                        why = &**why,
                        "the plugin is suspended, since it broke again and again"
                    );
                }
            }
            Err(_) => {}
        }
        answer
    }
}

/// Those of these taps in which no user taps a packet twice, by their packets; and the others.
fn once(all: &[(PacketId, UserId)], rest: Vec<usize>) -> (Vec<(PacketId, Vec<usize>)>, Vec<usize>) {
    let (mut now, mut later): (Vec<(PacketId, Vec<usize>)>, _) = (Vec::new(), Vec::new());
    let (mut groups, mut seen) = (HashMap::new(), HashSet::new());
    for place in rest {
        let Some((packet, user)) = all.get(place) else { continue };
        if !seen.insert((packet, user)) {
            later.push(place);
            continue;
        }
        let group = *groups.entry(packet).or_insert(now.len());
        match now.get_mut(group) {
            Some((_, places)) => places.push(place),
            None => now.push((*packet, vec![place])),
        }
    }
    (now, later)
}

/// A caller who waits, until this is dropped.
struct Leave<'t>(&'t Inner);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.waiting.leave(1);
    }
}
