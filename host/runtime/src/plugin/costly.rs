//! The list of plugins that exceeded a limit of compilation, which are not compiled again for a while.
//! The same bytes would take as much again, and keep others from the compiler.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Digest, PluginError};

/// So long they are refused at once. Then they are tried again: the host may have had too much else to do.
const KEPT: Duration = Duration::from_secs(180);
/// The oldest are forgotten first.
const MOST: usize = 1024;

/// What it was that it took too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    Time(Duration),
    Memory(u64),
}

/// Those of this process, whose limits do not change.
#[derive(Default)]
pub(super) struct Costly(Mutex<VecDeque<(Digest, Cost, Instant)>>);

impl Costly {
    fn known(&self) -> MutexGuard<'_, VecDeque<(Digest, Cost, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses what was refused a while ago.
    pub(super) fn check(&self, digest: Digest, now: Instant) -> Result<(), PluginError> {
        let mut known = self.known();
        while known.front().is_some_and(|(_, _, since)| now.saturating_duration_since(*since) >= KEPT) {
            known.pop_front();
        }
        match known.iter().find(|(one, _, _)| *one == digest) {
            None => Ok(()),
            Some((_, Cost::Time(most), _)) => Err(PluginError::CompileTime(*most)),
            Some((_, Cost::Memory(most), _)) => Err(PluginError::CompileMemory(*most)),
        }
    }

    /// Remembers what was refused for what it takes, and nothing else.
    pub(super) fn note(&self, digest: Digest, why: &PluginError, now: Instant) {
        let cost = match why {
            PluginError::CompileTime(most) => Cost::Time(*most),
            PluginError::CompileMemory(most) => Cost::Memory(*most),
            _ => return,
        };
        let mut known = self.known();
        if known.len() >= MOST {
            known.pop_front();
        }
        known.push_back((digest, cost, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_too_much_is_refused_for_some_minutes_and_nothing_else_is() {
        let (costly, now) = (Costly::default(), Instant::now());
        let [long, large, busy] = ["long", "large", "busy"].map(|text| Digest::of(text.as_bytes()));
        costly.note(long, &PluginError::CompileTime(Duration::from_secs(10)), now);
        costly.note(large, &PluginError::CompileMemory(7), now);
        costly.note(busy, &PluginError::Busy, now);
        let just_before = now + KEPT - Duration::from_secs(1);
        assert!(matches!(costly.check(long, just_before), Err(PluginError::CompileTime(_))));
        assert!(matches!(costly.check(large, just_before), Err(PluginError::CompileMemory(7))));
        assert!(costly.check(busy, now).is_ok());
        assert!(costly.check(long, now + KEPT).is_ok() && costly.check(large, now + KEPT).is_ok());
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let (costly, now) = (Costly::default(), Instant::now());
        let digest = |number: usize| Digest::of(&number.to_be_bytes());
        for number in 0..=MOST {
            costly.note(digest(number), &PluginError::CompileMemory(1), now);
        }
        assert_eq!(costly.known().len(), MOST);
        assert!(costly.check(digest(0), now).is_ok() && costly.check(digest(1), now).is_err());
    }
}
