//! Turns: tenants take the machine's time one after the other.
//!
//! Every call of a plugin is a task that is polled only when it is its tenant's turn: a tenant with a
//! thousand calls that could go on gets as many turns as one with a single call. Whenever a call
//! could go on, it queues with its tenant's others. As many takers as an async runtime has threads
//! give turns until nobody waits for one; what a turn polls is decided when it comes.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_task::{FallibleTask, Runnable};
use tokio::runtime::{Handle, Id};

/// Who takes turns with whom: a number for each tenant.
pub(super) type Line = u64;

/// The tasks of a host that could go on.
#[derive(Default)]
pub(super) struct Turns {
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    lines: HashMap<Line, VecDeque<Runnable>>,
    /// Lines with tasks in them, the next first.
    order: VecDeque<Line>,
    /// Of each runtime: one that nobody drives just now must not keep another waiting.
    takers: HashMap<Id, usize>,
}

impl Turns {
    /// Starts a task. Dropping what is given back cancels it.
    pub(super) fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        line: Line,
        future: impl Future<Output = T> + Send + 'static,
    ) -> FallibleTask<T> {
        let (turns, handle) = (Arc::clone(self), Handle::current());
        let (runtime, threads) = (handle.id(), handle.metrics().num_workers());
        let schedule = move |runnable| {
            if let Some(taker) = turns.push(line, runnable, runtime, threads) {
                // Wakers are called from anywhere, also from threads that know of no runtime.
                handle.spawn(taker.run());
            }
        };
        let (runnable, task) = async_task::spawn(future, schedule);
        runnable.schedule();
        task.fallible()
    }

    /// Queues a task; gives one more taker, unless its runtime has as many as threads.
    fn push(self: &Arc<Self>, line: Line, runnable: Runnable, runtime: Id, threads: usize) -> Option<Taker> {
        let mut ready = self.ready();
        ready.push(line, runnable);
        let takers = ready.takers.entry(runtime).or_default();
        let is_wanted = *takers < threads;
        *takers += usize::from(is_wanted);
        is_wanted.then(|| Taker { turns: Arc::clone(self), runtime, is_counted: true })
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives turns. One that its runtime drops on the way is counted no more.
struct Taker {
    turns: Arc<Turns>,
    runtime: Id,
    is_counted: bool,
}

impl Taker {
    /// So long at a time, then the runtime has its own: other tasks, timers, and the sockets on which
    /// everybody's stores answer.
    const LONGEST: Duration = Duration::from_micros(250);

    async fn run(mut self) {
        let mut begun = Instant::now();
        while let Some(next) = self.next() {
            // Whoever waits for its answer learns of a panic, and the log has its words.
            let _ = catch_unwind(AssertUnwindSafe(|| next.run()));
            if begun.elapsed() >= Self::LONGEST {
                tokio::task::yield_now().await;
                begun = Instant::now();
            }
        }
    }

    /// The next turn. Without one this taker is counted no more from the same moment on: whoever queues
    /// after that makes another.
    fn next(&mut self) -> Option<Runnable> {
        let mut ready = self.turns.ready();
        let next = ready.pop();
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

    fn push(&mut self, line: Line, runnable: Runnable) {
        let queue = self.lines.entry(line).or_default();
        if queue.is_empty() {
            self.order.push_back(line);
        }
        queue.push_back(runnable);
    }

    fn pop(&mut self) -> Option<Runnable> {
        let line = self.order.pop_front()?;
        let queue = self.lines.get_mut(&line)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.lines.remove(&line);
        } else {
            self.order.push_back(line);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_take_turns_whatever_their_length() {
        let turns = Arc::new(Turns::default());
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = |name: &'static str| {
            let told = Arc::clone(&told);
            async move { told.lock().unwrap().push(name) }
        };
        let many: Vec<_> = (0..4).map(|_| turns.spawn(1, tell("many"))).collect();
        let one = turns.spawn(2, tell("one"));
        one.await;
        for task in many {
            task.await;
        }
        let told = told.lock().unwrap();
        assert_eq!(*told, ["many", "one", "many", "many", "many"]);
        assert!(turns.ready().lines.is_empty(), "an idle line costs nothing");
    }

    #[tokio::test]
    async fn a_task_whose_caller_goes_away_is_dropped() {
        let turns = Arc::new(Turns::default());
        let (held, dropped) = tokio::sync::oneshot::channel::<()>();
        let task = turns.spawn(1, async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        drop(task);
        assert!(dropped.await.is_err());
    }

    #[tokio::test]
    async fn a_task_that_panics_has_no_answer_and_the_others_go_on() {
        let turns = Arc::new(Turns::default());
        let panics = turns.spawn(1, async { panic!("on purpose") });
        let answers = turns.spawn(1, async { 7 });
        assert_eq!(panics.await, None::<()>);
        assert_eq!(answers.await, Some(7));
        while !turns.ready().takers.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    #[test]
    fn a_runtime_that_ends_takes_its_takers_along() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let turns = Arc::new(Turns::default());
        let first = runtime();
        first.block_on(async { turns.spawn(1, std::future::ready(())).detach() });
        assert_eq!(turns.ready().takers.len(), 1, "it was not its time yet");
        drop(first);
        assert!(turns.ready().takers.is_empty());
        let answer = runtime().block_on(async { turns.spawn(1, std::future::ready(7)).await });
        assert_eq!(answer, Some(7));
    }

    #[test]
    fn a_runtime_that_nobody_drives_keeps_no_other_waiting() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (turns, idle, busy) = (Arc::new(Turns::default()), runtime(), runtime());
        idle.block_on(async { turns.spawn(1, std::future::ready(())).detach() });
        let answer = busy.block_on(async { turns.spawn(1, std::future::ready(7)).await });
        assert_eq!(answer, Some(7));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_is_forgotten_and_takers_are_no_more_than_threads() {
        let turns = Arc::new(Turns::default());
        let tasks: Vec<_> = (0..20_000)
            .map(|number| {
                turns.spawn(number % 7, async move {
                    for _ in 0..number % 4 {
                        tokio::task::yield_now().await;
                    }
                    number
                })
            })
            .collect();
        for (number, task) in (0..).zip(tasks) {
            assert!(turns.ready().takers.values().all(|takers| *takers <= 2));
            assert_eq!(task.await, Some(number));
        }
    }
}
