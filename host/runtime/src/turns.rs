//! Turns: the calls of all tenants begin one after the other, in the order in which somebody asked for them.
//!
//! A call that is to begin stands in one queue. As many takers as an async runtime has threads take the calls from it,
//! and each runs one until it waits for a store; from there on it is a task of its own. Who taps while a call stands in
//! the queue is in that call, so the longer the queue, the more users each call is about.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::runtime::{Handle, Id};

/// A call that has not begun.
type Start = BoxFuture<'static, ()>;

/// The calls of a host that are to begin.
#[derive(Default)]
pub(super) struct Turns {
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    starts: VecDeque<Start>,
    /// Of each runtime: one that nobody drives just now must not keep another waiting.
    takers: HashMap<Id, usize>,
}

impl Turns {
    /// Queues a call. It runs on whichever runtime takes it, this one or another that drives this host; where that one ends
    /// before, whoever waits is told.
    pub(super) fn enter(self: &Arc<Self>, start: Start) {
        let handle = Handle::current();
        let (runtime, threads) = (handle.id(), handle.metrics().num_workers());
        let mut ready = self.ready();
        ready.starts.push_back(start);
        let takers = ready.takers.entry(runtime).or_default();
        if *takers < threads {
            *takers += 1;
            drop(ready);
            handle.spawn(Taker { turns: Arc::clone(self), runtime, is_counted: true }.run());
        }
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins calls. One that its runtime drops on the way is counted no more.
struct Taker {
    turns: Arc<Turns>,
    runtime: Id,
    is_counted: bool,
}

impl Taker {
    /// So long at a time, then the runtime has its own: other tasks, timers, and the sockets on which everybody's stores
    /// answer.
    const LONGEST: Duration = Duration::from_micros(250);

    async fn run(mut self) {
        let mut begun = Instant::now();
        while let Some(mut start) = self.next() {
            let first = poll_fn(|context| Poll::Ready(start.poll_unpin(context)));
            // Whoever waits for the answer of a call that panics learns of it by itself.
            if let Ok(Poll::Pending) = AssertUnwindSafe(first).catch_unwind().await {
                tokio::spawn(start);
            }
            if begun.elapsed() >= Self::LONGEST {
                tokio::task::yield_now().await;
                begun = Instant::now();
            }
        }
    }

    /// The next call. Without one this taker is counted no more from the same moment on: whoever queues after that
    /// makes another.
    fn next(&mut self) -> Option<Start> {
        let mut ready = self.turns.ready();
        let next = ready.starts.pop_front();
        if next.is_none() {
            self.is_counted = false;
            ready.count_out(self.runtime);
        }
        next
    }
}

impl Drop for Taker {
    fn drop(&mut self) {
        if self.is_counted {
            self.turns.ready().count_out(self.runtime);
        }
    }
}

impl Ready {
    /// One taker less of this runtime.
    fn count_out(&mut self, runtime: Id) {
        if let Some(takers) = self.takers.get_mut(&runtime) {
            *takers -= 1;
            if *takers == 0 {
                self.takers.remove(&runtime);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    fn answers(number: u32) -> (Start, oneshot::Receiver<u32>) {
        let (sender, receiver) = oneshot::channel();
        (async move { sender.send(number).unwrap() }.boxed(), receiver)
    }

    #[tokio::test]
    async fn calls_begin_in_their_order_and_one_that_waits_holds_up_none() {
        let (turns, order) = (Arc::new(Turns::default()), Arc::new(Mutex::new(Vec::new())));
        let (release, waits) = oneshot::channel::<()>();
        let mut waits = Some(waits);
        let mut done = Vec::new();
        for number in 0..4 {
            let (told, receiver) = oneshot::channel();
            let (order, waits) = (Arc::clone(&order), if number == 1 { waits.take() } else { None });
            turns.enter(
                async move {
                    order.lock().unwrap().push(number);
                    if let Some(waits) = waits {
                        waits.await.unwrap();
                    }
                    told.send(number).unwrap();
                }
                .boxed(),
            );
            done.push(receiver);
        }
        assert_eq!(done.remove(3).await, Ok(3), "although the second waits for a store");
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
        release.send(()).unwrap();
        assert_eq!(done.remove(1).await, Ok(1));
        assert!(turns.ready().takers.is_empty(), "an idle host has none");
    }

    #[tokio::test]
    async fn a_call_that_panics_ends_alone() {
        let turns = Arc::new(Turns::default());
        turns.enter(async { panic!("on purpose") }.boxed());
        let (start, answer) = answers(7);
        turns.enter(start);
        assert_eq!(answer.await, Ok(7));
    }

    #[test]
    fn a_runtime_that_ends_or_is_not_driven_keeps_no_other_waiting() {
        let (turns, idle, ends) = (Arc::new(Turns::default()), runtime(), runtime());
        idle.block_on(async { turns.enter(std::future::ready(()).boxed()) });
        ends.block_on(async { turns.enter(std::future::ready(()).boxed()) });
        assert_eq!(turns.ready().takers.len(), 2, "it was not their time yet");
        drop(ends);
        assert_eq!(turns.ready().takers.len(), 1);
        let (start, answer) = answers(7);
        let answer = runtime().block_on(async {
            turns.enter(start);
            answer.await
        });
        assert_eq!(answer, Ok(7));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_is_forgotten_and_takers_are_no_more_than_threads() {
        let turns = Arc::new(Turns::default());
        let mut waiting = Vec::new();
        for number in 0..20_000 {
            let (start, answer) = answers(number);
            turns.enter(start);
            assert!(turns.ready().takers.values().all(|takers| *takers <= 2));
            waiting.push(answer);
        }
        for (number, answer) in (0..).zip(waiting) {
            assert_eq!(answer.await, Ok(number));
        }
    }
}
