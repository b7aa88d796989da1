//! Store access of a call, within the call's deadline.
//!
//! One deadline is passed down, and each wait is shorter than the one around it:
//!
//! ```text
//! the HTTP request                                  request_ms, 30 s
//!   the call of the plugin                          call_ms, 5 s
//!     all its questions to stores together          call_ms less a reserve for the plugin to answer
//!       one question to the cache                   half of what is left
//!         a connection, a lock, a statement         the store's own limits
//! ```
//!
//! So a store that hangs costs the plugin an `unavailable`, which it can still tell its callers, and
//! not its instance. A question to the cache has half of what is left, so that a cache that hangs
//! leaves the ledger its time. A question that is given up half way may take effect: `unavailable`.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use super::context::TenantContext;
use hongbao_store::{Health, StoreError};

/// When a call must have its answer, and until when its plugin may ask stores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    call: Instant,
    stores: Instant,
}

impl Deadline {
    /// Most of the time that is kept for the plugin to answer when the stores did not.
    pub(crate) const RESERVE: Duration = Duration::from_millis(500);

    /// Of a call that begins now and may take so long.
    pub(crate) fn after(limit: Duration) -> Self {
        let now = Instant::now();
        let reserve = Self::RESERVE.min(limit / 5);
        Self { call: now + limit, stores: now + limit.saturating_sub(reserve) }
    }

    /// When the call must have its answer.
    pub(crate) const fn of_call(self) -> Instant {
        self.call
    }

    /// How long the call may go on.
    pub(crate) fn left(self) -> Duration {
        self.call.saturating_duration_since(Instant::now())
    }

    /// How long stores may be asked.
    pub(crate) fn left_for_stores(self) -> Duration {
        self.stores.saturating_duration_since(Instant::now())
    }
}

/// The stores, as one call asks them.
#[derive(Clone, Copy)]
pub(super) struct Stores<'c> {
    pub(super) context: &'c TenantContext,
    deadline: Deadline,
}

impl<'c> Stores<'c> {
    pub(super) const fn new(context: &'c TenantContext, deadline: Deadline) -> Self {
        Self { context, deadline }
    }

    pub(super) async fn ledger<T>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = ask(self.deadline.left_for_stores(), asking).await;
        self.context.health.ledger.note(&answer);
        answer
    }

    /// The same about a list of so many elements.
    pub(super) async fn ledger_all<T>(
        &self,
        elements: usize,
        asking: impl Future<Output = Vec<Result<T, StoreError>>>,
    ) -> Vec<Result<T, StoreError>> {
        let answers = ask(self.deadline.left_for_stores(), async { Ok(asking.await) }).await;
        noted(&self.context.health.ledger, answers, elements)
    }

    pub(super) async fn counter_all<T>(
        &self,
        elements: usize,
        asking: impl Future<Output = Vec<Result<T, StoreError>>>,
    ) -> Vec<Result<T, StoreError>> {
        let answers = ask(self.deadline.left_for_stores() / 2, async { Ok(asking.await) }).await;
        noted(&self.context.health.counter, answers, elements)
    }

    pub(super) async fn counter<T>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let answer = ask(self.deadline.left_for_stores() / 2, asking).await;
        self.context.health.counter.note(&answer);
        answer
    }
}

/// The answers about each element, of which the store's health is told.
fn noted<T>(
    health: &Health,
    answers: Result<Vec<Result<T, StoreError>>, StoreError>,
    elements: usize,
) -> Vec<Result<T, StoreError>> {
    let answers = StoreError::to_each(answers, elements);
    debug_assert_eq!(answers.len(), elements, "a store answers about each element");
    answers.iter().for_each(|answer| health.note(answer));
    answers
}

/// Past the end a store is not asked at all: a future that was never polled did nothing.
async fn ask<T>(
    left: Duration,
    asking: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    if left.is_zero() {
        return Err(StoreError::Unavailable("the call has no time left to ask".into()));
    }
    let mut asking = pin!(asking);
    // A store that answers at once needs no timer.
    if let Poll::Ready(answer) = poll_once(asking.as_mut()).await {
        return answer;
    }
    let answer = tokio::time::timeout(left, asking).await;
    answer.unwrap_or_else(|_| {
        let why = format!("no answer within {} ms, which is what the call had left", left.as_millis());
        Err(StoreError::Unavailable(why.into()))
    })
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stores_that_hang_leave_the_plugin_its_reserve() {
        let (deadline, begun) = (Deadline::after(Duration::from_millis(500)), Instant::now());
        let hangs = std::future::pending::<Result<(), StoreError>>;
        let counter = ask(deadline.left_for_stores() / 2, hangs()).await.unwrap_err();
        let after_counter = begun.elapsed();
        let ledger = ask(deadline.left_for_stores(), hangs()).await.unwrap_err();
        assert_eq!([counter.code(), ledger.code()], ["unavailable"; 2]);
        let all = begun.elapsed();
        assert!((190..350).contains(&after_counter.as_millis()), "half of 400 ms: {after_counter:?}");
        assert!((390..495).contains(&all.as_millis()), "{all:?}");
        // What comes after that is not even asked.
        let was_asked = std::cell::Cell::new(false);
        let late = ask::<()>(deadline.left_for_stores(), async {
            was_asked.set(true);
            Ok(())
        });
        assert_eq!(late.await.unwrap_err().code(), "unavailable");
        assert!(!was_asked.get());
    }

    #[test]
    fn the_waits_of_the_stores_fit_into_a_call() {
        use hongbao_domain::Limits;
        use hongbao_store::patience;
        let call = Duration::from_millis(Limits::default().call_ms);
        assert!(patience::ANSWER < call - Deadline::RESERVE);
        assert!(patience::STATEMENT < patience::ANSWER && patience::LOCK < patience::STATEMENT);
        assert!(patience::CONNECTION < patience::ANSWER);
    }
}
