//! The compiler's queue: limited concurrency, and fair to the tenant that has used least.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::plugin::PluginError;
use hongbao_domain::TenantId;

/// Plugins of one tenant that may wait. Each is held in memory meanwhile.
const MOST_OF_ONE: usize = 2;
/// Plugins of all tenants that may wait.
const MOST: usize = 8;
/// What a tenant took is forgotten at a tenth of the speed at which it was taken.
const FORGETTING: u32 = 10;

/// Whose a plugin is; None for whoever embeds the host.
type Whose = Option<TenantId>;

/// The queue. Cheap to clone; clones are the same queue.
#[derive(Clone)]
pub(super) struct Queue(Arc<Mutex<State>>);

struct State {
    free: usize,
    running: usize,
    /// In the order in which they came.
    waiting: Vec<Waiting>,
    /// How long places were held, and when that was last written down.
    taken: HashMap<Whose, (Duration, Instant)>,
}

struct Waiting {
    whose: Whose,
    called: oneshot::Sender<Place>,
}

/// A place, until it is dropped.
pub(super) struct Place {
    queue: Queue,
    whose: Whose,
    since: Instant,
}

impl Queue {
    pub(super) fn new(places: usize) -> Self {
        let (waiting, taken) = (Vec::new(), HashMap::new());
        Self(Arc::new(Mutex::new(State { free: places.max(1), running: 0, waiting, taken })))
    }

    /// Waits for a place, so long at most. A caller who goes away leaves the queue.
    pub(super) async fn enter(&self, whose: Whose, wait: Option<Duration>) -> Result<Place, PluginError> {
        let called = match self.join(whose)? {
            Joined::Has(place) => return Ok(place),
            Joined::Waits(called) => called,
        };
        let place = match wait {
            Some(wait) => timeout(wait, called).await.map_err(|_| PluginError::Busy)?,
            None => called.await,
        };
        place.map_err(|_| PluginError::Busy)
    }

    /// Plugins that are compiled now, and those that wait.
    pub(super) fn count(&self) -> (usize, usize) {
        let state = self.state();
        (state.running, state.waiting.iter().filter(|waiting| !waiting.called.is_closed()).count())
    }

    fn join(&self, whose: Whose) -> Result<Joined, PluginError> {
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.called.is_closed());
        if state.free > 0 {
            state.free -= 1;
            state.running += 1;
            return Ok(Joined::Has(self.place(whose)));
        }
        let own = state.waiting.iter().filter(|waiting| waiting.whose == whose).count();
        if own >= MOST_OF_ONE || state.waiting.len() >= MOST {
            return Err(PluginError::Busy);
        }
        let (called, waits) = oneshot::channel();
        state.waiting.push(Waiting { whose, called });
        Ok(Joined::Waits(waits))
    }

    fn place(&self, whose: Whose) -> Place {
        Place { queue: self.clone(), whose, since: Instant::now() }
    }

    /// Gives a place that is free to whoever is next.
    fn hand_over(&self) {
        let mut state = self.state();
        let Some(next) = state.next() else {
            state.free += 1;
            state.running -= 1;
            return;
        };
        // Not under the lock: where nobody is there any more the place is dropped, and so handed on.
        drop(state);
        let _ = next.called.send(self.place(next.whose));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Joined {
    Has(Place),
    Waits(oneshot::Receiver<Place>),
}

impl State {
    /// Who waits and has taken least of late; the first of equals.
    fn next(&mut self) -> Option<Waiting> {
        self.waiting.retain(|waiting| !waiting.called.is_closed());
        let taken = |waiting: &Waiting| self.taken.get(&waiting.whose).map(left).unwrap_or_default();
        let (at, _) = self.waiting.iter().enumerate().min_by_key(|(_, waiting)| taken(waiting))?;
        Some(self.waiting.remove(at))
    }

    fn take_down(&mut self, whose: Whose, held: Duration) {
        self.taken.retain(|_, taken| !left(taken).is_zero());
        let before = self.taken.get(&whose).map(left).unwrap_or_default();
        self.taken.insert(whose, (before + held, Instant::now()));
    }
}

/// What is not forgotten yet of what somebody took.
fn left((taken, at): &(Duration, Instant)) -> Duration {
    taken.saturating_sub(at.elapsed() / FORGETTING)
}

impl Place {
    /// Since when it is held.
    pub(super) const fn since(&self) -> Instant {
        self.since
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.queue.state().take_down(self.whose.take(), self.since.elapsed());
        self.queue.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(name: &str) -> Whose {
        Some(TenantId::new(name).unwrap())
    }

    /// Lets tasks go on until they wait.
    async fn settle() {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_has_taken_least_is_next_and_places_are_never_more() {
        let queue = Queue::new(1);
        let first = queue.enter(whose("greedy"), None).await.unwrap_or_else(|_| panic!("it is free"));
        let (told, order) = (Arc::new(Mutex::new(Vec::new())), ["greedy", "greedy", "modest"]);
        let tasks: Vec<_> = order
            .map(|name| {
                let (queue, told) = (queue.clone(), Arc::clone(&told));
                tokio::spawn(async move {
                    let place = queue.enter(whose(name), None).await;
                    assert_eq!(queue.count().0, 1);
                    told.lock().unwrap().push(name);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    drop(place);
                })
            })
            .into();
        settle().await;
        assert_eq!(queue.count(), (1, 3));
        tokio::time::sleep(Duration::from_millis(5)).await;
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*told.lock().unwrap(), ["modest", "greedy", "greedy"]);
        assert_eq!(queue.count(), (0, 0));
    }

    #[tokio::test]
    async fn who_waits_too_long_or_in_too_great_a_number_is_told_busy() {
        let queue = Queue::new(1);
        let held = queue.enter(None, None).await;
        let refused = queue.enter(whose("a"), Some(Duration::from_millis(1))).await;
        assert!(matches!(refused, Err(PluginError::Busy)));
        assert_eq!(queue.count(), (1, 0));
        let waiting: Vec<_> = (0..MOST)
            .map(|number| {
                let queue = queue.clone();
                tokio::spawn(
                    async move { queue.enter(whose(&format!("t{}", number / 2)), None).await.is_ok() },
                )
            })
            .collect();
        settle().await;
        assert!(matches!(queue.enter(whose("t0"), None).await, Err(PluginError::Busy)));
        assert!(matches!(queue.enter(whose("another"), None).await, Err(PluginError::Busy)));
        drop(held);
        for task in waiting {
            assert!(task.await.unwrap());
        }
        assert_eq!(queue.count(), (0, 0));
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_leaves_no_place_behind() {
        let queue = Queue::new(1);
        let held = queue.enter(None, None).await;
        let gone = tokio::spawn({
            let queue = queue.clone();
            async move { queue.enter(whose("gone"), None).await.is_ok() }
        });
        settle().await;
        gone.abort();
        let _ = gone.await;
        drop(held);
        assert!(queue.enter(whose("next"), Some(Duration::from_millis(1))).await.is_ok());
    }
}
