//! Failed changes of tenants: their logging and their retries.

use std::time::Duration;

use super::problem::{Kind, Problem};
use hongbao_store::TenantRecord;

/// After a failure a change waits so long; twice as long after the next, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Where a store, or the compiler's queue, is what it waits for.
const LONGEST_PAUSE_FOR_A_STORE: Duration = Duration::from_secs(5);

/// What stands in the way of a change, and for how long that is left alone.
pub(super) struct Trouble {
    pub(super) wanted: Wish,
    code: &'static str,
    pub(super) pause: Duration,
}

/// The part of a record that can fail: its settings and its plugin. A suspension is none of it.
pub(super) type Wish = (String, Option<String>);

pub(super) fn wish(record: &TenantRecord) -> Wish {
    (record.settings.clone(), record.plugin.clone())
}

impl Trouble {
    /// Tells of a failure once: what fails again in the same way is for those who ask for more.
    pub(super) fn after(before: Option<Self>, record: &TenantRecord, problem: &Problem) -> Self {
        let is_store = [Kind::UNAVAILABLE, Kind::BUSY].contains(&problem.kind());
        let longest = if is_store { LONGEST_PAUSE_FOR_A_STORE } else { LONGEST_PAUSE };
        let (wanted, code) = (wish(record), problem.kind().code);
        let before = before.filter(|before| before.wanted == wanted);
        let (tenant, why) = (record.id.as_str(), problem.detail());
        match before.as_ref().is_some_and(|before| before.code == code) || is_store {
            true => tracing::debug!(tenant, code, why, "a change of a tenant waits"),
            false => tracing::error!(tenant, code, why, "a change of a tenant waits"),
        }
        let pause = before.map_or(FIRST_PAUSE, |before| (before.pause * 2).min(longest));
        Self { wanted, code, pause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hongbao_domain::TenantId;

    fn record(revision: u64) -> TenantRecord {
        let new = TenantRecord::new(TenantId::new("acme").unwrap(), "{}".into(), 7);
        TenantRecord { revision, ..new }
    }

    #[test]
    fn what_fails_is_left_alone_for_longer_each_time_until_something_changes() {
        let problem = |kind| Problem::new(kind, "no");
        let mut trouble = None;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let now = Trouble::after(trouble.take(), &record(1), &problem(Kind::COSTLY_PLUGIN));
            pauses.push(now.pause.as_secs());
            trouble = Some(now);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        let store = Trouble::after(trouble.take(), &record(1), &problem(Kind::UNAVAILABLE));
        assert_eq!(store.pause.as_secs(), 5);
        let suspended = Trouble::after(Some(store), &record(2), &problem(Kind::UNAVAILABLE));
        assert_eq!(suspended.pause.as_secs(), 5, "a record that asks for the same");
        let other = TenantRecord { plugin: Some("another".into()), ..record(3) };
        let other = Trouble::after(Some(suspended), &other, &problem(Kind::UNAVAILABLE));
        assert_eq!(other.pause.as_secs(), 1);
    }
}
