//! What is heard from all processes, and waiting for it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::books::Books;
use super::line::Line;
use super::told::{Tap, Told};
use super::{PATIENCE, now_ms};

/// How many host processes there are.
pub const HOSTS: usize = 2;

/// Where everything that is told comes together.
#[derive(Default)]
pub struct Tally {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    told: Told,
    ready: [bool; HOSTS],
    resting: [bool; HOSTS],
    /// Opens that were acknowledged since the last [`Tally::forget_times`]: from which host, when the
    /// call began, when we heard of it.
    opens: Vec<(usize, u64, u64)>,
    /// Processes besides the hosts that have begun their work.
    others: u64,
    halfway: u64,
}

impl Tally {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what a host process says.
    pub fn hear(&self, slot: usize, line: &Line) {
        let mut state = self.state();
        match line {
            Line::Ready => set(&mut state.ready, slot, true),
            Line::Resting => set(&mut state.resting, slot, true),
            Line::Opened { began_ms, .. } => state.opens.push((slot, *began_ms, now_ms())),
            _ => {}
        }
        state.told.hear(line);
        self.changed.notify_all();
    }

    /// Takes note of what is said by somebody else than a host process.
    pub fn hear_aside(&self, line: &Line) {
        let mut state = self.state();
        if *line == Line::Ready {
            state.others += 1;
            self.changed.notify_all();
        }
        state.told.hear(line);
    }

    /// Starts another process than a host, and waits until it is at work.
    pub fn start_aside<T>(&self, start: impl FnOnce() -> T) -> T {
        let before = self.state().others;
        let process = start();
        let is_there = self.wait(|state| (state.others > before).then_some(()));
        is_there.expect("a process that begins its work");
        process
    }

    /// A settlement was killed between taking claims out of the queue and posting them.
    pub fn add_halfway(&self) {
        self.state().halfway += 1;
    }

    /// A host process is about to start.
    pub fn expect(&self, slot: usize) {
        let mut state = self.state();
        set(&mut state.ready, slot, false);
        set(&mut state.resting, slot, false);
    }

    /// The hosts go on.
    pub fn wake(&self) {
        self.state().resting = [false; HOSTS];
    }

    /// Forgets when opens were heard of, not what they said.
    pub fn forget_times(&self) {
        self.state().opens.clear();
    }

    /// Everything that was told so far.
    #[must_use]
    pub fn told(&self) -> Told {
        self.state().told.clone()
    }

    /// The ledger goes on from these books; gives whose shares are not there any more.
    pub fn go_on_from(&self, books: &Books) -> Vec<Tap> {
        self.state().told.go_on_from(books)
    }

    /// Settlements that were killed halfway.
    #[must_use]
    pub fn halfway(&self) -> u64 {
        self.state().halfway
    }

    /// Waits until every host is at work.
    #[must_use]
    pub fn wait_for_ready(&self) -> bool {
        self.wait(|state| state.ready.iter().all(|ready| *ready).then_some(())).is_some()
    }

    /// Waits until every host rests; those that do not.
    #[must_use]
    pub fn wait_for_rest(&self) -> Vec<usize> {
        let _ = self.wait(|state| state.resting.iter().all(|resting| *resting).then_some(()));
        let state = self.state();
        (0..).zip(state.resting).filter(|(_, resting)| !resting).map(|(slot, _)| slot).collect()
    }

    /// Waits until each of these hosts has acknowledged an open that began after a moment; gives the
    /// time from the moment to the last of their first acknowledgements.
    #[must_use]
    pub fn wait_for_service(&self, slots: &[usize], since_ms: u64) -> Option<Duration> {
        self.wait(|state| {
            let first = |slot: &usize| {
                let opens = state.opens.iter();
                let mut later = opens.filter(|(of, began_ms, _)| of == slot && *began_ms >= since_ms);
                later.next().map(|(_, _, heard_ms)| heard_ms.saturating_sub(since_ms))
            };
            let firsts: Option<Vec<u64>> = slots.iter().map(first).collect();
            firsts.map(|firsts| Duration::from_millis(firsts.into_iter().max().unwrap_or_default()))
        })
    }

    fn wait<T>(&self, answer: impl Fn(&State) -> Option<T>) -> Option<T> {
        let end = Instant::now() + PATIENCE;
        let mut state = self.state();
        loop {
            if let Some(answer) = answer(&state) {
                return Some(answer);
            }
            let left = end.checked_duration_since(Instant::now())?;
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn set(flags: &mut [bool; HOSTS], slot: usize, to: bool) {
    if let Some(flag) = flags.get_mut(slot) {
        *flag = to;
    }
}
