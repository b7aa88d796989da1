//! Group commit: one transaction for everything that has gathered.
//!
//! A durable commit costs a flush of the disk (or a round trip), however little it writes. So
//! writes do not commit one by one:
//!
//! 1. A caller puts its operation in a bounded queue and waits for the answer. A full queue
//!    answers at once that the store is overloaded: it never grows, and nobody waits in vain.
//! 2. One thread takes everything that has gathered, at most [`Limits::batch`], and hands it to
//!    `apply`, which runs all of it in one transaction. One flush for the batch.
//! 3. Only after the commit does `apply` answer, all at once. Meanwhile the next batch gathers.
//!
//! An idle committer commits a lone operation without waiting for company; under load, batches
//! grow to what arrives during one commit. What bounds throughput is the time of one operation
//! inside the transaction, plus a flush divided by the batch. What bounds waiting is the queue.
//!
//! A caller that goes away changes nothing: its operation is carried out, its answer dropped.
//!
//! The thread ends when the [`Committer`] is dropped, once it has carried out what was accepted;
//! the drop waits for that. Should the thread die before (a panic in an operation), whoever
//! waits, and whoever comes later, is told that the store is not available: it fails stopped,
//! with nothing of the batch acknowledged.
//!
//! An operation may be anything that is `Send`: plain data that `apply` turns into one statement
//! for the whole batch, or a [`Job`], a closure that runs on a session of the store.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::StoreError;

/// What bounds a committer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Operations that may wait. The next one is refused at once.
    pub queue: usize,
    /// Operations of one transaction.
    pub batch: usize,
}

/// Why an operation was not taken, or not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitterError {
    /// The queue is full.
    #[error("too many operations are waiting")]
    Full,
    /// The thread has ended.
    #[error("the thread of the store has ended")]
    Ended,
}

impl From<CommitterError> for StoreError {
    fn from(error: CommitterError) -> Self {
        match error {
            CommitterError::Full => Self::overloaded(error.to_string()),
            CommitterError::Ended => Self::Unavailable(Box::new(error)),
        }
    }
}

/// A queue of operations and the thread that carries them out.
pub struct Committer<Op> {
    /// None only while it is being dropped: the thread ends when the last sender is gone.
    queue: Option<SyncSender<Op>>,
    /// None only while it is being dropped, since a join takes the handle.
    thread: Option<JoinHandle<()>>,
}

impl<Op: Send + 'static> Committer<Op> {
    /// Starts the thread. `apply` gets what has gathered, in the order of arrival, never
    /// nothing; it answers each operation once it is durable.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        name: &str,
        limits: Limits,
        mut apply: impl FnMut(Vec<Op>) + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, arrivals) = sync_channel(limits.queue);
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            while let Some(batch) = gather(&arrivals, limits.batch) {
                apply(batch);
            }
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Puts an operation in the queue, without waiting.
    ///
    /// # Errors
    /// When the queue is full or the thread has ended. The operation is then not carried out.
    pub fn submit(&self, operation: Op) -> Result<(), CommitterError> {
        let queue = self.queue.as_ref().ok_or(CommitterError::Ended)?;
        queue.try_send(operation).map_err(|refused| match refused {
            TrySendError::Full(_) => CommitterError::Full,
            TrySendError::Disconnected(_) => CommitterError::Ended,
        })
    }
}

/// Waits for the first operation and takes those that came with it; None once nobody can send.
fn gather<Op>(arrivals: &Receiver<Op>, most: usize) -> Option<Vec<Op>> {
    let mut batch = vec![arrivals.recv().ok()?];
    batch.extend(arrivals.try_iter().take(most.saturating_sub(1)));
    Some(batch)
}

impl<Op> Drop for Committer<Op> {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to finish.
            let _ = thread.join();
        }
    }
}

/// How a batch ended: for good, or with an error that is every operation's.
pub type Outcome = Result<(), Arc<StoreError>>;

/// An operation on a session `S` of a store, and the caller who waits for its answer.
pub struct Job<S>(Box<dyn Work<S>>);

impl<S> Job<S> {
    /// Carries the operation out and keeps its answer. False where it failed: what it wrote is
    /// then to be undone, and the others of the batch go on. May be called again, for a batch
    /// that is undone and tried anew; the last answer counts.
    #[must_use]
    pub fn run(&mut self, session: &S) -> bool {
        self.0.run(session)
    }

    /// Why the operation failed when it was run last; None where it did not.
    #[must_use]
    pub fn failure(&self) -> Option<StoreError> {
        self.0.failure()
    }

    /// Answers the caller: what [`Job::run`] kept, or that the batch as a whole was lost.
    pub fn answer(self, outcome: &Outcome) {
        self.0.answer(outcome);
    }
}

impl<S: 'static> Committer<Job<S>> {
    /// Carries an operation out and waits until it is durable.
    ///
    /// # Errors
    /// What the operation fails with; `Overloaded` when it was not taken; what its batch was lost
    /// with, such as `Unavailable` when the effect is unknown.
    pub async fn run<T: Send + 'static>(
        &self,
        operation: impl Fn(&S) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job(Box::new(Task { operation, result: None, reply })))?;
        answer.await.unwrap_or_else(|_| Err(CommitterError::Ended.into()))
    }
}

trait Work<S>: Send {
    fn run(&mut self, session: &S) -> bool;
    fn failure(&self) -> Option<StoreError>;
    fn answer(self: Box<Self>, outcome: &Outcome);
}

struct Task<F, T> {
    operation: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<S, T: Send, F: Fn(&S) -> Result<T, StoreError> + Send> Work<S> for Task<F, T> {
    fn run(&mut self, session: &S) -> bool {
        let result = (self.operation)(session);
        let kept = result.is_ok();
        self.result = Some(result);
        kept
    }

    fn failure(&self) -> Option<StoreError> {
        self.result.as_ref()?.as_ref().err().map(StoreError::again)
    }

    fn answer(self: Box<Self>, outcome: &Outcome) {
        let result = match outcome {
            Ok(()) => self.result,
            Err(lost) => Some(Err(lost.again())),
        };
        if let Some(result) = result {
            // A caller that went away wants no answer.
            let _ = self.reply.send(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use super::*;

    const LIMITS: Limits = Limits { queue: 4, batch: 3 };

    #[test]
    fn what_gathers_goes_together_and_what_the_queue_cannot_hold_is_refused_at_once() {
        let (taken, first) = channel();
        let (gate, opened) = channel::<()>();
        let batches = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&batches);
        let apply = move |batch| {
            kept.lock().unwrap().push(batch);
            taken.send(()).unwrap();
            let _ = opened.recv();
        };
        let committer = Committer::start("test", LIMITS, apply).unwrap();
        committer.submit(0).unwrap();
        first.recv().unwrap();
        assert!((1..=4).all(|next| committer.submit(next).is_ok()));
        assert_eq!(committer.submit(5), Err(CommitterError::Full));
        drop(gate);
        drop(committer);
        assert_eq!(*batches.lock().unwrap(), [vec![0], vec![1, 2, 3], vec![4]]);
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_changes_nothing() {
        let (done, seen) = channel();
        let apply = |jobs: Vec<Job<()>>| {
            for mut job in jobs {
                assert!(job.run(&()));
                job.answer(&Ok(()));
            }
        };
        let committer = Committer::start("test", LIMITS, apply).unwrap();
        let mut leaver = Box::pin(committer.run(move |()| {
            done.send(()).unwrap();
            Ok(())
        }));
        assert!(futures::poll!(&mut leaver).is_pending() || seen.try_recv().is_ok());
        drop(leaver);
        assert_eq!(committer.run(|()| Ok(7)).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_full_queue_is_overloaded_and_nothing_of_what_it_refused_is_carried_out() {
        let (taken, first) = channel();
        let (gate, opened) = channel::<()>();
        let apply = move |jobs: Vec<Job<()>>| {
            taken.send(()).unwrap();
            let _ = opened.recv();
            for mut job in jobs {
                assert!(job.run(&()));
                job.answer(&Ok(()));
            }
        };
        let committer = Committer::start("test", LIMITS, apply).unwrap();
        let done = Arc::new(Mutex::new(Vec::new()));
        let run = |number: u8| {
            let done = Arc::clone(&done);
            committer.run(move |()| {
                done.lock().unwrap().push(number);
                Ok(number)
            })
        };
        let mut waiting: Vec<_> = (0..5).map(|number| Box::pin(run(number))).collect();
        assert!(futures::poll!(&mut waiting[0]).is_pending());
        first.recv().unwrap();
        for future in &mut waiting[1..] {
            assert!(futures::poll!(future).is_pending());
        }
        let refused = run(9).await.unwrap_err();
        assert_eq!((refused.code(), refused.to_string().contains("waiting")), ("busy", true), "{refused}");
        drop(gate);
        for (number, future) in (0..).zip(waiting) {
            assert_eq!(future.await.unwrap(), number);
        }
        assert_eq!(*done.lock().unwrap(), [0, 1, 2, 3, 4]);
    }

    #[tokio::test]
    async fn a_batch_that_is_lost_is_lost_with_the_same_error_for_all() {
        let lost = Arc::new(StoreError::from(crate::WritesRefused::new("the disk is full")));
        let apply =
            move |jobs: Vec<Job<()>>| jobs.into_iter().for_each(|job| job.answer(&Err(Arc::clone(&lost))));
        let committer = Committer::start("test", LIMITS, apply).unwrap();
        let error = committer.run(|()| Ok(())).await.unwrap_err();
        assert_eq!(
            error.writes_refused().map(|refused| refused.reason()),
            Some("the disk is full"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_thread_that_dies_is_unavailable() {
        let committer = Committer::start("test", LIMITS, |jobs: Vec<Job<()>>| drop(jobs)).unwrap();
        let answer = committer.run(|()| Ok(())).await;
        assert_eq!(answer.unwrap_err().code(), "unavailable");
    }
}
