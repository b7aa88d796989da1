//! Rate-limited logging of recurring errors, by kind.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Each kind is told of once in so long.
const EVERY: Duration = Duration::from_secs(60);
/// Kinds that are kept apart at one time.
const MOST: usize = 256;

/// Which kinds were told of lately.
pub(super) struct Seldom<K>(HashMap<K, Told>);

struct Told {
    at: Instant,
    /// What was left out since then.
    left_out: u64,
}

impl<K> Default for Seldom<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Seldom<K> {
    /// Whether this kind is told of now: if so, how many of it were left out since the last time.
    pub(super) fn tell(&mut self, kind: K) -> Option<u64> {
        self.tell_at(kind, Instant::now())
    }

    fn tell_at(&mut self, kind: K, now: Instant) -> Option<u64> {
        if let Some(told) = self.0.get_mut(&kind) {
            if now.duration_since(told.at) < EVERY {
                told.left_out += 1;
                return None;
            }
            told.at = now;
            return Some(std::mem::take(&mut told.left_out));
        }
        if self.0.len() >= MOST {
            self.0.retain(|_, told| now.duration_since(told.at) < EVERY);
        }
        // More kinds than anybody reads at once: the metrics count them.
        (self.0.len() < MOST).then(|| {
            self.0.insert(kind, Told { at: now, left_out: 0 });
            0
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_of_once_in_a_while_with_what_was_left_out() {
        let (mut seldom, now) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.tell_at("a", now), Some(0));
        for _ in 0..1000 {
            assert_eq!(seldom.tell_at("a", now), None);
        }
        assert_eq!(seldom.tell_at("b", now), Some(0));
        assert_eq!(seldom.tell_at("a", now + EVERY), Some(1000));
        assert_eq!(seldom.tell_at("a", now + EVERY), None);
    }

    #[test]
    fn kinds_are_no_more_than_somebody_reads() {
        let (mut seldom, now) = (Seldom::default(), Instant::now());
        let told = (0..10_000).filter(|kind| seldom.tell_at(*kind, now).is_some()).count();
        assert_eq!(told, MOST);
        assert_eq!(seldom.tell_at(10_000, now + EVERY), Some(0));
    }
}
