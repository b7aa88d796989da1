//! What this host knows of the registry's tenants: what is wanted of each, and how far that is done.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, Semaphore, watch};

use hongbao_domain::TenantId;
use hongbao_store::TenantRecord;

/// Changes that are applied at one time, and components that are read for it.
const AT_ONCE: usize = 64;
const READ_AT_ONCE: usize = 4;
/// Tenants that hold a component and wait for the compiler: the next one is there when one is done.
const COMPILED_AT_ONCE: usize = 2;

/// What this host makes of the registry.
pub(super) struct Roster {
    places: Mutex<HashMap<TenantId, Arc<Place>>>,
    /// The registry's, of which every tenant's place knows.
    pub(super) revision: AtomicU64,
    pub(super) applying: Semaphore,
    pub(super) reading: Semaphore,
    pub(super) compiling: Semaphore,
}

impl Default for Roster {
    fn default() -> Self {
        Self {
            places: Mutex::default(),
            revision: AtomicU64::new(0),
            applying: Semaphore::new(AT_ONCE),
            reading: Semaphore::new(READ_AT_ONCE),
            compiling: Semaphore::new(COMPILED_AT_ONCE),
        }
    }
}

/// A tenant's place in the roster.
#[derive(Default)]
pub(super) struct Place {
    /// What this host has made of the tenant's record. Whoever changes something holds it, but not while a
    /// plugin is compiled.
    pub(super) applied: tokio::sync::Mutex<Option<TenantRecord>>,
    wanted: Mutex<Wanted>,
    pub(super) step: watch::Sender<Step>,
    /// Another record is wanted.
    pub(super) news: Notify,
}

/// Whoever changes something at a place holds this.
pub(super) type Held<'p> = tokio::sync::MutexGuard<'p, Option<TenantRecord>>;

#[derive(Default)]
struct Wanted {
    /// What the registry said last.
    record: Option<TenantRecord>,
    /// Whether a task sees to it.
    is_followed: bool,
}

/// How far a tenant is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing is to be done.
    #[default]
    Done,
    /// It is being done.
    Applying,
    /// It waits for the compiler, or failed and is tried again.
    Waiting,
}

impl Roster {
    /// The place of a tenant.
    pub(super) fn place(&self, id: &TenantId) -> Arc<Place> {
        let mut places = self.places();
        if let Some(place) = places.get(id) {
            return Arc::clone(place);
        }
        Arc::clone(places.entry(id.clone()).or_default())
    }

    /// Whether the registry has told of a tenant of this name.
    pub(super) fn knows(&self, id: &TenantId) -> bool {
        self.places().get(id).is_some_and(|place| place.wanted().record.is_some())
    }

    /// What the registry said last of a tenant.
    pub(super) fn record(&self, id: &TenantId) -> Option<TenantRecord> {
        self.places().get(id).and_then(|place| place.latest())
    }

    /// The tenants that the registry has told of.
    pub(super) fn ids(&self) -> BTreeSet<TenantId> {
        let places = self.places();
        let told = places.iter().filter(|(_, place)| place.wanted().record.is_some());
        told.map(|(id, _)| id.clone()).collect()
    }

    /// Notes what was written and is done here already: nobody has to see to it.
    pub(super) fn told(&self, record: &TenantRecord) {
        let place = self.place(&record.id);
        let mut wanted = place.wanted();
        if wanted.record.as_ref().is_none_or(|known| known.revision < record.revision) {
            wanted.record = Some(record.clone());
            place.news.notify_one();
        }
    }

    /// How many tenants are not served as the registry says, since they wait for the compiler or failed.
    pub(super) fn waiting(&self) -> usize {
        self.places().values().filter(|place| *place.step.borrow() == Step::Waiting).count()
    }

    /// Puts what the registry says of a tenant in its place; gives that where a task has to begin.
    pub(super) fn want(&self, record: TenantRecord) -> Option<Arc<Place>> {
        let place = self.place(&record.id);
        let mut wanted = place.wanted();
        if wanted.record.as_ref().is_some_and(|known| known.revision >= record.revision) {
            return None;
        }
        wanted.record = Some(record);
        place.news.notify_one();
        let is_followed = std::mem::replace(&mut wanted.is_followed, true);
        drop(wanted);
        (!is_followed).then(|| {
            place.step.send_replace(Step::Applying);
            place
        })
    }

    pub(super) fn places(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// What is to be done next; None where that was done already, and then nobody sees to it any more.
    pub(super) fn to_do(&self, done: u64) -> Option<TenantRecord> {
        let mut wanted = self.wanted();
        if let Some(record) = wanted.record.as_ref().filter(|record| record.revision > done) {
            return Some(record.clone());
        }
        wanted.is_followed = false;
        self.step.send_replace(Step::Done);
        None
    }

    /// Whether the registry has said something else since.
    pub(super) fn is_overtaken(&self, record: &TenantRecord) -> bool {
        self.wanted().record.as_ref().is_some_and(|wanted| wanted.revision > record.revision)
    }

    /// What is wanted now, if it asks for the same plugin as this record.
    pub(super) fn latest_with_plugin_of(&self, record: &TenantRecord) -> Option<TenantRecord> {
        self.wanted().record.clone().filter(|latest| latest.plugin == record.plugin)
    }

    /// What the registry said last.
    pub(super) fn latest(&self) -> Option<TenantRecord> {
        self.wanted().record.clone()
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(revision: u64) -> TenantRecord {
        let new = TenantRecord::new(TenantId::new("acme").unwrap(), "{}".into(), 7);
        TenantRecord { revision, ..new }
    }

    #[test]
    fn one_task_sees_to_a_tenant_until_the_latest_record_is_done() {
        let roster = Roster::default();
        let place = roster.want(record(3)).unwrap();
        assert!(roster.want(record(3)).is_none() && roster.want(record(2)).is_none());
        assert_eq!(place.to_do(0).unwrap().revision, 3);
        assert!(roster.want(record(5)).is_none(), "the task is there already");
        assert_eq!(place.to_do(3).unwrap().revision, 5);
        assert!(place.to_do(5).is_none());
        assert!(roster.want(record(6)).is_some(), "the task has ended");
    }
}
