//! Lanes: callers who want the same of one packet become one batch.
//!
//! While a packet's call is under way, callers for that packet gather; then they go together in
//! the next call. So a hot packet's calls grow with its traffic instead of queueing, within one
//! host a packet's compare-and-swap has no rival, and an idle packet costs nothing: its lane is
//! there only while somebody waits.
//!
//! Queues are bounded, and a caller past the bound is told so at once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::{CallError, Limits};
use crate::domain::{PacketId, UserId};

/// Calls the plugin for a batch; one answer for each user, in order.
pub(super) type Call<A> =
    Box<dyn Fn(PacketId, Vec<UserId>) -> BoxFuture<'static, Result<Vec<A>, CallError>> + Send + Sync>;

/// The lanes of one kind of call.
pub(super) struct Lanes<A> {
    queues: Mutex<Queues<A>>,
    call: Call<A>,
    limits: Limits,
}

struct Queues<A> {
    of: HashMap<PacketId, VecDeque<Waiting<A>>>,
    /// In all lanes together.
    waiting: usize,
}

struct Waiting<A> {
    user: UserId,
    answer: oneshot::Sender<Result<A, CallError>>,
}

impl<A: Send + 'static> Lanes<A> {
    pub(super) fn new(limits: Limits, call: Call<A>) -> Arc<Self> {
        let queues = Mutex::new(Queues { of: HashMap::new(), waiting: 0 });
        Arc::new(Self { queues, call, limits })
    }

    /// Waits in the packet's lane for the user's answer.
    pub(super) async fn ask(self: &Arc<Self>, packet: PacketId, user: UserId) -> Result<A, CallError> {
        let (answer, answered) = oneshot::channel();
        if self.join(packet, Waiting { user, answer })? {
            tokio::spawn(Arc::clone(self).drain(packet));
        }
        // The lane ends without an answer only when the runtime itself is ending.
        answered.await.unwrap_or(Err(CallError::Unavailable))
    }

    /// Puts a caller into its lane; true if the lane is new and has to be drained.
    fn join(&self, packet: PacketId, caller: Waiting<A>) -> Result<bool, CallError> {
        let mut queues = self.queues();
        let lane = queues.of.get(&packet).map_or(0, VecDeque::len);
        if queues.waiting >= self.limits.waiting || lane >= self.limits.waiting_per_packet {
            return Err(CallError::Busy);
        }
        queues.waiting += 1;
        let is_new = !queues.of.contains_key(&packet);
        queues.of.entry(packet).or_default().push_back(caller);
        Ok(is_new)
    }

    /// One call after another until nobody waits.
    async fn drain(self: Arc<Self>, packet: PacketId) {
        loop {
            let batch = self.next(packet);
            if batch.is_empty() {
                return;
            }
            let (users, answers): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|waiting| (waiting.user, waiting.answer)).unzip();
            deliver((self.call)(packet, users).await, answers);
        }
    }

    /// The next batch; with nobody waiting, the lane is gone. Callers who went away are left out.
    fn next(&self, packet: PacketId) -> Vec<Waiting<A>> {
        let mut queues = self.queues();
        let mut batch = Vec::new();
        let mut left = 0;
        if let Some(lane) = queues.of.get_mut(&packet) {
            while batch.len() < self.limits.batch.max(1) {
                let Some(waiting) = lane.pop_front() else { break };
                left += 1;
                if !waiting.answer.is_closed() {
                    batch.push(waiting);
                }
            }
        }
        queues.waiting -= left;
        if batch.is_empty() {
            queues.of.remove(&packet);
        }
        batch
    }

    fn queues(&self) -> MutexGuard<'_, Queues<A>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn deliver<A>(result: Result<Vec<A>, CallError>, callers: Vec<oneshot::Sender<Result<A, CallError>>>) {
    let result = match result {
        Ok(answers) if answers.len() == callers.len() => Ok(answers),
        Ok(answers) => {
            let (given, asked) = (answers.len(), callers.len());
            Err(CallError::Trapped(format!("it gave {given} answers to {asked} users").into()))
        }
        Err(error) => Err(error),
    };
    // A caller who went away meanwhile has nobody to be told; what was done for them stands.
    match result {
        Ok(answers) => callers.into_iter().zip(answers).for_each(|(caller, answer)| {
            let _ = caller.send(Ok(answer));
        }),
        Err(error) => callers.into_iter().for_each(|caller| {
            let _ = caller.send(Err(error.clone()));
        }),
    }
}
