//! Gathering: what comes while one batch is carried out goes together in the next.
//!
//! A durable commit costs a flush of the disk, and a call to a server costs a round trip, however little it is
//! about. So operations are not carried out one by one:
//!
//! 1. A caller puts its operation in a bounded queue and waits for the answer. A full queue answers at once that
//!    the store is overloaded: it never grows, and nobody waits in vain.
//! 2. One worker takes everything that has gathered, up to [`Bounds::batch`], and hands it to `apply`, which
//!    carries all of it out in one transaction or one round trip.
//! 3. `apply` answers each operation once it is done. Meanwhile the next batch gathers.
//!
//! An idle worker carries a lone operation out without waiting for company; under load, batches grow to what
//! arrives during one of them. What bounds throughput is the time of one operation inside a batch, plus a flush
//! or a round trip divided by the batch. What bounds waiting is the queue.
//!
//! The worker is a thread for a store that blocks ([`Gatherer::on_thread`]), and a task, or several, for one that is
//! reached over a network ([`Gatherer::on_runtime`]). It ends when the [`Gatherer`] is dropped, once it has carried out
//! what was accepted; the drop waits for a thread. Should a worker die before (a panic in an operation), whoever
//! waits, and whoever comes later, is told that the store is not available: it fails stopped, with nothing of the
//! batch acknowledged.
//!
//! A caller that goes away changes nothing: its operation is carried out, its answer dropped.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::{Mutex, mpsc, oneshot};

use super::StoreError;

/// What bounds a gatherer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Operations that may wait. The next one is refused at once.
    pub queue: usize,
    /// How much goes in one batch, as [`Operation::size`] counts it. An operation is never divided.
    pub batch: usize,
}

/// Something that is gathered.
pub trait Operation: Send + 'static {
    /// How much of a batch it takes.
    fn size(&self) -> usize {
        1
    }
}

/// Why an operation was not taken, or not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GathererError {
    /// The queue is full.
    #[error("too many operations are waiting")]
    Full,
    /// The worker has ended.
    #[error("the worker of the store has ended")]
    Ended,
}

impl From<GathererError> for StoreError {
    fn from(error: GathererError) -> Self {
        match error {
            GathererError::Full => Self::overloaded(error.to_string()),
            GathererError::Ended => Self::Unavailable(Box::new(error)),
        }
    }
}

/// A bounded queue of operations and the worker that carries them out.
pub struct Gatherer<Op> {
    /// None only while it is being dropped: the worker ends when the last sender is gone.
    queue: Option<mpsc::Sender<Op>>,
    /// Of a thread; None once it is joined.
    thread: Option<JoinHandle<()>>,
}

impl<Op: Operation> Gatherer<Op> {
    /// Starts a thread. `apply` gets what has gathered, in the order of arrival, never nothing.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn on_thread(
        name: &str,
        bounds: Bounds,
        mut apply: impl FnMut(Vec<Op>) + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, mut arrivals) = mpsc::channel(bounds.queue);
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            while let Some(first) = arrivals.blocking_recv() {
                apply(batch(first, &mut arrivals, bounds.batch));
            }
        })?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Starts so many tasks on the current runtime, each of which carries out one batch at a time: while one waits for
    /// its answer, the next takes what has gathered since. `apply` gets it in the order of arrival, never nothing.
    pub fn on_runtime<F: Future<Output = ()> + Send>(
        bounds: Bounds,
        workers: usize,
        apply: impl Fn(Vec<Op>) -> F + Clone + Send + Sync + 'static,
    ) -> Self {
        let (queue, arrivals) = mpsc::channel(bounds.queue);
        let arrivals = Arc::new(Mutex::new(arrivals));
        for _ in 0..workers {
            let (arrivals, apply) = (Arc::clone(&arrivals), apply.clone());
            tokio::spawn(async move {
                while let Some(batch) = next(&arrivals, bounds.batch).await {
                    apply(batch).await;
                }
            });
        }
        Self { queue: Some(queue), thread: None }
    }

    /// Puts an operation in the queue, without waiting.
    ///
    /// # Errors
    /// When the queue is full or the worker has ended. The operation is then not carried out.
    pub fn submit(&self, operation: Op) -> Result<(), GathererError> {
        let queue = self.queue.as_ref().ok_or(GathererError::Ended)?;
        queue.try_send(operation).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => GathererError::Full,
            mpsc::error::TrySendError::Closed(_) => GathererError::Ended,
        })
    }

    /// Puts the operation in the queue that `make` makes for this answer, and waits for it.
    ///
    /// # Errors
    /// As [`submit`](Self::submit), and what the operation fails with.
    pub async fn ask<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Op,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.submit(make(reply))?;
        answer.await.unwrap_or_else(|_| Err(GathererError::Ended.into()))
    }
}

/// The next batch, for whichever worker is first in line; None once nobody can send.
async fn next<Op: Operation>(arrivals: &Mutex<mpsc::Receiver<Op>>, most: usize) -> Option<Vec<Op>> {
    let mut arrivals = arrivals.lock().await;
    let first = arrivals.recv().await?;
    Some(batch(first, &mut arrivals, most))
}

/// The first operation and those that came with it, as far as they fit.
fn batch<Op: Operation>(first: Op, arrivals: &mut mpsc::Receiver<Op>, most: usize) -> Vec<Op> {
    let mut size = first.size();
    let mut batch = vec![first];
    while size < most
        && let Ok(next) = arrivals.try_recv()
    {
        size += next.size();
        batch.push(next);
    }
    batch
}

impl<Op> Drop for Gatherer<Op> {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing left to finish.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::channel;

    use tokio::sync::Semaphore;

    use super::*;

    const BOUNDS: Bounds = Bounds { queue: 4, batch: 3 };

    impl Operation for i32 {}

    /// Of this size.
    #[derive(Debug, PartialEq)]
    struct Sized(usize);

    impl Operation for Sized {
        fn size(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn what_gathers_for_a_thread_goes_together_and_what_the_queue_cannot_hold_is_refused_at_once() {
        let (taken, first) = channel();
        let (gate, opened) = channel::<()>();
        let batches = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&batches);
        let apply = move |batch| {
            kept.lock().unwrap().push(batch);
            taken.send(()).unwrap();
            let _ = opened.recv();
        };
        let gatherer = Gatherer::on_thread("test", BOUNDS, apply).unwrap();
        gatherer.submit(0).unwrap();
        first.recv().unwrap();
        assert!((1..=4).all(|next| gatherer.submit(next).is_ok()));
        assert_eq!(gatherer.submit(5), Err(GathererError::Full));
        drop(gate);
        drop(gatherer);
        assert_eq!(*batches.lock().unwrap(), [vec![0], vec![1, 2, 3], vec![4]]);
    }

    /// What a task is handed, where these are submitted while it is at the first.
    async fn batches(first: Sized, others: Vec<Sized>) -> Vec<Vec<usize>> {
        let (gate, batches) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (opened, kept) = (Arc::clone(&gate), Arc::clone(&batches));
        let gatherer = Gatherer::on_runtime(BOUNDS, 1, move |batch: Vec<Sized>| {
            kept.lock().unwrap().push(batch.iter().map(|one| one.0).collect::<Vec<_>>());
            let opened = Arc::clone(&opened);
            async move { opened.acquire().await.unwrap().forget() }
        });
        gatherer.submit(first).unwrap();
        tokio::task::yield_now().await;
        let all = 1 + others.len();
        assert!(others.into_iter().all(|next| gatherer.submit(next).is_ok()));
        if all == BOUNDS.queue + 1 {
            assert_eq!(gatherer.submit(Sized(1)), Err(GathererError::Full));
        }
        gate.add_permits(all);
        while batches.lock().unwrap().iter().map(Vec::len).sum::<usize>() < all {
            tokio::task::yield_now().await;
        }
        batches.lock().unwrap().clone()
    }

    #[tokio::test]
    async fn what_gathers_for_a_task_goes_together_and_what_the_queue_cannot_hold_is_refused_at_once() {
        let ones = |count: usize| (0..count).map(|_| Sized(1)).collect::<Vec<_>>();
        assert_eq!(batches(Sized(1), ones(4)).await, [vec![1], vec![1, 1, 1], vec![1]]);
    }

    #[tokio::test]
    async fn a_batch_is_full_by_what_its_operations_take_and_none_is_divided() {
        let waiting = vec![Sized(2), Sized(5), Sized(9), Sized(1)];
        assert_eq!(batches(Sized(7), waiting).await, [vec![7], vec![2, 5], vec![9], vec![1]]);
    }

    #[tokio::test]
    async fn while_one_worker_waits_another_takes_what_has_gathered() {
        let (gate, batches) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (opened, kept) = (Arc::clone(&gate), Arc::clone(&batches));
        let gatherer = Gatherer::on_runtime(BOUNDS, 2, move |batch: Vec<i32>| {
            kept.lock().unwrap().push(batch);
            let opened = Arc::clone(&opened);
            async move { opened.acquire().await.unwrap().forget() }
        });
        let taken = async |count: usize| {
            while batches.lock().unwrap().len() < count {
                tokio::task::yield_now().await;
            }
        };
        for number in 0..2 {
            gatherer.submit(number).unwrap();
            taken(number as usize + 1).await;
        }
        assert!((2..=5).all(|next| gatherer.submit(next).is_ok()), "both are busy");
        tokio::task::yield_now().await;
        assert_eq!(*batches.lock().unwrap(), [vec![0], vec![1]]);
        gate.add_permits(1);
        taken(3).await;
        assert_eq!(*batches.lock().unwrap(), [vec![0], vec![1], vec![2, 3, 4]]);
    }
}
