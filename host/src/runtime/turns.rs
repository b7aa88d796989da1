//! Turns: tenants take the machine's time one after the other.
//!
//! Every call of a plugin is a task that is polled only when it is its tenant's turn: a tenant with a
//! thousand calls that could go on gets as many turns as one with a single call. Whenever a call
//! could go on, it queues with its tenant's others and asks the async runtime for one turn; what
//! that turn polls is decided when it comes.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_task::{FallibleTask, Runnable};
use tokio::runtime::Handle;

/// Who takes turns with whom: a number for each tenant.
pub(super) type Line = u64;

/// The tasks of a host that could go on.
#[derive(Default)]
pub(super) struct Turns {
    ready: Mutex<Ready>,
    /// Whether the last turn took long.
    was_long: AtomicBool,
}

#[derive(Default)]
struct Ready {
    lines: HashMap<Line, VecDeque<Runnable>>,
    /// Lines with tasks in them, the next first.
    order: VecDeque<Line>,
}

impl Turns {
    /// Starts a task. Dropping what is given back cancels it.
    pub(super) fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        line: Line,
        future: impl Future<Output = T> + Send + 'static,
    ) -> FallibleTask<T> {
        let (turns, handle) = (Arc::clone(self), Handle::current());
        let schedule = move |runnable| {
            turns.ready().push(line, runnable);
            let turns = Arc::clone(&turns);
            // Wakers are called from anywhere, also from threads that know of no runtime.
            handle.spawn(async move { turns.take().await });
        };
        let (runnable, task) = async_task::spawn(future, schedule);
        runnable.schedule();
        task.fallible()
    }

    /// One turn. The runtime looks at timers and sockets after some dozens of tasks, or when there is
    /// nothing else to do; dozens of long turns would let everybody's stores wait for too long.
    async fn take(&self) {
        const LONG: Duration = Duration::from_micros(250);
        if self.was_long.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        let next = self.ready().pop();
        let begun = Instant::now();
        next.map(Runnable::run);
        self.was_long.store(begun.elapsed() >= LONG, Ordering::Relaxed);
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
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
    }
}
