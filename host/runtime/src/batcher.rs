//! The batcher of a tenant: collects callers of the same operation while calls are in progress.
//!
//! A caller asks about a key: a packet, or a button of one. While all calls that may be under way are, callers gather;
//! the next call takes as many as a call may have, of as many keys. So calls grow with the traffic instead of queueing,
//! whether it is on one packet or on very many. A key is in one call at a time, so within one host a packet's
//! compare-and-swap has no rival; and a user is in it once. An idle tenant costs nothing: there is a task only while
//! somebody waits.
//!
//! Queues are bounded, and a caller past the bound is told so at once.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::CallError;
use hongbao_domain::{Limits, Presser, UserId};

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

/// Where an answer will come.
pub(super) type Answered<A> = oneshot::Receiver<Result<A, CallError>>;

/// Where an answer will come, and one more call if one has to be begun.
pub(super) type Joined<K, Q, A> = (Answered<A>, Option<Calls<K, Q, A>>);

/// Somebody who waits for an answer.
type Caller<A> = oneshot::Sender<Result<A, CallError>>;

/// Who asks.
pub(super) trait Asker {
    fn user(&self) -> &UserId;
}

impl Asker for UserId {
    fn user(&self) -> &UserId {
        self
    }
}

impl Asker for Presser {
    fn user(&self) -> &UserId {
        &self.user
    }
}

/// How large calls are, and how many are under way.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Most keys of a call.
    pub(super) keys: usize,
    /// Most calls at one time. A call waits for stores most of its time, so one at a time would be idle.
    pub(super) calls: usize,
}

/// Callers of one kind: who asks `Q` about a key `K` is answered `A`.
pub(super) struct Batcher<K, Q, A> {
    shape: Shape,
    hasher: RandomState,
    waiting: Arc<Waiting>,
    state: Mutex<State<K, Q, A>>,
}

struct State<K, Q, A> {
    queues: HashMap<K, Queue<Q, A>>,
    /// Keys that somebody waits for and that are in no call, the next first.
    ready: VecDeque<K>,
    /// Calls under way, those included that have not begun.
    calls: usize,
    /// Of these, calls that have not taken anybody yet: whoever comes now is theirs.
    beginning: usize,
}

/// Those who wait for one key.
struct Queue<Q, A> {
    waiting: VecDeque<Question<Q, A>>,
    is_in_call: bool,
}

struct Question<Q, A> {
    asker: Q,
    /// A hash of the user.
    user: u64,
    caller: Caller<A>,
}

/// Those of one call, by their keys.
pub(super) struct Batch<K, Q, A> {
    pub(super) groups: Vec<(K, Vec<Q>)>,
    callers: Vec<Caller<A>>,
}

impl<K, Q, A> Batch<K, Q, A> {
    /// How many callers they are.
    pub(super) const fn len(&self) -> usize {
        self.callers.len()
    }
}

impl<K: Clone + Eq + Hash, Q: Asker, A> Batcher<K, Q, A> {
    pub(super) fn new(shape: Shape, waiting: &Arc<Waiting>) -> Self {
        let state = State { queues: HashMap::new(), ready: VecDeque::new(), calls: 0, beginning: 0 };
        let (hasher, waiting) = (RandomState::new(), Arc::clone(waiting));
        Self { shape, hasher, waiting, state: Mutex::new(state) }
    }

    /// Waits in line; gives where the answer will come, and one more call if one has to be begun.
    pub(super) fn join(
        self: &Arc<Self>,
        key: K,
        asker: Q,
        limits: &Limits,
    ) -> Result<Joined<K, Q, A>, CallError> {
        let user = self.hasher.hash_one(asker.user());
        let mut state = self.state();
        let waits = state.queues.get(&key).map_or(0, |queue| queue.waiting.len());
        if waits >= limits.waiting_per_packet {
            return Err(CallError::Busy);
        }
        self.waiting.enter(limits.waiting)?;
        let (caller, answered) = oneshot::channel();
        let queue = state.queues.entry(key.clone());
        let queue = queue.or_insert_with(|| Queue { waiting: VecDeque::new(), is_in_call: false });
        queue.waiting.push_back(Question { asker, user, caller });
        if waits == 0 && !queue.is_in_call {
            state.ready.push_back(key);
        }
        Ok((answered, self.begin(&mut state)))
    }

    /// One more call, if one is to begin now. While one is beginning already, that one takes whoever waits.
    fn begin(self: &Arc<Self>, state: &mut State<K, Q, A>) -> Option<Calls<K, Q, A>> {
        let begins = state.beginning == 0 && state.calls < self.shape.calls && !state.ready.is_empty();
        state.calls += usize::from(begins);
        state.beginning += usize::from(begins);
        begins.then(|| Calls { batcher: Arc::clone(self), stage: Stage::Beginning })
    }

    fn state(&self) -> MutexGuard<'_, State<K, Q, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash, Q, A> State<K, Q, A> {
    /// Those of the next call, at most so many. Callers who went away are left out; `left` counts all who do not wait
    /// any more.
    fn take(&mut self, keys: usize, most: usize, left: &mut usize) -> Batch<K, Q, A> {
        let mut batch = Batch { groups: Vec::new(), callers: Vec::new() };
        while batch.callers.len() < most && batch.groups.len() < keys {
            let Some(key) = self.ready.pop_front() else { break };
            let Some(queue) = self.queues.get_mut(&key) else { continue };
            let askers = queue.take(most - batch.callers.len(), &mut batch.callers, left);
            if askers.is_empty() {
                self.queues.remove(&key);
            } else {
                queue.is_in_call = true;
                batch.groups.push((key, askers));
            }
        }
        batch
    }

    /// These keys are in no call any more.
    fn done(&mut self, keys: impl IntoIterator<Item = K>) {
        for key in keys {
            let Some(queue) = self.queues.get_mut(&key) else { continue };
            queue.is_in_call = false;
            if queue.waiting.is_empty() {
                self.queues.remove(&key);
            } else {
                self.ready.push_back(key);
            }
        }
    }
}

impl<Q, A> Queue<Q, A> {
    /// At most so many who wait, each user once: who asks twice is answered as if by one call after the other.
    fn take(&mut self, most: usize, callers: &mut Vec<Caller<A>>, left: &mut usize) -> Vec<Q> {
        let (mut askers, mut users, mut later) = (Vec::new(), Vec::new(), VecDeque::new());
        while askers.len() < most {
            let Some(question) = self.waiting.pop_front() else { break };
            if question.caller.is_closed() {
                *left += 1;
            } else if users.contains(&question.user) {
                later.push_back(question);
            } else {
                *left += 1;
                users.push(question.user);
                askers.push(question.asker);
                callers.push(question.caller);
            }
        }
        while let Some(question) = later.pop_back() {
            self.waiting.push_front(question);
        }
        askers
    }
}

/// Calls that are made one after the other, until nobody waits any more. Should that end early, whoever waits is told.
pub(super) struct Calls<K: Clone + Eq + Hash, Q: Asker, A> {
    batcher: Arc<Batcher<K, Q, A>>,
    stage: Stage<K>,
}

enum Stage<K> {
    /// The next call has taken nobody yet.
    Beginning,
    /// A call about these keys is under way.
    Calling(Vec<K>),
    Over,
}

impl<K: Clone + Eq + Hash, Q: Asker, A> Calls<K, Q, A> {
    /// Those of the next call, at most so many; and one more call, if one has to be begun for those who are left. None
    /// where nobody waits that is not in a call.
    pub(super) fn next(&mut self, most: usize) -> Option<(Batch<K, Q, A>, Option<Self>)> {
        self.end();
        let (mut state, mut left) = (self.batcher.state(), 0);
        let batch = state.take(self.batcher.shape.keys, most.max(1), &mut left);
        self.batcher.waiting.leave(left);
        debug_assert!(batch.callers.len() <= most.max(1) && batch.groups.len() <= self.batcher.shape.keys);
        state.beginning -= 1;
        if batch.groups.is_empty() {
            state.calls -= 1;
            self.stage = Stage::Over;
            return None;
        }
        self.stage = Stage::Calling(batch.groups.iter().map(|(key, _)| key.clone()).collect());
        let others = self.batcher.begin(&mut state);
        Some((batch, others))
    }

    /// The call is over; the next is beginning.
    pub(super) fn end(&mut self) {
        if let Stage::Calling(keys) = std::mem::replace(&mut self.stage, Stage::Beginning) {
            let mut state = self.batcher.state();
            state.done(keys);
            state.beginning += 1;
        }
    }
}

impl<K: Clone + Eq + Hash, Q: Asker, A> Drop for Calls<K, Q, A> {
    fn drop(&mut self) {
        if matches!(self.stage, Stage::Over) {
            return;
        }
        self.end();
        let mut state = self.batcher.state();
        state.calls -= 1;
        state.beginning -= 1;
        let ready = std::mem::take(&mut state.ready);
        let abandoned = ready.into_iter().filter_map(|key| state.queues.remove(&key));
        self.batcher.waiting.leave(abandoned.map(|queue| queue.waiting.len()).sum());
    }
}

impl<K, Q, A> Batch<K, Q, A> {
    /// What is to be asked, and who is to be answered.
    pub(super) fn split(self) -> (Vec<(K, Vec<Q>)>, Callers<A>) {
        (self.groups, Callers(self.callers))
    }
}

/// Those who are to be answered.
pub(super) struct Callers<A>(Vec<Caller<A>>);

impl<A> Callers<A> {
    /// Gives each caller their answer, of which there are as many. Who went away meanwhile has nobody to be told; what
    /// was done for them stands.
    pub(super) fn answer(self, answers: Result<Vec<A>, CallError>) {
        match answers {
            Ok(answers) => self.0.into_iter().zip(answers).for_each(|(caller, answer)| {
                let _ = caller.send(Ok(answer));
            }),
            Err(error) => self.0.into_iter().for_each(|caller| {
                let _ = caller.send(Err(error.clone()));
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Taps = Arc<Batcher<u32, UserId, String>>;
    type Next = Option<(Batch<u32, UserId, String>, Option<Calls<u32, UserId, String>>)>;

    fn batcher(keys: usize, calls: usize) -> (Taps, Arc<Waiting>) {
        let waiting = Arc::new(Waiting::default());
        (Arc::new(Batcher::new(Shape { keys, calls }, &waiting)), waiting)
    }

    fn join(batcher: &Taps, key: u32, name: &str) -> (Answered<String>, Option<Calls<u32, UserId, String>>) {
        batcher.join(key, UserId::new(name).unwrap(), &Limits::default()).unwrap()
    }

    fn groups(next: Next) -> Vec<(u32, Vec<String>)> {
        let names = |users: Vec<UserId>| users.into_iter().map(UserId::into_string).collect();
        next.into_iter().flat_map(|(batch, _)| batch.groups).map(|(key, users)| (key, names(users))).collect()
    }

    fn of(key: u32, names: &[&str]) -> (u32, Vec<String>) {
        (key, names.iter().map(|name| (*name).into()).collect())
    }

    #[test]
    fn who_waits_for_many_packets_is_gathered_into_one_call() {
        let (batcher, waiting) = batcher(8, 1);
        let (_alice, calls) = join(&batcher, 1, "alice");
        let mut calls = calls.unwrap();
        assert_eq!(groups(calls.next(256)), [of(1, &["alice"])]);
        let more: Vec<_> = [(1, "bob"), (2, "bob"), (2, "carol"), (3, "bob")]
            .map(|(key, name)| join(&batcher, key, name))
            .into();
        assert!(more.iter().all(|(_, calls)| calls.is_none()), "a call is under way");
        assert_eq!(waiting.count(), 4);
        let next = groups(calls.next(256));
        assert_eq!(next, [of(2, &["bob", "carol"]), of(3, &["bob"]), of(1, &["bob"])]);
        assert_eq!((groups(calls.next(256)), waiting.count()), (Vec::new(), 0));
        assert!(join(&batcher, 9, "dave").1.is_some(), "the next one begins a call again");
    }

    #[test]
    fn a_call_that_has_not_begun_takes_whoever_comes_and_another_begins_for_those_who_are_left() {
        let (batcher, _) = batcher(2, 3);
        let mut taps: Vec<_> = [(1, "alice"), (1, "bob"), (2, "alice"), (3, "alice")]
            .map(|(key, name)| join(&batcher, key, name))
            .into();
        let mut began: Vec<_> = taps.iter_mut().filter_map(|(_, calls)| calls.take()).collect();
        assert_eq!(began.len(), 1);
        let mut calls = began.remove(0);
        let (batch, others) = calls.next(256).unwrap();
        assert_eq!(batch.len(), 3, "of two packets at most");
        let (_waits, calls_too) = join(&batcher, 4, "alice");
        assert!(calls_too.is_none(), "the other call is beginning");
        let mut others = others.unwrap();
        let (batch, left) = others.next(256).unwrap();
        assert_eq!((batch.len(), left.is_none()), (2, true));
        calls.end();
        assert!(join(&batcher, 5, "alice").1.is_none(), "the first call begins anew");
        drop(others);
        drop(calls);
        let state = batcher.state();
        assert_eq!((state.calls, state.beginning), (0, 0));
    }

    #[test]
    fn a_packet_is_in_one_call_at_a_time_and_a_user_once() {
        let (batcher, waiting) = batcher(8, 2);
        let (_first, calls) = join(&batcher, 1, "alice");
        let mut calls = calls.unwrap();
        assert_eq!(groups(calls.next(256)), [of(1, &["alice"])]);
        let _again: Vec<_> = ["alice", "alice", "bob"].map(|name| join(&batcher, 1, name)).into();
        let (_other, others) = join(&batcher, 2, "alice");
        let mut others = others.expect("a second call may begin");
        assert_eq!(groups(others.next(256)), [of(2, &["alice"])], "the first packet is in a call");
        assert_eq!(groups(others.next(256)), []);
        assert_eq!(groups(calls.next(256)), [of(1, &["alice", "bob"])]);
        assert_eq!(groups(calls.next(256)), [of(1, &["alice"])]);
        assert_eq!((groups(calls.next(256)), waiting.count()), (Vec::new(), 0));
        assert!(batcher.state().queues.is_empty());
    }

    #[test]
    fn calls_are_bounded_and_who_does_not_fit_comes_next() {
        let (batcher, _) = batcher(2, 1);
        let mut waiting: Vec<_> = [(1, "a"), (1, "b"), (1, "c"), (2, "a"), (3, "a")]
            .map(|(key, name)| join(&batcher, key, name))
            .into();
        let mut calls = waiting[0].1.take().unwrap();
        assert_eq!(groups(calls.next(2)), [of(1, &["a", "b"])]);
        assert_eq!(groups(calls.next(2)), [of(2, &["a"]), of(3, &["a"])]);
        assert_eq!(groups(calls.next(2)), [of(1, &["c"])]);
        assert_eq!(groups(calls.next(2)), []);
    }

    #[test]
    fn who_went_away_is_left_out_and_who_is_too_many_is_told() {
        let (batcher, waiting) = batcher(8, 1);
        let (gone, calls) = join(&batcher, 1, "alice");
        let _stays = join(&batcher, 1, "bob");
        drop(gone);
        let tight = Limits { waiting_per_packet: 2, ..Limits::default() };
        let carol = || UserId::new("carol").unwrap();
        let refused = |key, tight| batcher.join(key, carol(), tight).err().map(|error| error.code());
        assert_eq!(refused(1, &tight), Some("busy"));
        let tight = Limits { waiting: 2, ..Limits::default() };
        assert_eq!(refused(2, &tight), Some("busy"));
        assert_eq!(batcher.state().queues.len(), 1, "a caller who was refused leaves nothing behind");
        let mut calls = calls.unwrap();
        assert_eq!(groups(calls.next(256)), [of(1, &["bob"])]);
        assert_eq!((groups(calls.next(256)), waiting.count()), (Vec::new(), 0));
    }

    #[test]
    fn who_waits_for_a_task_that_is_dropped_is_told() {
        let (batcher, waiting) = batcher(8, 1);
        let (mut first, calls) = join(&batcher, 1, "alice");
        let mut calls = calls.unwrap();
        let batch = calls.next(256);
        let (mut second, _) = join(&batcher, 1, "bob");
        drop(batch);
        drop(calls);
        assert!(first.try_recv().is_err() && second.try_recv().is_err());
        assert_eq!(waiting.count(), 0);
        assert!(batcher.state().queues.is_empty());
        assert!(join(&batcher, 1, "carol").1.is_some());
    }
}
