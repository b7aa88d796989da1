//! Selection of refused calls for the administration log: a few of each key, and a count of the others.
//!
//! A row and a line for each would let whoever has a key fill the disk, and take from others the writes that they need.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hongbao_domain::{ApiKey, KeyId};

/// Of one key so many are written in so long.
const MOST: u32 = 30;
const WITHIN: Duration = Duration::from_secs(60);

/// The refusals of late, by the key that was refused.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<KeyId, Lately>>);

struct Lately {
    key: Arc<ApiKey>,
    since: Instant,
    written: u32,
    left_out: u64,
}

impl Refusals {
    fn lately(&self) -> MutexGuard<'_, HashMap<KeyId, Lately>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether one more is written down; otherwise it is counted.
    pub(super) fn has_room(&self, key: &Arc<ApiKey>, now: Instant) -> bool {
        let mut lately = self.lately();
        let new = || Lately { key: Arc::clone(key), since: now, written: 0, left_out: 0 };
        let of_key = lately.entry(key.id).or_insert_with(new);
        // What was left out is told first.
        if of_key.left_out == 0 && now.duration_since(of_key.since) >= WITHIN {
            *of_key = new();
        }
        if of_key.written < MOST {
            of_key.written += 1;
            return true;
        }
        of_key.left_out = of_key.left_out.saturating_add(1);
        false
    }

    /// Whose refusals were left out in a time that is over, or in any where everything ends, and how many. Their time
    /// begins anew.
    pub(super) fn left_out(&self, now: Instant, is_end: bool) -> Vec<(Arc<ApiKey>, u64)> {
        let mut lately = self.lately();
        let over = lately.extract_if(|_, one| is_end || now.duration_since(one.since) >= WITHIN);
        over.filter(|(_, one)| one.left_out > 0).map(|(_, one)| (one.key, one.left_out)).collect()
    }
}

#[cfg(test)]
mod tests {
    use hongbao_domain::{Name, Scope};

    use super::*;

    fn key(id: u64) -> Arc<ApiKey> {
        Arc::new(ApiKey {
            id: KeyId::new(id),
            tenant: None,
            user: None,
            label: Name::new("x").unwrap(),
            scopes: [Scope::Operator].into_iter().collect(),
            hash: [0; 32],
            created_at_ms: 0,
            expires_at_ms: None,
            revoked_at_ms: None,
        })
    }

    #[test]
    fn a_few_of_each_key_are_written_and_the_rest_is_counted() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        let (one, other) = (key(1), key(2));
        let written = (0..1000).filter(|_| refusals.has_room(&one, now)).count();
        assert_eq!(written, MOST as usize);
        assert!(refusals.has_room(&other, now));
        assert!(refusals.left_out(now, false).is_empty(), "its time is not over");
        let now = now + WITHIN;
        assert!(!refusals.has_room(&one, now), "what was left out is told first");
        assert_eq!(refusals.left_out(now, false), [(Arc::clone(&one), 1000 - u64::from(MOST) + 1)]);
        assert!(refusals.lately().is_empty());
        assert!(refusals.has_room(&one, now));
        let written = 1 + (0..1000).filter(|_| refusals.has_room(&one, now)).count();
        assert_eq!(written, MOST as usize);
        assert_eq!(refusals.left_out(now, true).len(), 1);
    }
}
