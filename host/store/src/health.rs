//! The health of a store: the result of the last check, and of calls since then.
//!
//! A check asks the store for a small durable write, so it is shared: at most one runs at a time, and
//! its report stands for [`FRESH`]. However many probes ask, the store is asked once a second. A call
//! that fails because the store takes no writes changes the report at once, and only a check that has
//! written heals it. A change is logged once, and not once for each call.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::StoreError;

/// A report that is not older is not asked for again.
pub const FRESH: Duration = Duration::from_secs(1);
/// A store that has not answered a check after this time is away.
pub const CHECK_TIME: Duration = Duration::from_secs(3);
/// Calls that fail although the store works are logged once in this time, however many there are.
const LOGGED_EVERY: Duration = Duration::from_secs(10);

/// How a store is doing, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It reads and writes.
    Ok,
    /// It works, and has no room for another call.
    Busy,
    /// It does not answer.
    Away,
    /// It answers, and takes no writes.
    RefusesWrites,
    /// What it holds is not whole, or lacks a guard.
    Damaged,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Busy, Self::Away, Self::RefusesWrites, Self::Damaged];

    /// The word in every interface.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Busy => "busy",
            Self::Away => "away",
            Self::RefusesWrites => "refuses-writes",
            Self::Damaged => "damaged",
        }
    }

    /// Whether it does its work. A host whose store is overloaded goes on: taking it away would give
    /// its callers to other hosts on the same store.
    #[must_use]
    pub const fn works(self) -> bool {
        matches!(self, Self::Ok | Self::Busy)
    }
}

/// How a store is doing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In one word.
    pub standing: Standing,
    /// A short sentence that anybody may read: it names no address, path or user. Empty where all is well.
    pub reason: Cow<'static, str>,
}

impl Report {
    /// All is well.
    pub const OK: Self = Self { standing: Standing::Ok, reason: Cow::Borrowed("") };

    /// Whether the store does its work.
    #[must_use]
    pub const fn works(&self) -> bool {
        self.standing.works()
    }

    fn new(standing: Standing, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { standing, reason: reason.into() }
    }

    /// What an error says of its store.
    #[must_use]
    pub fn of(error: &StoreError) -> Self {
        if let Some(refused) = error.writes_refused() {
            return Self::new(Standing::RefusesWrites, refused.reason().to_owned());
        }
        match error {
            StoreError::Overloaded(_) => Self::new(Standing::Busy, "too much is waiting"),
            StoreError::Unavailable(_) => Self::new(Standing::Away, "it does not answer"),
            StoreError::Refused(_) => Self::new(Standing::RefusesWrites, "it refused a write of the check"),
            StoreError::Corrupt(_) => Self::new(
                Standing::Damaged,
                "its contents or its schema are not as they must be; see the log",
            ),
        }
    }
}

/// Codes of [`StoreError`], in the order of their counts.
const CODES: [&str; 4] = ["busy", "unavailable", "refused", "corrupt"];

/// The health of one store of this process.
#[derive(Debug)]
pub struct Health {
    store: &'static str,
    /// Whether a change is told in the log.
    logs: bool,
    checking: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
    errors: [AtomicU64; CODES.len()],
}

#[derive(Debug)]
struct Known {
    report: Report,
    /// When the report was made; None where the next check has to ask.
    made: Option<Instant>,
    /// Since when the standing is what it is.
    since: Instant,
    logged: Option<Instant>,
}

impl Known {
    /// Gives how long it was what it was before, if that is over.
    fn learn(&mut self, report: Report) -> Option<Duration> {
        let is_change = self.report.standing != report.standing;
        self.report = report;
        is_change.then(|| std::mem::replace(&mut self.since, Instant::now()).elapsed())
    }
}

impl Health {
    /// Of a store of this name, of which nothing bad is known.
    #[must_use]
    pub fn new(store: &'static str) -> Self {
        let (report, since) = (Report::OK, Instant::now());
        let known = Mutex::new(Known { report, made: None, since, logged: None });
        Self { store, logs: true, checking: tokio::sync::Mutex::default(), known, errors: Default::default() }
    }

    /// Of a store that logs by itself what becomes of it.
    #[must_use]
    pub fn of_watched(store: &'static str) -> Self {
        Self { logs: false, ..Self::new(store) }
    }

    /// The store's name in every interface.
    #[must_use]
    pub const fn store(&self) -> &'static str {
        self.store
    }

    /// What is known now, without asking.
    #[must_use]
    pub fn report(&self) -> Report {
        self.known().report.clone()
    }

    /// How many calls failed, by code.
    pub fn errors(&self) -> impl Iterator<Item = (&'static str, u64)> {
        CODES.into_iter().zip(&self.errors).map(|(code, count)| (code, count.load(Ordering::Relaxed)))
    }

    /// Notes what a call came to. Only failures change anything.
    pub fn note<T>(&self, outcome: &Result<T, StoreError>) {
        let Err(error) = outcome else { return };
        if let Some(at) = CODES.iter().position(|code| *code == error.code())
            && let Some(count) = self.errors.get(at)
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
        match error {
            StoreError::Overloaded(_) => self.log_rarely(error),
            StoreError::Unavailable(_) if error.writes_refused().is_some() => {
                self.set(Report::of(error), &error.to_string());
            }
            // Perhaps the one call alone: the next check finds out.
            StoreError::Unavailable(_) => self.known().made = None,
            StoreError::Corrupt(_) => {
                self.known().made = None;
                self.log_rarely(error);
            }
            // A caller's mistake, or a plugin's, and not the store's.
            StoreError::Refused(_) => tracing::debug!(store = self.store, "{error}"),
        }
    }

    /// Takes over what a store knows that watches itself, and logs it by itself.
    pub fn tell(&self, report: Report) {
        self.known().learn(report);
    }

    /// Asks the store by `ask`, unless somebody has just done so.
    pub async fn check(&self, ask: impl Future<Output = Result<(), StoreError>>) -> Report {
        if let Some(report) = self.fresh() {
            return report;
        }
        let _one_at_a_time = self.checking.lock().await;
        // While this one waited, another has asked.
        if let Some(report) = self.fresh() {
            return report;
        }
        let (report, details) = match timeout(CHECK_TIME, ask).await {
            Ok(Ok(())) => (Report::OK, String::new()),
            Ok(Err(error)) => (Report::of(&error), error.to_string()),
            Err(_) => {
                let reason = format!("it does not answer within {} s", CHECK_TIME.as_secs());
                (Report::new(Standing::Away, reason.clone()), reason)
            }
        };
        self.set(report.clone(), &details);
        report
    }

    fn fresh(&self) -> Option<Report> {
        let known = self.known();
        let is_fresh = known.made.is_some_and(|made| made.elapsed() < FRESH);
        is_fresh.then(|| known.report.clone())
    }

    /// `details` are for the operator's log alone.
    fn set(&self, report: Report, details: &str) {
        let (store, standing) = (self.store, report.standing.name());
        let mut known = self.known();
        known.made = Some(Instant::now());
        let Some(lasted) = known.learn(report) else { return };
        drop(known);
        if !self.logs {
            return;
        }
        let lasted_ms = lasted.as_millis();
        match standing {
            "ok" => tracing::info!(store, standing, lasted_ms, "the {store} works again"),
            _ => tracing::error!(store, standing, "the {store} has failed a check: {details}"),
        }
    }

    fn log_rarely(&self, error: &StoreError) {
        let mut known = self.known();
        if known.logged.is_none_or(|last| last.elapsed() >= LOGGED_EVERY) {
            known.logged = Some(Instant::now());
            drop(known);
            let (store, code) = (self.store, error.code());
            tracing::warn!(store, code, "calls of the {store} fail, which is logged once in 10 s: {error}");
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::WritesRefused;

    /// Asks a store that answers this, and counts how often it is asked.
    async fn ask(asked: &AtomicUsize, answer: Result<(), StoreError>) -> Result<(), StoreError> {
        asked.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(10)).await;
        answer
    }

    #[tokio::test]
    async fn a_flood_of_probes_asks_once() {
        let (health, asked) = (Health::new("ledger"), AtomicUsize::new(0));
        let probes = (0..1000).map(|_| health.check(ask(&asked, Ok(()))));
        let reports = futures::future::join_all(probes).await;
        assert!(reports.iter().all(Report::works));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        tokio::time::sleep(FRESH).await;
        health.check(ask(&asked, Ok(()))).await;
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_refused_write_counts_at_once_and_a_check_heals() {
        let (health, asked) = (Health::new("ledger"), AtomicUsize::new(0));
        assert!(health.check(ask(&asked, Ok(()))).await.works());
        health.note::<()>(&Err(WritesRefused::new("the disk is full").into()));
        let report = health.check(ask(&asked, Ok(()))).await;
        assert_eq!((report.standing, &*report.reason), (Standing::RefusesWrites, "the disk is full"));
        assert_eq!(asked.load(Ordering::Relaxed), 1, "what is known is not asked for again");
        tokio::time::sleep(FRESH).await;
        assert_eq!(health.check(ask(&asked, Ok(()))).await, Report::OK);
        assert_eq!(health.report(), Report::OK);
    }

    #[tokio::test]
    async fn a_call_without_an_answer_makes_the_next_check_ask() {
        let (health, asked) = (Health::new("ledger"), AtomicUsize::new(0));
        health.check(ask(&asked, Ok(()))).await;
        health.note::<()>(&Err(StoreError::Unavailable("no answer".into())));
        let report =
            health.check(ask(&asked, Err(StoreError::Unavailable("10.0.0.1: refused".into())))).await;
        assert_eq!((report.standing, &*report.reason), (Standing::Away, "it does not answer"));
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_check_that_hangs_is_away_in_time_and_an_overload_is_not_an_outage() {
        let health = Health::new("ledger");
        let begun = Instant::now();
        assert_eq!(health.check(std::future::pending()).await.standing, Standing::Away);
        assert!((CHECK_TIME..CHECK_TIME * 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        tokio::time::sleep(FRESH).await;
        let report = health.check(async { Err(StoreError::overloaded("full")) }).await;
        assert_eq!((report.standing, report.works()), (Standing::Busy, true));
        health.note::<()>(&Err(StoreError::overloaded("full")));
        let counts: Vec<_> = health.errors().collect();
        assert_eq!(counts, [("busy", 1), ("unavailable", 0), ("refused", 0), ("corrupt", 0)]);
    }
}
