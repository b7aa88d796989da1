//! The activity of a connection, and its idle limits.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Closed, ConnectionLimits};
use hongbao_domain::TenantId;

/// No head has begun.
const NONE: u64 = u64::MAX;

/// Whom a connection counts for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Holder {
    /// Nobody's whose request was admitted.
    #[default]
    Stranger,
    Operator,
    Tenant(TenantId),
}

/// What happens on one connection.
///
/// It is *at work* while a request is carried out, whose own time is bounded, and while a stream of events is open.
/// Otherwise it has to move: a head that begins has to end, and a new head or the end of an answer has to come now
/// and then. Bytes alone are no move, since whoever wants to hold a connection can send some now and then.
#[derive(Debug)]
pub(super) struct Activity {
    accepted: Instant,
    at_work: AtomicU32,
    /// Answers whose bodies were not handed over yet.
    answers: AtomicU32,
    /// Whether the head of a request ever came.
    has_spoken: AtomicBool,
    /// As the gate has it, so that most requests need not ask it.
    holder: Mutex<Holder>,
    /// Over HTTP/2 bytes between requests are no beginning of a head: there are pings and windows.
    is_http2: AtomicBool,
    /// Milliseconds from `accepted` to the last move.
    moved_ms: AtomicU64,
    /// The same to the first byte of a head that is not whole.
    head_ms: AtomicU64,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            accepted: now,
            at_work: AtomicU32::new(0),
            answers: AtomicU32::new(0),
            has_spoken: AtomicBool::new(false),
            holder: Mutex::default(),
            is_http2: AtomicBool::new(false),
            moved_ms: AtomicU64::new(0),
            head_ms: AtomicU64::new(NONE),
        }
    }

    fn ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.accepted).as_millis()).unwrap_or(NONE - 1)
    }

    fn at(&self, ms: u64) -> Instant {
        self.accepted + Duration::from_millis(ms)
    }

    pub(super) fn moves(&self, now: Instant) {
        self.moved_ms.store(self.ms(now), Ordering::Relaxed);
    }

    /// The head of a request came, which is now carried out.
    pub(super) fn request(&self, now: Instant, is_http2: bool) {
        self.at_work.fetch_add(1, Ordering::Relaxed);
        self.is_http2.store(is_http2, Ordering::Relaxed);
        self.has_spoken.store(true, Ordering::Relaxed);
        self.head_ms.store(NONE, Ordering::Relaxed);
        self.moves(now);
    }

    /// Says whom it counts for, where that is news. `tell` says it to the gate, and gives what the gate made of it.
    pub(super) fn hold(&self, wanted: Holder, tell: impl FnOnce(Holder) -> Holder) {
        let mut holder = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        if *holder != wanted {
            *holder = tell(wanted);
        }
    }

    /// Whether it is at work for more than one request.
    pub(super) fn is_shared(&self) -> bool {
        self.at_work.load(Ordering::Relaxed) > 1
    }

    /// The head of an answer is there, and its body is handed over from now on.
    pub(super) fn answer(&self) {
        self.answers.fetch_add(1, Ordering::Relaxed);
    }

    /// The body of an answer was handed over, or nobody takes it any more.
    pub(super) fn answered(&self, now: Instant) {
        self.moves(now);
        self.answers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether nothing is under way, and nothing was for so long.
    pub(super) fn is_quiet(&self, now: Instant, long: Duration) -> bool {
        let is_answered = self.answers.load(Ordering::Relaxed) == 0;
        is_answered && self.idle(now).is_some_and(|idle| idle >= long)
    }

    /// A request was carried out, or a stream of events has ended.
    pub(super) fn rests(&self, now: Instant) {
        self.moves(now);
        self.at_work.fetch_sub(1, Ordering::Relaxed);
    }

    fn is_at_work(&self) -> bool {
        self.at_work.load(Ordering::Relaxed) > 0
    }

    /// For how long it has been doing nothing; None while it is at work.
    pub(super) fn idle(&self, now: Instant) -> Option<Duration> {
        let moved = self.at(self.moved_ms.load(Ordering::Relaxed));
        (!self.is_at_work()).then(|| now.saturating_duration_since(moved))
    }

    /// Bytes came; true where they begin a head, whose time begins with them.
    pub(super) fn bytes(&self, now: Instant) -> bool {
        let begins = self.has_spoken.load(Ordering::Relaxed)
            && !self.is_http2.load(Ordering::Relaxed)
            && self.head_ms.load(Ordering::Relaxed) == NONE
            && !self.is_at_work();
        if begins {
            self.head_ms.store(self.ms(now), Ordering::Relaxed);
        }
        begins
    }

    /// When it has to be closed if nothing happens until then, and why. While it is at work there is no such time,
    /// and this gives one at which to look again.
    pub(super) fn due(&self, now: Instant, limits: &ConnectionLimits) -> (Instant, Option<Closed>) {
        if !self.has_spoken.load(Ordering::Relaxed) {
            return (self.accepted + limits.head, Some(Closed::Silent));
        }
        if self.is_at_work() {
            return (now + limits.idle, None);
        }
        let idle = self.at(self.moved_ms.load(Ordering::Relaxed)) + limits.idle;
        match self.head_ms.load(Ordering::Relaxed) {
            NONE => (idle, Some(Closed::Idle)),
            head => (idle.min(self.at(head) + limits.head), Some(Closed::Silent)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn left(activity: &Activity, now: Instant) -> (u64, Option<Closed>) {
        let (due, closed) = activity.due(now, &ConnectionLimits::default());
        (due.duration_since(now).as_secs(), closed)
    }

    #[test]
    fn the_first_head_has_one_deadline_whatever_bytes_come() {
        let begun = Instant::now();
        let activity = Activity::new(begun);
        assert_eq!(left(&activity, begun), (10, Some(Closed::Silent)));
        let now = begun + 4 * SECOND;
        assert!(!activity.bytes(now));
        assert_eq!(left(&activity, now), (6, Some(Closed::Silent)));
    }

    #[test]
    fn a_later_head_has_a_deadline_from_its_first_byte() {
        let begun = Instant::now();
        let activity = Activity::new(begun);
        activity.request(begun, false);
        assert_eq!(left(&activity, begun), (75, None), "it is at work");
        activity.rests(begun);
        let now = begun + 30 * SECOND;
        assert_eq!(left(&activity, now), (45, Some(Closed::Idle)));
        assert!(activity.bytes(now));
        let now = now + 4 * SECOND;
        assert!(!activity.bytes(now), "it has begun already");
        assert_eq!(left(&activity, now), (6, Some(Closed::Silent)));
        activity.request(now, false);
        activity.rests(now);
        assert_eq!(left(&activity, now), (75, Some(Closed::Idle)));
    }

    #[test]
    fn over_http2_bytes_between_requests_change_nothing() {
        let begun = Instant::now();
        let activity = Activity::new(begun);
        activity.request(begun, true);
        activity.rests(begun);
        let now = begun + 30 * SECOND;
        assert!(!activity.bytes(now));
        assert_eq!(left(&activity, now), (45, Some(Closed::Idle)));
        assert_eq!(activity.idle(now), Some(30 * SECOND));
        activity.request(now, true);
        assert_eq!(activity.idle(now), None);
    }
}
