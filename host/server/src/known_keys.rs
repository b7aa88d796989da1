//! A cache of API keys, so that a busy key is looked up in the registry only now and then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::api_key::Seal;
use hongbao_domain::{ApiKey, KeyId};
use hongbao_store::{Registry, StoreError};

/// A key is looked up again after so long: a host that did not revoke it itself takes it that much longer.
const FRESH: Duration = Duration::from_secs(5);

/// While the registry is away, a key that was valid goes on being taken for so long: grabs need no
/// database, and must not begin to.
const STALE: Duration = Duration::from_secs(600);

/// A key that was made here and is there no more, since its time was over, stays away for so long at least.
const ABSENT: Duration = Duration::from_secs(60);

/// So many of those are remembered.
const MOST_ABSENT: usize = 1 << 16;

/// What the registry says of a key.
type Told = Option<Arc<ApiKey>>;

/// A look into the registry, whose answer is everybody's who asks meanwhile.
type Look = Arc<OnceCell<Result<Told, StoreError>>>;

/// Keys that were asked for lately, and the seal of all.
pub(super) struct Keys {
    registry: Arc<dyn Registry>,
    seal: OnceCell<Seal>,
    lately: RwLock<Lately>,
    /// Those under way.
    looks: Mutex<HashMap<KeyId, Look>>,
}

#[derive(Default)]
struct Lately {
    known: HashMap<KeyId, Known>,
    /// There was no such key at this time.
    absent: HashMap<KeyId, Instant>,
}

impl Lately {
    fn learn(&mut self, id: KeyId, told: &Told) {
        let now = Instant::now();
        let Some(key) = told else {
            self.known.remove(&id);
            if self.absent.len() >= MOST_ABSENT {
                self.absent.clear();
            }
            self.absent.insert(id, now);
            return;
        };
        self.absent.remove(&id);
        self.known.insert(id, Known { key: Arc::clone(key), told: now, asked: now });
    }
}

#[derive(Clone)]
struct Known {
    key: Arc<ApiKey>,
    /// When the registry last said so.
    told: Instant,
    /// When somebody last set out to ask it. Everybody else takes what is known meanwhile: else all
    /// requests of a busy key would ask at once, whenever its time is over.
    asked: Instant,
}

impl Keys {
    pub(super) fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry, seal: OnceCell::new(), lately: RwLock::default(), looks: Mutex::default() }
    }

    /// The seal of the registry, which is asked for it once.
    pub(super) async fn seal(&self) -> Result<&Seal, StoreError> {
        self.seal.get_or_try_init(|| Seal::of(&*self.registry)).await
    }

    fn lately(&self) -> RwLockReadGuard<'_, Lately> {
        self.lately.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lately_mut(&self) -> RwLockWriteGuard<'_, Lately> {
        self.lately.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn looks(&self) -> MutexGuard<'_, HashMap<KeyId, Look>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next look goes to the registry, and what a look under way finds is not kept.
    pub(super) fn forget(&self, id: KeyId) {
        self.looks().remove(&id);
        self.lately_mut().known.remove(&id);
    }

    /// Forgets keys that nobody has used for long.
    pub(super) fn forget_old(&self) {
        let mut lately = self.lately_mut();
        lately.known.retain(|_, known| known.told.elapsed() < STALE);
        lately.absent.retain(|_, told| told.elapsed() < ABSENT);
        // Nobody waits for these any more.
        self.looks().retain(|_, look| Arc::strong_count(look) > 1);
    }

    fn known(&self, id: KeyId) -> Option<Known> {
        self.lately().known.get(&id).filter(|known| known.told.elapsed() < STALE).cloned()
    }

    fn is_absent(&self, id: KeyId) -> bool {
        self.lately().absent.get(&id).is_some_and(|told| told.elapsed() < ABSENT)
    }

    /// Whether it is this caller who asks.
    fn sets_out(&self, id: KeyId) -> bool {
        let mut lately = self.lately_mut();
        let Some(known) = lately.known.get_mut(&id) else { return true };
        let is_first = known.asked.elapsed() >= FRESH;
        if is_first {
            known.asked = Instant::now();
        }
        is_first
    }

    /// The key of this id, of a text that was sealed here.
    pub(super) async fn find(&self, id: KeyId) -> Result<Told, StoreError> {
        let known = self.known(id);
        match &known {
            Some(known) if known.asked.elapsed() < FRESH || !self.sets_out(id) => {
                return Ok(Some(Arc::clone(&known.key)));
            }
            None if self.is_absent(id) => return Ok(None),
            _ => {}
        }
        match (self.look(id).await, known) {
            (Err(error), Some(known)) if error.may_pass() => Ok(Some(known.key)),
            (told, _) => told,
        }
    }

    /// Asks the registry, together with everybody who wants to know the same at this time: after a start a busy
    /// key has thousands of requests, and the registry few connections.
    async fn look(&self, id: KeyId) -> Result<Told, StoreError> {
        let look = Arc::clone(self.looks().entry(id).or_default());
        let is_wanted = || self.looks().get(&id).is_some_and(|there| Arc::ptr_eq(there, &look));
        let asking = async {
            let told = self.registry.key(id).await.map(|key| key.map(Arc::new));
            if let (Ok(told), true) = (&told, is_wanted()) {
                self.lately_mut().learn(id, told);
            }
            told
        };
        let told = match look.get_or_init(|| asking).await {
            Ok(told) => Ok(told.clone()),
            Err(error) => Err(error.again()),
        };
        if is_wanted() {
            self.looks().remove(&id);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewKey;
    use hongbao_domain::{Name, Scope};
    use hongbao_store::memory::MemoryRegistry;

    async fn key(registry: &MemoryRegistry) -> Arc<ApiKey> {
        let new = NewKey {
            tenant: None,
            user: None,
            label: Name::new("ci").unwrap(),
            scopes: [Scope::Operator].into_iter().collect(),
            expires_at_ms: None,
        };
        Arc::new(new.make(&Seal::of(registry).await.unwrap(), 7).unwrap().0)
    }

    #[tokio::test]
    async fn one_caller_asks_again_for_a_key_and_the_others_take_what_is_known() {
        let registry = MemoryRegistry::new();
        let key = key(&registry).await;
        let id = key.id;
        let keys = Keys::new(Arc::new(registry));
        assert!(keys.sets_out(id), "a key that nobody knows is asked for by everybody");
        let told = Instant::now().checked_sub(FRESH).unwrap();
        keys.lately_mut().known.insert(id, Known { key, told, asked: told });
        let asking = (0..8).filter(|_| keys.sets_out(id)).count();
        assert_eq!(asking, 1);
        assert!(keys.known(id).is_some(), "it is known until the answer is there");
    }

    #[tokio::test]
    async fn what_is_not_there_is_remembered_within_bounds() {
        let registry = Arc::new(MemoryRegistry::new());
        let keys = Keys::new(registry.clone());
        for id in 0..MOST_ABSENT as u64 + 10 {
            assert_eq!(keys.find(KeyId::new(id)).await.unwrap(), None);
        }
        assert!(keys.lately().absent.len() <= MOST_ABSENT && keys.is_absent(KeyId::new(MOST_ABSENT as u64)));
        assert!(keys.looks().is_empty());
        let key = key(&registry).await;
        registry.add_key((*key).clone()).await.unwrap();
        assert_eq!(keys.find(key.id).await.unwrap(), Some(key));
    }

    #[tokio::test]
    async fn what_was_found_before_it_was_forgotten_is_not_kept() {
        let registry = MemoryRegistry::new();
        let key = key(&registry).await;
        registry.add_key((*key).clone()).await.unwrap();
        let keys = Keys::new(Arc::new(registry));
        let look = Arc::clone(keys.looks().entry(key.id).or_default());
        keys.forget(key.id);
        drop(look);
        assert!(keys.known(key.id).is_none());
        assert!(keys.find(key.id).await.unwrap().is_some());
        assert!(keys.known(key.id).is_some() && keys.looks().is_empty());
    }
}
