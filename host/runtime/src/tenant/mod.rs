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

use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tracing::Instrument as _;

pub(super) use books::{is_overdue, refund_alone};
pub use config::{TenantConfig, TenantError};
pub use file::{TenantEntry, TenantsFile};
pub use load::LoadError;
pub(super) use serving::Serving;

use self::admission::Suspended;
use self::replay::Typed;
use super::breaker::Breaker;
use super::host::Shared;
use super::lane::{Lanes, Waiting, deliver};
use super::metrics::TenantMetrics;
use super::turns::Line;
use super::{CallError, Operation, Plugin};
use crate::imports::{Calls, Surroundings};
use hongbao_domain::{
    Details, Expired, Grabbed, Grants, Limits, Manifest, Message, Opened, PacketId, Policy, Presser, Reply,
    Request, SendError, Sent, Strategy, TenantId, UserId,
};

/// A red packet system for one tenant of a [`Host`](super::Host). Cheap to clone.
#[derive(Clone)]
pub struct Tenant {
    inner: Arc<Inner>,
    /// Whether what is asked through this handle was counted against the tenant's rate already.
    is_counted: bool,
}

struct Inner {
    id: TenantId,
    shared: Arc<Shared>,
    /// Where it queues for its turn.
    line: Line,
    serving: RwLock<Arc<Serving>>,
    /// What served before, for [`Tenant::rollback`].
    former: Mutex<Option<Plugin>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
    suspended: Suspended,
    breaker: Breaker,
    waiting: Waiting,
    grabs: Lanes<PacketId, UserId, Grabbed>,
    opens: Lanes<PacketId, UserId, Opened>,
    presses: Lanes<(PacketId, String), Presser, Vec<Reply>>,
    metrics: Arc<TenantMetrics>,
}

/// Calls the plugin for a batch; one answer for each, in order.
type Batch<K, Q, A> = for<'i> fn(Calls<'i>, K, Vec<Q>) -> BoxFuture<'i, wasmtime::Result<Vec<A>>>;

impl Tenant {
    pub(super) fn new(shared: Arc<Shared>, serving: Serving) -> Self {
        let id = serving.config.id.clone();
        let metrics = shared.metrics.of_tenant(id.as_str());
        let inner = Inner {
            line: shared.new_owner().0,
            id,
            shared,
            serving: RwLock::new(Arc::new(serving)),
            former: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
            suspended: Suspended::default(),
            breaker: Breaker::default(),
            waiting: Waiting::default(),
            grabs: Lanes::default(),
            opens: Lanes::default(),
            presses: Lanes::default(),
            metrics,
        };
        Self { inner: Arc::new(inner), is_counted: false }
    }

    /// Its name in the stores.
    #[must_use]
    pub fn id(&self) -> &TenantId {
        &self.inner.id
    }

    /// What was said of it last.
    #[must_use]
    pub fn config(&self) -> TenantConfig {
        self.serving().config.clone()
    }

    /// Its limits and defaults for packets.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.serving().config.policy.clone()
    }

    /// What it and its plugin may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        *self.serving().limits()
    }

    /// Interfaces of the host that the plugin which serves it now may call.
    #[must_use]
    pub fn grants(&self) -> Grants {
        let serving = self.serving();
        serving.config.granted(&serving.plugin, serving.manifest.asks)
    }

    /// What its plugin says of itself.
    #[must_use]
    pub fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.serving().manifest)
    }

    /// The plugin that serves it.
    #[must_use]
    pub fn plugin(&self) -> Plugin {
        self.serving().plugin.clone()
    }

    /// How many callers wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.waiting.count()
    }

    /// Sends a packet, once for each key of its sender; its money leaves the wallet at once.
    ///
    /// # Errors
    /// The inner one is the plugin's or the ledger's refusal, the outer one a call that has no
    /// answer: ask again with the same key.
    pub async fn send(&self, request: Request) -> Result<Result<Sent, SendError>, CallError> {
        if let Err(why) = request.check() {
            return Ok(Err(SendError::InvalidArgument(why)));
        }
        self.inner.shared.clock_watch.trust()?;
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
    /// When the call has no answer. Asking again is safe.
    pub async fn grab(&self, packet: PacketId, user: UserId) -> Result<Grabbed, CallError> {
        let grab: Batch<_, _, _> = |calls, packet, users| calls.grab(packet, users).boxed();
        self.join(Operation::Grab, |inner| &inner.grabs, packet, user, grab).await
    }

    /// Claims a share; the amount is drawn now. What is answered is in the ledger.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe, and tells what a lost answer told.
    pub async fn open(&self, packet: PacketId, user: UserId) -> Result<Opened, CallError> {
        let open: Batch<_, _, _> = |calls, packet, users| calls.open(packet, users).boxed();
        self.join(Operation::Open, |inner| &inner.opens, packet, user, open).await
    }

    /// Takes seats for many users of one packet in one call, past the lanes.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe.
    pub async fn grab_batch(&self, packet: PacketId, users: Vec<UserId>) -> Result<Vec<Grabbed>, CallError> {
        self.ask(Operation::Grab, move |calls| calls.grab(packet, users).boxed()).await
    }

    /// Claims shares for many users of one packet in one call, past the lanes.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe.
    pub async fn open_batch(&self, packet: PacketId, users: Vec<UserId>) -> Result<Vec<Opened>, CallError> {
        self.ask(Operation::Open, move |calls| calls.open(packet, users).boxed()).await
    }

    /// Answers a [`command`](hongbao_domain::command()); nothing where it is not the plugin's.
    ///
    /// # Errors
    /// When the call has no answer. Asking again with the same message is safe.
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
    /// When the call has no answer. Asking again is safe.
    pub async fn action(
        &self,
        packet: PacketId,
        action: String,
        by: Presser,
    ) -> Result<Vec<Reply>, CallError> {
        by.check(&action).map_err(|why| CallError::Invalid(why.into()))?;
        let by = by.normalised(&self.manifest().languages);
        let act: Batch<(PacketId, String), _, _> =
            |calls, (packet, action), by| calls.action(packet, action, by).boxed();
        self.join(Operation::Action, |inner| &inner.presses, (packet, action), by, act).await
    }

    /// Refunds what is left of a packet that is past its time.
    ///
    /// # Errors
    /// When the call has no answer. Asking again is safe.
    pub async fn expire(&self, packet: PacketId) -> Result<Expired, CallError> {
        self.inner.shared.clock_watch.trust()?;
        Ok(self.ask(Operation::Expire, move |calls| calls.expire(packet).boxed()).await??)
    }

    /// A packet with its claims; None where there is no such packet.
    ///
    /// # Errors
    /// When the call has no answer.
    pub async fn details(&self, packet: PacketId) -> Result<Option<Details>, CallError> {
        Ok(self.ask(Operation::Details, move |calls| calls.details(packet).boxed()).await??)
    }

    /// The shares of an imaginary packet in minor units, or the sentence that says why not.
    ///
    /// # Errors
    /// When the call has no answer.
    pub async fn preview(
        &self,
        strategy: Strategy,
        total: u64,
        shares: u32,
    ) -> Result<Result<Vec<u64>, String>, CallError> {
        self.ask(Operation::Preview, move |calls| calls.preview(strategy, total, shares).boxed()).await
    }

    fn serving(&self) -> Arc<Serving> {
        Arc::clone(&self.inner.serving.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn around(&self) -> Arc<Surroundings> {
        Arc::clone(&self.serving().around)
    }

    /// One call of the plugin, when it is this tenant's turn.
    async fn ask<T: Send + 'static>(
        &self,
        operation: Operation,
        act: impl for<'i> FnOnce(Calls<'i>) -> BoxFuture<'i, wasmtime::Result<T>> + Send + 'static,
    ) -> Result<T, CallError> {
        let begun = Instant::now();
        let answer = self.ask_now(operation, act).await;
        self.inner.metrics.request(operation, &answer, begun.elapsed());
        answer
    }

    async fn ask_now<T: Send + 'static>(
        &self,
        operation: Operation,
        act: impl for<'i> FnOnce(Calls<'i>) -> BoxFuture<'i, wasmtime::Result<T>> + Send + 'static,
    ) -> Result<T, CallError> {
        let serving = self.admit()?;
        self.inner.waiting.enter(serving.limits().waiting)?;
        let leave = Leave(Arc::clone(&self.inner));
        let tenant = self.clone();
        let call = async move {
            let answer = tenant.call(operation, 1, act).await;
            drop(leave);
            answer
        };
        let task = self.inner.shared.turns.spawn(self.inner.line, call);
        task.await.unwrap_or_else(|| Err(CallError::Other("the call was lost".into())))
    }

    /// Waits in the lane of `key` for an answer.
    async fn join<K, Q, A>(
        &self,
        operation: Operation,
        lanes: fn(&Inner) -> &Lanes<K, Q, A>,
        key: K,
        question: Q,
        act: Batch<K, Q, A>,
    ) -> Result<A, CallError>
    where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Q: Send + 'static,
        A: Send + 'static,
    {
        let begun = Instant::now();
        let joined = self.admit().and_then(|serving| {
            lanes(&self.inner).join(key.clone(), question, &self.inner.waiting, serving.limits())
        });
        let answer = match joined {
            Ok((answered, is_new)) => {
                if is_new {
                    let drain = self.clone().drain(operation, lanes, key, act);
                    self.inner.shared.turns.spawn(self.inner.line, drain).detach();
                }
                // The lane ends without an answer only when the runtime itself is ending.
                answered.await.unwrap_or(Err(CallError::Unavailable))
            }
            Err(error) => Err(error),
        };
        self.inner.metrics.request(operation, &answer, begun.elapsed());
        answer
    }

    /// One call after another until nobody waits in the lane.
    async fn drain<K, Q, A>(
        self,
        operation: Operation,
        lanes: fn(&Inner) -> &Lanes<K, Q, A>,
        key: K,
        act: Batch<K, Q, A>,
    ) where
        K: Clone + Eq + Hash + Send + Sync + 'static,
        Q: Send + 'static,
        A: Send + 'static,
    {
        let mut drain = lanes(&self.inner).drain(key.clone(), &self.inner.waiting);
        loop {
            let (questions, callers) = drain.next(self.serving().limits().batch);
            if questions.is_empty() {
                return;
            }
            let (key, users) = (key.clone(), questions.len());
            deliver(self.call(operation, users, move |calls| act(calls, key, questions)).await, callers);
        }
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

/// A caller who waits, until this is dropped.
struct Leave(Arc<Inner>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.waiting.leave(1);
    }
}
