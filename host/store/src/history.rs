//! The history of a ledger: a name that changes when the ledger loses its latest entries.
//!
//! A ledger may lose its last moments and go on: a standby that was behind is promoted, a backup is
//! restored. What a cache counted then is of a history that never was: it knows of claims and packets
//! of which the ledger does not. So a ledger gives each history a name, and a counter keeps to the
//! names: what was counted under another one is missing, and is built again from the ledger.
//!
//! A ledger's [`History`] is shared by its clones. The ledger renews it when it finds out that it goes on
//! from somewhere else, and every counter that follows it knows in the same instant.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use sha2::{Digest as _, Sha256};

/// The name of a ledger's history, as far as is known. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    name: RwLock<Option<Arc<str>>>,
    /// Another one with each name.
    number: AtomicU64,
}

impl History {
    /// One of a name that nobody had before, for a ledger that begins anew in each process.
    #[must_use]
    pub fn unique() -> Self {
        let history = Self::default();
        let (process, number) = (std::process::id(), another());
        let begun = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
        history.goes_on_as(&format!("{process} {number} {begun}"));
        history
    }

    /// The ledger goes on from what this identifies. False where it was known.
    pub fn goes_on_as(&self, identity: &str) -> bool {
        let digest = Sha256::digest(identity);
        let name: String = digest.iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect();
        let mut known = self.0.name.write().unwrap_or_else(PoisonError::into_inner);
        if known.as_deref() == Some(&name) {
            return false;
        }
        *known = Some(name.into());
        self.0.number.store(another(), Ordering::Release);
        true
    }

    /// Twelve hexadecimal digits; None where the ledger has not said yet.
    #[must_use]
    pub fn name(&self) -> Option<Arc<str>> {
        self.0.name.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Another one with each change of the name, and no other history's of this process: all that a counter needs
    /// which ends with the process. 0 where there is no name yet.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.0.number.load(Ordering::Acquire)
    }
}

/// A number that nobody in this process had before.
fn another() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Two histories of one name are not met with.
const NAME_BYTES: usize = 6;

/// The history that a counter follows. Until it is told of one, all is of one history.
#[derive(Debug, Default)]
pub struct Followed(RwLock<History>);

impl Followed {
    /// From now on follows this one.
    pub fn follow(&self, history: History) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = history;
    }

    /// Its name; None where its ledger has not said yet.
    pub fn name(&self) -> Option<Arc<str>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).name()
    }

    /// Its number in this process.
    pub fn number(&self) -> u64 {
        self.0.read().unwrap_or_else(PoisonError::into_inner).number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_renewed_for_all_who_follow_it() {
        let history = History::default();
        let followed = Followed::default();
        followed.follow(history.clone());
        assert_eq!((history.name(), followed.number()), (None, 0));
        assert!(history.goes_on_as("one"));
        assert!(!history.goes_on_as("one"));
        let (name, number) = (followed.name().unwrap(), followed.number());
        assert_eq!(name.len(), 12);
        assert_ne!(number, 0);
        assert!(history.goes_on_as("two"));
        assert_ne!(followed.name().unwrap(), name);
        let second = followed.number();
        assert_ne!(second, number);
        history.goes_on_as("one");
        assert_eq!(followed.name().unwrap(), name, "what was counted then is right again");
        assert!(![number, second].contains(&followed.number()), "but for what a process remembers");
    }

    #[test]
    fn no_two_ledgers_in_memory_share_a_history() {
        let (one, other) = (History::unique(), History::unique());
        assert_ne!(one.name(), other.name());
        assert_ne!(one.number(), other.number(), "a counter may come to follow another ledger");
    }
}
