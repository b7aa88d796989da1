//! Lanes: callers who want the same of one packet become one batch.
//!
//! While a packet's call is under way, callers for that packet gather; then they go together in
//! the next call. So a hot packet's calls grow with its traffic instead of queueing, within one
//! host a packet's compare-and-swap has no rival, and an idle packet costs nothing: its lane is
//! there only while somebody waits.
//!
//! Queues are bounded, and a caller past the bound is told so at once.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::CallError;
use hongbao_domain::Limits;

/// How many callers of a tenant wait, for whatever.
#[derive(Default)]
pub(super) struct Waiting(AtomicUsize);

impl Waiting {
    /// One more, unless that would be more than `most`.
    pub(super) fn enter(&self, most: usize) -> Result<(), CallError> {
        let one_more = |waiting: usize| (waiting < most).then_some(waiting + 1);
        let entered = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        entered.map(|_| ()).map_err(|_| CallError::Busy)
    }

    pub(super) fn leave(&self, count: usize) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Somebody who waits for an answer.
pub(super) type Caller<A> = oneshot::Sender<Result<A, CallError>>;

type Queue<Q, A> = VecDeque<(Q, Caller<A>)>;

/// The lanes of one kind of call: questions `Q` about the same `K`, answered with `A`.
pub(super) struct Lanes<K, Q, A>(Mutex<HashMap<K, Queue<Q, A>>>);

impl<K, Q, A> Default for Lanes<K, Q, A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, Q, A> Lanes<K, Q, A> {
    /// Puts a question into its lane; true if the lane is new and has to be drained.
    pub(super) fn join(
        &self,
        key: K,
        question: Q,
        waiting: &Waiting,
        limits: &Limits,
    ) -> Result<(oneshot::Receiver<Result<A, CallError>>, bool), CallError> {
        let (caller, answered) = oneshot::channel();
        let mut lanes = self.lanes();
        let lane = lanes.get(&key).map_or(0, VecDeque::len);
        if lane >= limits.waiting_per_packet {
            return Err(CallError::Busy);
        }
        waiting.enter(limits.waiting)?;
        let is_new = !lanes.contains_key(&key);
        lanes.entry(key).or_default().push_back((question, caller));
        Ok((answered, is_new))
    }

    /// Whoever drains a new lane holds this until nobody waits in it.
    pub(super) const fn drain<'l>(&'l self, key: K, waiting: &'l Waiting) -> Drain<'l, K, Q, A> {
        Drain { lanes: self, key, waiting, is_empty: false }
    }

    fn lanes(&self) -> MutexGuard<'_, HashMap<K, Queue<Q, A>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane that is being drained. Should that end early, its callers are told.
pub(super) struct Drain<'l, K: Clone + Eq + Hash, Q, A> {
    lanes: &'l Lanes<K, Q, A>,
    key: K,
    waiting: &'l Waiting,
    is_empty: bool,
}

impl<K: Clone + Eq + Hash, Q, A> Drain<'_, K, Q, A> {
    /// The next batch, of at most `most` users; with nobody waiting, the lane is gone. Callers who
    /// went away are left out.
    pub(super) fn next(&mut self, most: usize) -> (Vec<Q>, Vec<Caller<A>>) {
        let mut lanes = self.lanes.lanes();
        let (mut questions, mut callers) = (Vec::new(), Vec::new());
        let mut left = 0;
        if let Some(lane) = lanes.get_mut(&self.key) {
            while questions.len() < most.max(1) {
                let Some((question, caller)) = lane.pop_front() else { break };
                left += 1;
                if !caller.is_closed() {
                    questions.push(question);
                    callers.push(caller);
                }
            }
        }
        self.waiting.leave(left);
        if questions.is_empty() {
            lanes.remove(&self.key);
            self.is_empty = true;
        }
        (questions, callers)
    }
}

impl<K: Clone + Eq + Hash, Q, A> Drop for Drain<'_, K, Q, A> {
    fn drop(&mut self) {
        if !self.is_empty {
            let abandoned = self.lanes.lanes().remove(&self.key).unwrap_or_default();
            self.waiting.leave(abandoned.len());
        }
    }
}

/// Gives each caller their answer, of which there are as many. Who went away meanwhile has nobody to be told; what was done for
/// them stands.
pub(super) fn deliver<A>(answers: Result<Vec<A>, CallError>, callers: Vec<Caller<A>>) {
    match answers {
        Ok(answers) => callers.into_iter().zip(answers).for_each(|(caller, answer)| {
            let _ = caller.send(Ok(answer));
        }),
        Err(error) => callers.into_iter().for_each(|caller| {
            let _ = caller.send(Err(error.clone()));
        }),
    }
}
