//! The health of Redis as this process sees it: the only place that determines it, and logs each change once.
//!
//! A server that is away shows it by itself: calls fail. One that *answers and refuses writes* does not:
//! reading a counter goes well, so a user who was told "contended, may open" would be turned away at the
//! opening by a counter on which no seat could be taken. So while a master refuses writes, its counters
//! are not asked at all: whoever asks hears that it is unavailable, and the ledger decides.
//!
//! **Entered** by any write that is refused, and by the probe: once a second a script does on each master
//! what the other scripts do. So each host knows within a second, also where it wrote nothing.
//! **Left** when the probe succeeds; where the same comes again within a minute, when it has succeeded for
//! 2, 4, … 30 seconds, so that a server at its limit makes no log grow and no counter flicker.
//!
//! **Told** by one line in the log for each change, in [`Counter::health`](hongbao_store::Counter::health)
//! for metrics and for `/readyz`, and in [`Counter::check`](hongbao_store::Counter::check) for `/readyz`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::error::Failure;
use super::fault::Fault;
use super::slots::Slots;
use hongbao_store::{Report, Standing};

/// What comes again within so long is the same trouble.
const AGAIN: Duration = Duration::from_secs(60);
/// How long the probe has to succeed, at most, before writes are trusted again.
const LONGEST_HOLD: Duration = Duration::from_secs(30);

/// Whose health it is: what stands in the log.
#[derive(Clone, Copy)]
pub(super) struct Whose {
    /// In the log.
    pub name: &'static str,
    /// What it means to users that it is away.
    pub meanwhile: &'static str,
}

pub(super) const COUNTER: Whose = Whose {
    name: "counter",
    meanwhile: "grabs are answered as contended, and the ledger decides who gets a share",
};
pub(super) const EVENTS: Whose = Whose {
    name: "events",
    meanwhile: "rooms are told later, and messages are refused; money does not depend on it",
};

pub(super) struct Health {
    whose: Whose,
    /// Where the servers are, for the log.
    place: String,
    known: Mutex<Known>,
    /// Whether any master refuses writes: what every call looks at.
    is_refusing: AtomicBool,
    /// Whether anything is wrong.
    is_ill: AtomicBool,
    /// Whether a trouble has ended since somebody looked.
    has_healed: AtomicBool,
    /// Asks for a probe now.
    wake: Notify,
}

struct Known {
    /// What is wrong with the way to all of them.
    link: Option<Fault>,
    /// One where there is no cluster.
    masters: Vec<Master>,
    /// None where there is no cluster.
    slots: Option<Slots>,
    /// What was said last, and when.
    said: Option<Fault>,
    since: Instant,
}

/// A server that takes writes, or should.
#[derive(Default)]
struct Master {
    /// In a cluster, the node's name.
    id: String,
    fault: Option<Fault>,
    /// When the last trouble ended.
    healed_at: Option<Instant>,
    /// How long probes have to succeed.
    hold: Duration,
    /// Since when they do.
    good_since: Option<Instant>,
    /// Whether the last probe was merely slow.
    is_slow: bool,
}

impl Health {
    pub(super) fn new(whose: Whose, place: String) -> Self {
        let masters = vec![Master::default()];
        let known = Known { link: None, masters, slots: None, said: None, since: Instant::now() };
        Self {
            whose,
            place,
            known: Mutex::new(known),
            is_refusing: AtomicBool::new(false),
            is_ill: AtomicBool::new(false),
            has_healed: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is an assignment or two, so a panic leaves something that the next probe puts right.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses a call about this key where writes to it are refused.
    pub(super) fn gate(&self, key: &str) -> Result<(), Failure> {
        if !self.is_refusing.load(Ordering::Acquire) {
            return Ok(());
        }
        let known = self.known();
        match known.masters.get(known.master_of(key)).and_then(|master| master.fault.as_ref()) {
            Some(fault) if fault.refuses_writes() => Err(Failure::Known(fault.clone())),
            _ => Ok(()),
        }
    }

    /// A call about this key failed.
    pub(super) fn call_failed(&self, key: &str, failure: &Failure) {
        let Some(fault) = failure.fault() else { return };
        // What a server says in words that are not known may concern this call alone: the probe decides.
        let is_clear = !matches!(fault, Fault::Refused(_));
        if fault.refuses_writes() && is_clear {
            let index = self.known().master_of(key);
            self.hear(index, Some(fault));
        }
        // Where there is no connection, whoever makes one asks for the probe.
        if !matches!(failure, Failure::Down(_)) {
            self.wake.notify_one();
        }
    }

    /// The way to all of them failed.
    pub(super) fn link_failed(&self, failure: &Failure) {
        let Some(fault) = failure.fault() else { return };
        let mut known = self.known();
        known.link = Some(fault);
        self.settle(&mut known);
    }

    /// There is a connection again.
    pub(super) fn link_made(&self) {
        self.wake.notify_one();
    }

    /// What a probe of a master came to.
    pub(super) fn probed(&self, index: usize, outcome: Result<(), &Failure>) {
        match outcome {
            Ok(()) => self.hear(index, None),
            // What the link failed of is known already, and what tells nothing of the server is no news.
            Err(Failure::Down(_)) => {}
            Err(failure) => {
                if let Some(fault) = failure.fault() {
                    self.hear(index, Some(fault));
                }
            }
        }
    }

    /// A master is well, or something is wrong with it.
    fn hear(&self, index: usize, fault: Option<Fault>) {
        let mut known = self.known();
        let now = Instant::now();
        if fault.is_none() {
            known.link = None;
        }
        let Some(master) = known.masters.get_mut(index) else { return };
        match fault {
            None => master.is_well(now),
            Some(fault) => master.is_ill(fault, now),
        }
        self.settle(&mut known);
    }

    /// Says what has changed.
    fn settle(&self, known: &mut Known) {
        let is_refusing = known.faults().any(Fault::refuses_writes);
        self.is_refusing.store(is_refusing, Ordering::Release);
        let present = known.worst();
        let code = |fault: &Option<Fault>| fault.as_ref().map(Fault::code);
        if code(&present) == code(&known.said) {
            return;
        }
        // In this order: whoever finds it well finds that it has healed, too.
        if present.is_none() {
            self.has_healed.store(true, Ordering::Release);
        }
        self.is_ill.store(present.is_some(), Ordering::Release);
        let (name, redis) = (self.whose.name, self.place.as_str());
        match &present {
            None => {
                let away_seconds = known.since.elapsed().as_secs();
                tracing::info!(redis, away_seconds, "{name}: Redis is well again");
            }
            Some(fault) => {
                let (reason, which) = (fault.code(), known.which());
                let (meanwhile, remedy) = (self.whose.meanwhile, fault.remedy());
                if fault.refuses_writes() || fault.is_mistake() {
                    tracing::error!(redis, reason, "{name}: {which}{fault}; {meanwhile}. Remedy: {remedy}");
                } else {
                    tracing::warn!(redis, reason, "{name}: {which}{fault}; {meanwhile}. Remedy: {remedy}");
                }
            }
        }
        if known.said.is_none() || present.is_none() {
            known.since = Instant::now();
        }
        known.said = present;
    }

    /// Which masters there are, as a cluster tells it; what is known of each stays.
    pub(super) fn learn(&self, slots: Slots) {
        let mut known = self.known();
        let mut before = std::mem::take(&mut known.masters);
        known.masters = slots
            .masters()
            .map(|id| match before.iter().position(|master| master.id == id) {
                Some(at) => before.swap_remove(at),
                None => Master { id: id.to_owned(), ..Master::default() },
            })
            .collect();
        known.slots = Some(slots);
        self.settle(&mut known);
    }

    /// For each master, the number of a key that it holds.
    pub(super) fn probe_keys(&self) -> Vec<u32> {
        self.known().slots.as_ref().map_or_else(|| vec![0], Slots::keys)
    }

    /// Whether anything is wrong now.
    pub(super) fn is_ill(&self) -> bool {
        self.is_ill.load(Ordering::Acquire)
    }

    /// Whether a trouble has ended since this was asked last.
    pub(super) fn take_healed(&self) -> bool {
        self.has_healed.load(Ordering::Relaxed) && self.has_healed.swap(false, Ordering::AcqRel)
    }

    /// Ends when somebody asks for a probe.
    pub(super) async fn asked(&self) {
        self.wake.notified().await;
    }

    /// What is wrong now.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.known().worst()
    }

    pub(super) fn told(&self) -> Report {
        let Some(fault) = self.fault() else { return Report::OK };
        let standing = if fault.refuses_writes() { Standing::RefusesWrites } else { Standing::Away };
        Report { standing, reason: fault.public_reason().into() }
    }
}

impl Known {
    fn master_of(&self, key: &str) -> usize {
        self.slots.as_ref().and_then(|slots| slots.master_of(key)).unwrap_or(0)
    }

    fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.masters.iter().filter_map(|master| master.fault.as_ref())
    }

    /// Of several, what nobody would notice by himself.
    fn worst(&self) -> Option<Fault> {
        let refuses = self.faults().find(|fault| fault.refuses_writes());
        self.link.as_ref().or(refuses).or_else(|| self.faults().next()).cloned()
    }

    /// Which of several masters it is about.
    fn which(&self) -> String {
        match (self.masters.len(), self.faults().count()) {
            (0 | 1, _) | (_, 0) => String::new(),
            (all, some) => format!("{some} of {all} masters: "),
        }
    }
}

impl Master {
    fn is_well(&mut self, now: Instant) {
        self.is_slow = false;
        if self.fault.is_none() {
            return;
        }
        let good_since = *self.good_since.get_or_insert(now);
        if now.duration_since(good_since) >= self.hold {
            *self = Self {
                id: std::mem::take(&mut self.id),
                healed_at: Some(now),
                hold: self.hold,
                ..Self::default()
            };
        }
    }

    fn is_ill(&mut self, fault: Fault, now: Instant) {
        self.good_since = None;
        // One late answer is a busy server.
        if fault == Fault::Slow && !self.is_slow && self.fault.is_none() {
            self.is_slow = true;
            return;
        }
        if self.fault.is_none() {
            let is_again = self.healed_at.is_some_and(|healed| now.duration_since(healed) < AGAIN);
            let longer = (self.hold * 2).clamp(Duration::from_secs(2), LONGEST_HOLD);
            self.hold = if is_again { longer } else { Duration::ZERO };
        }
        self.fault = Some(fault);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(COUNTER, "here".into())
    }

    fn said(standing: Standing, reason: &'static str) -> Report {
        Report { standing, reason: reason.into() }
    }

    fn full() -> Failure {
        Failure::Known(Fault::OutOfMemory)
    }

    #[test]
    fn a_refused_write_closes_the_gate_and_a_probe_opens_it() {
        let health = health();
        assert_eq!((health.told(), health.gate("a").is_ok()), (Report::OK, true));
        health.call_failed("a", &full());
        assert_eq!(
            health.told(),
            said(Standing::RefusesWrites, "its memory is full and its maxmemory-policy evicts nothing")
        );
        assert!(health.gate("b").is_err_and(|failure| failure.to_string().contains("memory is full")));
        assert!(!health.take_healed());
        health.probed(0, Ok(()));
        assert_eq!((health.told(), health.gate("b").is_ok()), (Report::OK, true));
        assert!(health.take_healed() && !health.take_healed());
    }

    #[test]
    fn a_server_at_its_limit_has_to_be_well_for_a_while() {
        let mut master = Master::default();
        let begun = Instant::now();
        let at = |seconds: u64| begun + Duration::from_secs(seconds);
        master.is_ill(Fault::OutOfMemory, at(0));
        master.is_well(at(1));
        assert_eq!(master.fault, None, "the first time a probe is enough");
        master.is_ill(Fault::OutOfMemory, at(2));
        master.is_well(at(3));
        assert_eq!(master.fault, Some(Fault::OutOfMemory));
        master.is_ill(Fault::OutOfMemory, at(4));
        master.is_well(at(5));
        master.is_well(at(6));
        assert!(master.fault.is_some(), "not two seconds in a row yet");
        master.is_well(at(7));
        assert_eq!(master.fault, None);
        master.is_ill(Fault::OutOfMemory, at(8));
        assert_eq!(master.hold, Duration::from_secs(4));
        (0..20).for_each(|_| {
            master.fault = None;
            master.healed_at = Some(at(8));
            master.is_ill(Fault::OutOfMemory, at(9));
        });
        assert_eq!(master.hold, LONGEST_HOLD, "and no longer");
        master.fault = None;
        master.is_ill(Fault::OutOfMemory, at(100));
        assert_eq!(master.hold, Duration::ZERO, "that was another trouble");
    }

    #[test]
    fn one_late_answer_is_no_trouble_and_two_are() {
        let health = health();
        health.probed(0, Err(&Failure::Late));
        assert_eq!(health.told(), Report::OK);
        health.probed(0, Err(&Failure::Late));
        assert_eq!(health.told(), said(Standing::Away, "Redis takes too long to answer"));
        health.probed(0, Err(&Failure::Busy));
        assert_eq!(
            health.told(),
            said(Standing::Away, "Redis takes too long to answer"),
            "that tells nothing of the server"
        );
    }

    #[test]
    fn the_way_is_well_again_when_the_probe_says_so() {
        let unreachable = Failure::Known(Fault::Unreachable("refused".into()));
        for health in [health(), Health::new(EVENTS, "here".into())] {
            health.link_failed(&unreachable);
            health.link_made();
            assert_eq!(health.told(), said(Standing::Away, "it does not answer"));
            health.probed(0, Err(&full()));
            health.probed(0, Ok(()));
            assert_eq!(health.told(), Report::OK);
        }
    }

    #[test]
    fn of_a_cluster_only_the_keys_of_the_master_that_refuses_are_gated() {
        let health = health();
        health.learn(Slots::new([("a".into(), vec![(0, 8191)]), ("b".into(), vec![(8192, 16383)])]));
        // By the slots of these keys: 15495 and 3300.
        health.call_failed("a", &full());
        assert_eq!((health.gate("a").is_err(), health.gate("b").is_ok()), (true, true));
        assert_eq!(health.known().which(), "1 of 2 masters: ");
        // The other way round, and what is known stays.
        health.learn(Slots::new([("b".into(), vec![(8192, 16383)]), ("a".into(), vec![(0, 8191)])]));
        assert_eq!((health.gate("a").is_err(), health.gate("b").is_ok()), (true, true));
        health.probed(0, Ok(()));
        assert_eq!(health.told(), Report::OK);
    }
}
