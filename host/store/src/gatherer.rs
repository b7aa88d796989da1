//! Gathering: one round trip for everything that came while the last one was under way.
//!
//! What the [`committer`](super::committer) is for a store that blocks a thread, this is for one
//! that is reached over a network: a task instead of a thread, an asynchronous `apply`, and the
//! same bounds. A lone operation goes at once; under load, batches grow to what arrives during
//! one round trip. The task ends, once it has carried out what was accepted, when the
//! [`Gatherer`] is dropped.

use tokio::sync::mpsc;

use super::committer::{CommitterError, Limits};

/// A bounded queue of operations and the task that carries them out.
pub struct Gatherer<Op> {
    queue: mpsc::Sender<Op>,
}

impl<Op: Send + 'static> Gatherer<Op> {
    /// Starts the task on the current runtime. `apply` gets what has gathered, in the order of
    /// arrival, never nothing, and answers each operation. It is not called again before it is
    /// done.
    pub fn start<F: Future<Output = ()> + Send>(
        limits: Limits,
        mut apply: impl FnMut(Vec<Op>) -> F + Send + 'static,
    ) -> Self {
        let (queue, mut arrivals) = mpsc::channel(limits.queue);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while arrivals.recv_many(&mut batch, limits.batch).await > 0 {
                apply(std::mem::take(&mut batch)).await;
            }
        });
        Self { queue }
    }

    /// Puts an operation in the queue, without waiting.
    ///
    /// # Errors
    /// When the queue is full or the task has ended. The operation is then not carried out.
    pub fn submit(&self, operation: Op) -> Result<(), CommitterError> {
        self.queue.try_send(operation).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => CommitterError::Full,
            mpsc::error::TrySendError::Closed(_) => CommitterError::Ended,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn what_gathers_goes_together_and_what_the_queue_cannot_hold_is_refused_at_once() {
        let (gate, batches) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(Vec::new())));
        let (opened, kept) = (Arc::clone(&gate), Arc::clone(&batches));
        let gatherer = Gatherer::start(Limits { queue: 4, batch: 3 }, move |batch| {
            kept.lock().unwrap().push(batch);
            let opened = Arc::clone(&opened);
            async move { opened.acquire().await.unwrap().forget() }
        });
        gatherer.submit(0).unwrap();
        tokio::task::yield_now().await;
        assert!((1..=4).all(|next| gatherer.submit(next).is_ok()));
        assert_eq!(gatherer.submit(5), Err(CommitterError::Full));
        gate.add_permits(3);
        while batches.lock().unwrap().len() < 3 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*batches.lock().unwrap(), [vec![0], vec![1, 2, 3], vec![4]]);
    }
}
