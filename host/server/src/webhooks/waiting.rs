//! `Waiting`: the failures of an endpoint that are sent again, and what is not written down of them yet.

use std::collections::{BTreeMap, BTreeSet};

use super::schedule::Schedule;
use hongbao_store::WebhookFailure;

/// With so many failures waiting an endpoint is taken to fail altogether: only they are sent until one of them is taken.
pub(super) const FAILING: usize = 8;

/// Failures that wait. Each is in memory as it is in the registry, or as it will be.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    failures: BTreeMap<String, WebhookFailure>,
    under_way: BTreeSet<String>,
    /// Sent once before their time, since the endpoint seems to be back. If that fails nothing is counted.
    early: BTreeSet<String>,
    /// Not written down yet.
    failed: BTreeMap<String, WebhookFailure>,
    settled: BTreeSet<String>,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.failures.len()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failures.len() >= FAILING
    }

    /// What the registry has, but for what is not written down yet.
    pub(super) fn load(&mut self, kept: Vec<WebhookFailure>) {
        let kept = kept.into_iter().map(|failure| (failure.event.clone(), failure));
        self.failures = kept.filter(|(event, _)| !self.settled.contains(event)).collect();
        for (event, failure) in &self.failed {
            match failure.next_at_ms {
                Some(_) => _ = self.failures.insert(event.clone(), failure.clone()),
                None => _ = self.failures.remove(event),
            }
        }
        self.hurry();
    }

    /// Lets all be sent once before their time.
    pub(super) fn hurry(&mut self) {
        self.early = self.failures.keys().cloned().collect();
    }

    /// One that is due, which is under way from now on.
    pub(super) fn start(&mut self, now_ms: u64) -> Option<WebhookFailure> {
        let is_due = |failure: &WebhookFailure| {
            let is_early = self.early.contains(&failure.event);
            is_early || failure.next_at_ms.is_some_and(|next_at_ms| next_at_ms <= now_ms)
        };
        let due = self.failures.values().filter(|failure| !self.under_way.contains(&failure.event));
        let due = due.filter(|failure| is_due(failure)).min_by_key(|failure| failure.next_at_ms)?.clone();
        self.under_way.insert(due.event.clone());
        Some(due)
    }

    /// When the oldest of them happened.
    pub(super) fn oldest_ms(&self) -> Option<u64> {
        self.failures.values().map(|failure| failure.happened_at_ms).min()
    }

    /// An event was taken; whether it had failed before.
    pub(super) fn settle(&mut self, event: &str) -> bool {
        let was_failing = self.is_failing();
        self.under_way.remove(event);
        self.early.remove(event);
        let is_known = self.failures.remove(event).is_some();
        if is_known {
            self.failed.remove(event);
            self.settled.insert(event.to_owned());
        }
        if is_known && was_failing {
            self.hurry();
        }
        is_known
    }

    /// An event was taken that may be a dead letter.
    pub(super) fn settle_dead(&mut self, event: &str) {
        if !self.settle(event) {
            self.settled.insert(event.to_owned());
        }
    }

    /// An event was not taken. `first` is what is kept where it had not failed before. Gives whether it is a dead letter
    /// now.
    pub(super) fn fail(
        &mut self,
        first: WebhookFailure,
        schedule: &Schedule,
        pause_ms: Option<u64>,
        now_ms: u64,
    ) -> bool {
        let event = first.event.clone();
        self.under_way.remove(&event);
        if self.early.remove(&event)
            && self.failures.get(&event).and_then(|failure| failure.next_at_ms).is_some_and(|at| at > now_ms)
        {
            return false;
        }
        let attempts = self.failures.get(&event).map_or(0, |failure| failure.attempts) + 1;
        let next = schedule.next(&event, attempts, now_ms);
        let next_at_ms = next.map(|next| next.max(now_ms.saturating_add(pause_ms.unwrap_or_default())));
        let failure = WebhookFailure { attempts, next_at_ms, ..first };
        match next_at_ms {
            Some(_) => _ = self.failures.insert(event.clone(), failure.clone()),
            None => _ = self.failures.remove(&event),
        }
        self.settled.remove(&event);
        self.failed.insert(event, failure);
        next_at_ms.is_none()
    }

    /// It was not sent after all.
    pub(super) fn put_back(&mut self, event: &str) {
        self.under_way.remove(event);
    }

    /// What is to be written down.
    pub(super) fn unsaved(&self) -> (Vec<WebhookFailure>, Vec<String>) {
        (self.failed.values().cloned().collect(), self.settled.iter().cloned().collect())
    }

    pub(super) fn is_saved(&self) -> bool {
        self.failed.is_empty() && self.settled.is_empty()
    }

    /// All of it was written down.
    pub(super) fn saved(&mut self) {
        self.failed.clear();
        self.settled.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(event: &str, next_at_ms: u64) -> WebhookFailure {
        WebhookFailure {
            event: event.into(),
            after: None,
            kind: "packet.sent".into(),
            happened_at_ms: 1,
            attempts: 3,
            next_at_ms: Some(next_at_ms),
            last_error: "no".into(),
        }
    }

    impl Waiting {
        /// When the next is due; None where none is.
        pub(super) fn next_at_ms(&self) -> Option<u64> {
            let idle = self.failures.values().filter(|failure| !self.under_way.contains(&failure.event));
            idle.filter_map(|failure| failure.next_at_ms).min()
        }
    }

    /// Without the hurry of a start.
    fn waiting(events: &[&str]) -> Waiting {
        let mut waiting = Waiting::default();
        waiting.load(events.iter().map(|event| failure(event, 1000)).collect());
        waiting.early.clear();
        waiting
    }

    fn schedule() -> Schedule {
        Schedule(vec![100, 200])
    }

    #[test]
    fn an_event_is_sent_when_it_is_due_and_not_twice_at_once() {
        let mut waiting = waiting(&["a", "b"]);
        assert_eq!((waiting.start(999), waiting.next_at_ms()), (None, Some(1000)));
        let first = waiting.start(1000).unwrap();
        assert_eq!(waiting.start(1000).unwrap().event, "b");
        assert_eq!((waiting.start(5000), waiting.next_at_ms()), (None, None));
        waiting.put_back(&first.event);
        assert_eq!(waiting.start(1000), Some(first));
    }

    #[test]
    fn an_event_fails_as_often_as_the_schedule_says_and_is_dead_then() {
        let mut waiting = Waiting::default();
        assert!(!waiting.fail(failure("a", 0), &schedule(), None, 1000));
        let next = waiting.next_at_ms().unwrap();
        assert!((1100..1120).contains(&next));
        assert!(!waiting.fail(failure("a", 0), &schedule(), Some(5000), next));
        assert_eq!(waiting.next_at_ms(), Some(next + 5000), "the receiver asked for more");
        assert!(waiting.fail(failure("a", 0), &schedule(), None, next + 5000));
        let (failed, settled) = waiting.unsaved();
        assert_eq!((failed.len(), failed[0].attempts, failed[0].next_at_ms), (1, 3, None));
        assert_eq!((waiting.len(), settled.len()), (0, 0));
        waiting.load(vec![failure("a", 9)]);
        assert_eq!(waiting.len(), 0, "it is dead, whatever is written down still");
        waiting.saved();
        assert!(waiting.is_saved());
    }

    #[test]
    fn an_endpoint_that_is_back_is_told_the_rest_at_once_and_nothing_is_counted_if_it_is_not() {
        let mut waiting = waiting(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        assert!(waiting.is_failing() && waiting.start(1).is_none());
        assert!(waiting.settle("c") && !waiting.is_failing());
        let early = waiting.start(1).unwrap();
        assert!(!waiting.fail(early.clone(), &schedule(), None, 1));
        assert_eq!(waiting.failures[&early.event], early, "it is as it was");
        assert_ne!(waiting.start(1).unwrap().event, early.event, "and early only once");
        assert_eq!(waiting.unsaved(), (vec![], vec!["c".to_owned()]));
        assert!(!waiting.settle("z"), "one that never failed is nobody's business");
        assert_eq!(waiting.unsaved().1, ["c"]);
    }
}
