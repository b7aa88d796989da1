//! The follower of the registry, with a task for each tenant: a plugin that takes long to compile,
//! or does not start, delays no other tenant.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};

use super::Service;
use super::problem::{Kind, Problem};
use super::roster::no_plugin;
use super::trouble::{Trouble, wish};
use hongbao_domain::TenantId;
use hongbao_runtime::{Digest, Plugin, PluginError, PluginSource, Tenant};
use hongbao_store::{StoreError, TenantRecord};

/// How often a host looks whether another one changed something.
pub(super) const FOLLOW_EVERY: Duration = Duration::from_secs(1);

/// Changes that are applied at one time, and components that are read for it.
const AT_ONCE: usize = 64;
const READ_AT_ONCE: usize = 4;
/// Tenants that hold a component and wait for the compiler: the next one is there when one is done.
const COMPILED_AT_ONCE: usize = 2;

/// After its plugin is compiled, a request asks it what it is, and writes that down.
const AFTER_COMPILING: Duration = Duration::from_secs(6);

/// What this host makes of the registry.
pub(super) struct Roster {
    places: Mutex<HashMap<TenantId, Arc<Place>>>,
    /// The registry's, of which every tenant's place knows.
    revision: AtomicU64,
    applying: Semaphore,
    reading: Semaphore,
    compiling: Semaphore,
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
    step: watch::Sender<Step>,
    /// Another record is wanted.
    news: Notify,
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
enum Step {
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
        self.places().get(id).and_then(|place| place.wanted().record.clone())
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
    fn want(&self, record: TenantRecord) -> Option<Arc<Place>> {
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

    fn places(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// What is to be done next; None where that was done already, and then nobody sees to it any more.
    fn to_do(&self, done: u64) -> Option<TenantRecord> {
        let mut wanted = self.wanted();
        if let Some(record) = wanted.record.as_ref().filter(|record| record.revision > done) {
            return Some(record.clone());
        }
        wanted.is_followed = false;
        self.step.send_replace(Step::Done);
        None
    }

    /// Whether the registry has said something else since.
    fn is_overtaken(&self, record: &TenantRecord) -> bool {
        self.wanted().record.as_ref().is_some_and(|wanted| wanted.revision > record.revision)
    }

    /// What is wanted now, if it asks for the same plugin as this record.
    fn latest_with_plugin_of(&self, record: &TenantRecord) -> Option<TenantRecord> {
        self.wanted().record.clone().filter(|latest| latest.plugin == record.plugin)
    }

    fn wanted(&self) -> MutexGuard<'_, Wanted> {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The plugin that a record asks for.
pub(super) enum Needed {
    /// It serves already.
    Serves,
    /// It is here.
    Ready(Box<Plugin>),
    /// It has to be compiled.
    Compiling,
}

/// Ends when the service is stopping, also where that was said before.
pub(super) async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}

impl Service {
    /// Sees to it that everything is done which the registry says, if that changed. Does not wait for it.
    pub(super) async fn follow(&self) -> Result<(), StoreError> {
        let revision = self.registry().revision().await?;
        if revision == self.roster().revision.load(Ordering::Acquire) {
            return Ok(());
        }
        for record in self.registry().tenants().await? {
            self.see_to(record);
        }
        self.roster().revision.store(revision, Ordering::Release);
        Ok(())
    }

    /// Sees to it that what the registry says of a tenant is done. Does not wait for it.
    pub(super) fn see_to(&self, record: TenantRecord) {
        if let Some(place) = self.roster().want(record) {
            tokio::spawn(self.clone().keep_up(place));
        }
    }

    /// Follows, and waits until all tenants are served but those that wait for the compiler or fail.
    pub(super) async fn follow_ready(&self) -> Result<(), StoreError> {
        self.follow().await?;
        let places: Vec<_> = self.roster().places().values().map(|place| place.step.subscribe()).collect();
        for mut step in places {
            // Its sender is in the roster, which stays.
            let _ = step.wait_for(|step| *step != Step::Applying).await;
        }
        Ok(())
    }

    /// A tenant that is served here; None where there is none of this name.
    pub(super) fn tenant(&self, id: &TenantId) -> Result<Option<Tenant>, Problem> {
        match self.host().tenant(id) {
            None if self.roster().knows(id) => Err(Self::not_ready()),
            found => Ok(found),
        }
    }

    pub(super) fn not_ready() -> Problem {
        const WHY: &str = "this host does not serve the tenant yet: its plugin is being compiled, or does not start; ask again";
        Problem::new(Kind::PLUGIN_NOT_READY, WHY)
    }

    /// Does what is wanted of a tenant until nothing is left to do.
    async fn keep_up(self, place: Arc<Place>) {
        let (mut done, mut trouble) = (0, None);
        while let Some(record) = place.to_do(done) {
            let brought = tokio::select! {
                brought = self.bring(&place, &record) => brought,
                () = stopped(self.stopping()) => return,
            };
            match brought {
                Ok(true) => (done, trouble) = (record.revision, None),
                // Something else is wanted meanwhile.
                Ok(false) => {}
                Err(problem) => {
                    place.step.send_replace(Step::Waiting);
                    let now = Trouble::after(trouble.take(), &record, &problem);
                    tokio::select! {
                        () = self.leave_alone(&place, &now) => {}
                        () = stopped(self.stopping()) => return,
                    }
                    trouble = Some(now);
                }
            }
        }
    }

    /// Waits until what failed may be tried again: for a while, or until the registry asks for something else. What
    /// it says of a suspension is done meanwhile.
    async fn leave_alone(&self, place: &Place, trouble: &Trouble) {
        let mut over = pin!(tokio::time::sleep(trouble.pause));
        loop {
            let Some(latest) = place.wanted().record.clone() else { return };
            if wish(&latest) != trouble.wanted {
                return;
            }
            self.suspend_as(place, &latest).await;
            tokio::select! {
                () = &mut over => return,
                () = place.news.notified() => {}
            }
        }
    }

    /// Makes this host serve a tenant as a record says; false where another one is wanted before that is
    /// done.
    async fn bring(&self, place: &Place, record: &TenantRecord) -> Result<bool, Problem> {
        {
            let applied = place.applied.lock().await;
            if applied.as_ref().is_some_and(|known| known.revision >= record.revision) {
                return Ok(true);
            }
            if self.host().tenant(&record.id).is_none() {
                self.host().expect(&record.id);
            }
            if place.is_overtaken(record) {
                return Ok(false);
            }
            // A suspension waits for no plugin. Its end does until that fails, so that a plugin which is replaced
            // does not serve for a moment more.
            let tenant = self.host().tenant(&record.id).filter(|_| record.suspension.is_any());
            tenant.into_iter().for_each(|tenant| tenant.set_suspension(record.suspension));
        }
        let plugin = match self.needed(record).await? {
            Needed::Serves => None,
            Needed::Ready(plugin) => Some(*plugin),
            Needed::Compiling => {
                place.step.send_replace(Step::Waiting);
                match self.compiled_while_wanted(place, record).await? {
                    None => return Ok(false),
                    plugin => plugin,
                }
            }
        };
        let mut applied = place.applied.lock().await;
        // What was written while the plugin was compiled, as a suspension, is not undone by what was before it.
        let Some(record) = place.latest_with_plugin_of(record) else { return Ok(false) };
        if applied.as_ref().is_some_and(|known| known.revision >= record.revision) {
            return Ok(true);
        }
        let _turn = self.roster().applying.acquire().await;
        let ready = self.prepare(&record, plugin).await?;
        self.take_over(&record, ready)?;
        *applied = Some(record);
        Ok(true)
    }

    /// The plugin that a record asks for, once it is compiled; None where another one is wanted before. Any other
    /// change of the tenant does not begin it anew: a suspension is done meanwhile.
    async fn compiled_while_wanted(
        &self,
        place: &Place,
        record: &TenantRecord,
    ) -> Result<Option<Plugin>, Problem> {
        let compile = async {
            let _turn = self.roster().compiling.acquire().await;
            self.compiled(record, None).await
        };
        let mut compile = pin!(compile);
        loop {
            tokio::select! {
                plugin = &mut compile => return plugin.map(Some),
                () = place.news.notified() => {}
            }
            let Some(latest) = place.latest_with_plugin_of(record) else { return Ok(None) };
            // The end of one waits, so that a plugin which is replaced does not serve for a moment more.
            if latest.suspension.is_any() {
                self.suspend_as(place, &latest).await;
            }
        }
    }

    /// What the record says of a suspension is done, also where the rest of it cannot be.
    async fn suspend_as(&self, place: &Place, record: &TenantRecord) {
        let applied = place.applied.lock().await;
        let is_past = applied.as_ref().is_some_and(|known| known.revision >= record.revision);
        if let Some(tenant) = self.host().tenant(&record.id)
            && !is_past
            && !place.is_overtaken(record)
        {
            tenant.set_suspension(record.suspension);
        }
    }

    /// Whether the plugin that a record asks for serves already, or is here.
    pub(super) async fn needed(&self, record: &TenantRecord) -> Result<Needed, Problem> {
        let serving = self.host().tenant(&record.id).map(|tenant| tenant.plugin().digest());
        if serving.is_some() && serving == wanted_digest(record) {
            return Ok(Needed::Serves);
        }
        let plugins = self.host().plugins();
        let Some(digest) = &record.plugin else {
            return Ok(Needed::Ready(Box::new(plugins.load(PluginSource::Embedded).await?)));
        };
        // Its code is read only where another one shall serve.
        let _turn = self.roster().reading.acquire().await;
        let code = self.code(&record.id, digest).await?;
        let ready = plugins.load_ready(PluginSource::Bytes(code)).await?;
        Ok(ready.map_or(Needed::Compiling, |plugin| Needed::Ready(Box::new(plugin))))
    }

    /// The plugin that a record asks for, compiled if it has to be.
    pub(super) async fn compiled(
        &self,
        record: &TenantRecord,
        wait: Option<Duration>,
    ) -> Result<Plugin, Problem> {
        let source = match &record.plugin {
            None => PluginSource::Embedded,
            Some(digest) => PluginSource::Bytes(self.code(&record.id, digest).await?),
        };
        self.compile(&record.id, source, wait).await
    }

    /// Compiles a plugin for a tenant. Whoever cannot wait for ever is told to ask again after so long and
    /// what compiling may take; nobody waits on a host that is stopping.
    pub(super) async fn compile(
        &self,
        tenant: &TenantId,
        source: PluginSource,
        wait: Option<Duration>,
    ) -> Result<Plugin, Problem> {
        let plugins = self.host().plugins();
        let longest = wait.map(|wait| wait + plugins.compiler().limits().time + Duration::from_secs(1));
        let too_long = async {
            match longest {
                Some(longest) => tokio::time::sleep(longest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            plugin = plugins.load_for(tenant, source, wait) => Ok(plugin?),
            () = too_long => Err(PluginError::Busy.into()),
            () = stopped(self.stopping()) => Err(PluginError::Stopping.into()),
        }
    }

    /// How long a request waits for its turn at the compiler, so that it has its answer in time.
    pub(super) fn patience(&self) -> Option<Duration> {
        let compiling = self.host().plugins().compiler().limits().time;
        let left = self.settings().request_time.saturating_sub(compiling + AFTER_COMPILING);
        Some(left.max(Duration::from_secs(1)))
    }

    async fn code(&self, tenant: &TenantId, digest: &str) -> Result<Vec<u8>, Problem> {
        let code = self.registry().plugin_code(tenant, digest).await?;
        code.ok_or_else(no_plugin)
    }
}

/// Of the plugin that a record asks for; None where that is no digest, and so nobody's.
pub(super) fn wanted_digest(record: &TenantRecord) -> Option<Digest> {
    record.plugin.as_ref().map_or(Some(Plugin::embedded_digest()), |digest| digest.parse().ok())
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
