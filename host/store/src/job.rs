//! Jobs: operations on a session of a store that blocks, gathered for one thread.
//!
//! Each job of a batch runs on the session in turn, and keeps its answer until the batch is durable.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::StoreError;
use super::gatherer::{Gatherer, Operation};

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

impl<S: 'static> Operation for Job<S> {}

impl<S: 'static> Gatherer<Job<S>> {
    /// Carries an operation out and waits until it is durable.
    ///
    /// # Errors
    /// What the operation fails with; `Overloaded` when it was not taken; what its batch was lost
    /// with, such as `Unavailable` when the effect is unknown.
    pub async fn run<T: Send + 'static>(
        &self,
        operation: impl Fn(&S) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.ask(|reply| Job(Box::new(Task { operation, result: None, reply }))).await
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
    use crate::gatherer::Bounds;

    const BOUNDS: Bounds = Bounds { queue: 4, batch: 3 };

    #[tokio::test]
    async fn a_caller_that_goes_away_changes_nothing() {
        let (done, seen) = channel();
        let apply = |jobs: Vec<Job<()>>| {
            for mut job in jobs {
                assert!(job.run(&()));
                job.answer(&Ok(()));
            }
        };
        let gatherer = Gatherer::on_thread("test", BOUNDS, apply).unwrap();
        let mut leaver = Box::pin(gatherer.run(move |()| {
            done.send(()).unwrap();
            Ok(())
        }));
        assert!(futures::poll!(&mut leaver).is_pending() || seen.try_recv().is_ok());
        drop(leaver);
        assert_eq!(gatherer.run(|()| Ok(7)).await.unwrap(), 7);
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
        let gatherer = Gatherer::on_thread("test", BOUNDS, apply).unwrap();
        let done = Arc::new(Mutex::new(Vec::new()));
        let run = |number: u8| {
            let done = Arc::clone(&done);
            gatherer.run(move |()| {
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
        let gatherer = Gatherer::on_thread("test", BOUNDS, apply).unwrap();
        let error = gatherer.run(|()| Ok(())).await.unwrap_err();
        assert_eq!(
            error.writes_refused().map(|refused| refused.reason()),
            Some("the disk is full"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_thread_that_dies_is_unavailable() {
        let gatherer = Gatherer::on_thread("test", BOUNDS, |jobs: Vec<Job<()>>| drop(jobs)).unwrap();
        let answer = gatherer.run(|()| Ok(())).await;
        assert_eq!(answer.unwrap_err().code(), "unavailable");
    }
}
