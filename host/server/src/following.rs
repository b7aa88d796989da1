//! The follower of the registry, with a task for each tenant: a plugin that takes long to compile,
//! or does not start, delays no other tenant.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Service;
use super::problem::Problem;
use super::roster::{Place, Step};
use super::serving::{Needed, stopped};
use super::trouble::{Trouble, wish};
use hongbao_runtime::Plugin;
use hongbao_store::{StoreError, TenantRecord};

/// How often a host looks whether another one changed something.
pub(super) const FOLLOW_EVERY: Duration = Duration::from_secs(1);

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
            let Some(latest) = place.latest() else { return };
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
}
